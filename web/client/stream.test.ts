import assert from "node:assert/strict";
import { test } from "node:test";

import { ProblemError } from "./problem.js";
import { events, lines, messages, StreamCutError } from "./stream.js";
import { drain, serve, sse } from "./testserver.js";

interface Item {
  n: number;
}

/** A response whose body comes in these pieces. */
function response(type: string, ...pieces: (string | Uint8Array)[]): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) {
        controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
      }
      controller.close();
    },
  });
  return new Response(body, { headers: { "Content-Type": type } });
}

const ndjson = "application/x-ndjson";
const eventStream = "text/event-stream";
const problem = '{"type":"about:blank","title":"Gateway Timeout","status":504,"code":"DEADLINE_EXCEEDED","request_id":"R1"}';

type Ending = "end" | "cut" | "problem";

const streams: { name: string; type: string; pieces: (string | Uint8Array)[]; want: unknown[]; ending: Ending }[] = [
  { name: "lines", type: ndjson, pieces: ['{"n":1}\n{"n":2}\n'], want: [{ n: 1 }, { n: 2 }], ending: "end" },
  { name: "lines in pieces", type: ndjson, pieces: ['{"n"', ":1}", '\n{"n":2}\n'], want: [{ n: 1 }, { n: 2 }], ending: "end" },
  { name: "lines with heartbeats", type: ndjson, pieces: ["\n", '{"n":1}\n', "\n\n"], want: [{ n: 1 }], ending: "end" },
  { name: "no lines", type: ndjson, pieces: [], want: [], ending: "end" },
  {
    name: "a character in two pieces",
    type: ndjson,
    pieces: ['"', new Uint8Array([0xc3]), new Uint8Array([0xa4]), '"\n'],
    want: ["ä"],
    ending: "end",
  },
  { name: "half a line", type: ndjson, pieces: ['{"n":1}\n{"n":'], want: [{ n: 1 }], ending: "cut" },
  { name: "a line without its end", type: ndjson, pieces: ['{"n":1}\n{"n":2}'], want: [{ n: 1 }], ending: "cut" },
  { name: "lines with an error", type: ndjson, pieces: [`{"n":1}\n{"error":${problem}}\n`], want: [{ n: 1 }], ending: "problem" },
  {
    name: "a message with error among others",
    type: ndjson,
    pieces: ['{"n":1,"error":"x"}\n'],
    want: [{ n: 1, error: "x" }],
    ending: "end",
  },
  { name: "a message whose only member is error", type: ndjson, pieces: ['{"error":"x"}\n'], want: [{ error: "x" }], ending: "end" },
  {
    name: "a message with a google.rpc.Status",
    type: ndjson,
    pieces: ['{"error":{"code":5}}\n'],
    want: [{ error: { code: 5 } }],
    ending: "end",
  },
  { name: "lines of values", type: ndjson, pieces: ['1\n"a"\nnull\n[]\n'], want: [1, "a", null, []], ending: "end" },
  {
    name: "events",
    type: eventStream,
    pieces: ['id: 1\ndata: {"n":1}\n\ndata: {"n":2}\n\nevent: end\ndata: {}\n\n'],
    want: [{ n: 1 }, { n: 2 }],
    ending: "end",
  },
  {
    name: "events in pieces",
    type: eventStream,
    pieces: ["da", 'ta: {"n":1}\n', "\nevent: e", "nd\ndata: {}\n\n"],
    want: [{ n: 1 }],
    ending: "end",
  },
  {
    name: "events with heartbeats",
    type: eventStream,
    pieces: [":\n\n", 'data: {"n":1}\n\n', ":\n\n", "event: end\ndata: {}\n\n"],
    want: [{ n: 1 }],
    ending: "end",
  },
  {
    name: "events with other line ends",
    type: eventStream,
    pieces: ['data: {"n":1}\r\n\r\nevent: end\r\ndata: {}\r\n\r\n'],
    want: [{ n: 1 }],
    ending: "end",
  },
  {
    name: "events with carriage returns",
    type: eventStream,
    pieces: ['data: {"n":1}\r\rdata: {"n":2}\r\r', "event: end\rdata: {}\r\r"],
    want: [{ n: 1 }, { n: 2 }],
    ending: "end",
  },
  {
    name: "half an event with carriage returns",
    type: eventStream,
    pieces: ['data: {"n":1}\r\rdata: {"n":2}\r'],
    want: [{ n: 1 }],
    ending: "cut",
  },
  {
    name: "a line end in two pieces",
    type: eventStream,
    pieces: ['data: {"n":1}\r', "", "\n\r", "\nevent: end\r", "\ndata: {}\r\n\r"],
    want: [{ n: 1 }],
    ending: "end",
  },
  // The HTML standard says so (section 9.2.6), and the gateway's end has data.
  { name: "an end without data is no event", type: eventStream, pieces: ["event: end\n\n"], want: [], ending: "cut" },
  {
    name: "a type in capitals",
    type: "Text/Event-Stream; charset=utf-8",
    pieces: ['data: {"n":1}\n\nevent: end\ndata: {}\n\n'],
    want: [{ n: 1 }],
    ending: "end",
  },
  {
    name: "events of an unknown kind",
    type: eventStream,
    pieces: ["event: new\ndata: {}\n\nevent: end\ndata: {}\n\n"],
    want: [],
    ending: "end",
  },
  {
    name: "events after the end",
    type: eventStream,
    pieces: ['event: end\ndata: {}\n\ndata: {"n":1}\n\n'],
    want: [],
    ending: "end",
  },
  { name: "events without an end", type: eventStream, pieces: ['data: {"n":1}\n\n'], want: [{ n: 1 }], ending: "cut" },
  { name: "half an event", type: eventStream, pieces: ['data: {"n":1}\n\ndata: {"n":2}\n'], want: [{ n: 1 }], ending: "cut" },
  { name: "no events", type: `${eventStream}; charset=utf-8`, pieces: [], want: [], ending: "cut" },
  {
    name: "events with an error",
    type: eventStream,
    pieces: [`data: {"n":1}\n\nevent: error\ndata: ${problem}\n\n`],
    want: [{ n: 1 }],
    ending: "problem",
  },
];

for (const { name, type, pieces, want, ending } of streams) {
  test(name, async () => {
    const { got, error } = await drain(messages(response(type, ...pieces)));

    assert.deepEqual(got, want);
    switch (ending) {
      case "end":
        assert.equal(error, undefined);
        break;
      case "cut":
        assert.ok(error instanceof StreamCutError, `${error}`);
        break;
      case "problem":
        assert.ok(error instanceof ProblemError, `${error}`);
        assert.equal(error.message, "504 DEADLINE_EXCEEDED: Gateway Timeout");
        assert.equal(error.requestId, "R1");
    }
  });
}

const strange: { name: string; response: Response; want: string }[] = [
  {
    name: "an error response",
    response: new Response('{"code":"NOT_FOUND","detail":"no such order"}', { status: 404 }),
    want: "404 NOT_FOUND: no such order",
  },
  {
    name: "a response without a body",
    response: new Response(null, { status: 204 }),
    want: "204 UNKNOWN: a response of an unexpected type: none",
  },
  { name: "a page", response: response("text/html", "<html>"), want: "200 UNKNOWN: a response of an unexpected type: text/html" },
  {
    name: "a JSON array",
    response: response("application/json", "[1\n,2]"),
    want: "200 UNKNOWN: a response of an unexpected type: application/json",
  },
  { name: "text in lines", response: response(ndjson, "hello\n"), want: "200 UNKNOWN: not JSON in the stream: hello" },
  {
    name: "text in events",
    response: response(eventStream, "data: hello\n\n"),
    want: "200 UNKNOWN: not JSON in the stream: hello",
  },
  {
    name: "an error in text",
    response: response(eventStream, "event: error\ndata: broken\n\n"),
    want: "200 UNKNOWN: not JSON in the stream: broken",
  },
];

for (const { name, response, want } of strange) {
  test(`${name} is no stream`, async () => {
    const { got, error } = await drain(messages(response));

    assert.deepEqual(got, []);
    assert.ok(error instanceof ProblemError, `${error}`);
    assert.equal(error.message, want);
  });
}

for (const [type, start] of [[ndjson, '"'], [eventStream, "data: "]] as const) {
  // Scanning the whole message again for each piece takes minutes.
  test(`a message without an end in ${type} is refused`, { timeout: 20_000 }, async () => {
    const piece = "x".repeat(1 << 13);
    const { got, error } = await drain(messages(response(type, start, ...Array<string>((1 << 12) + 1).fill(piece))));

    assert.deepEqual(got, []);
    assert.ok(error instanceof RangeError, `${error}`);
  });
}

test("events have ids", async () => {
  const { got } = await drain(
    events<Item>(response(eventStream, 'id: 7\ndata: {"n":1}\n\ndata: {"n":2}\n\nevent: end\ndata: {}\n\n')),
  );

  assert.deepEqual(got, [
    { data: { n: 1 }, id: "7" },
    { data: { n: 2 }, id: undefined },
  ]);
});

test("a connection that breaks is a cut", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => {
    res.writeHead(200, { "Content-Type": ndjson });
    res.write('{"n":1}\n', () => res.destroy());
  });
  const { got, error } = await drain(lines<Item>(await fetch(baseUrl)));

  assert.deepEqual(got, [{ n: 1 }]);
  assert.ok(error instanceof StreamCutError && error.cause instanceof TypeError, `${error}`);
});

test("leaving the loop ends the request", async (t) => {
  let close = () => {};
  const closed = new Promise<void>((resolve) => (close = resolve));
  const { baseUrl } = await serve(t, (_, res) => {
    res.on("close", close);
    sse(res, 'data: {"n":1}');
  });
  for await (const item of messages<Item>(await fetch(baseUrl))) {
    assert.equal(item.n, 1);
    break;
  }
  await closed;
});

test("an abort throws its reason", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => sse(res, 'data: {"n":1}'));
  const controller = new AbortController();
  const reason = new Error("enough");
  const stream = messages<Item>(await fetch(baseUrl, { signal: controller.signal }));

  assert.deepEqual((await stream.next()).value, { n: 1 });
  controller.abort(reason);
  await assert.rejects(stream.next(), reason);
});
