import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { ProblemError, problemFrom } from "./problem.js";
import { resuming, type ResumeOptions } from "./resume.js";
import { authenticated, NetworkError } from "./send.js";
import { StreamCutError } from "./stream.js";
import { drain, refuse, serve, sse, type Handler } from "./testserver.js";

const end = "event: end\ndata: {}";
const event = (n: number) => `id: ${n}\ndata: ${n}`;
const reconnect = (status: number, retry = 1) => `event: reconnect\nretry: ${retry}\ndata: {"status":${status},"code":"C"}`;
const failed = (status: number) => `event: error\ndata: {"status":${status},"code":"C"}`;
const quick = { attempts: 4, minDelay: 1, maxDelay: 2 };

/** Follows the stream of the handler, and returns the ids that the client sent. */
async function follow(t: TestContext, handler: Handler, options: ResumeOptions) {
  const { baseUrl, requests } = await serve(t, handler);
  const send = authenticated(fetch, {});
  const open = async (lastEventId: string | undefined) => {
    const headers: HeadersInit = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
    const response = await send(new Request(baseUrl, { headers, signal: options.signal ?? null }));
    if (!response.ok) {
      throw await problemFrom(response);
    }
    return response;
  };
  const { got, error } = await drain(resuming<number>(open, options));
  return { got, error, seen: requests.map((req) => req.headers["last-event-id"]) };
}

/** Responds with one after the other; the last one is repeated. */
const script =
  (...handlers: Handler[]): Handler =>
  (req, res, count) =>
    (handlers[Math.min(count, handlers.length - 1)] as Handler)(req, res, count);

const say =
  (...events: string[]): Handler =>
  (_, res) => {
    sse(res, ...events);
    res.end();
  };
const cut =
  (...events: string[]): Handler =>
  (_, res) => {
    sse(res, ...events);
    setImmediate(() => res.destroy());
  };
const problem =
  (status: number): Handler =>
  (_, res) =>
    refuse(res, status, "C", { headers: { "Retry-After": "0" } });

const table: {
  name: string;
  handler: Handler;
  options: ResumeOptions;
  got: number[];
  seen: (string | undefined)[];
  error?: Function;
}[] = [
  { name: "a stream with an end", handler: say(event(1), end), options: { resume: quick }, got: [1], seen: [undefined] },
  { name: "a start in the middle", handler: say(event(5), end), options: { lastEventId: "4" }, got: [5], seen: ["4"] },
  {
    name: "a cut",
    handler: script(cut(event(1), event(2)), say(event(3), end)),
    options: { resume: quick },
    got: [1, 2, 3],
    seen: [undefined, "2"],
  },
  {
    name: "an end that is missing",
    handler: script(say(event(1)), say(event(2), end)),
    options: { resume: quick },
    got: [1, 2],
    seen: [undefined, "1"],
  },
  {
    name: "a cut before the first event",
    handler: script(cut(":"), say(event(5), end)),
    options: { lastEventId: "4", resume: quick },
    got: [5],
    seen: ["4", "4"],
  },
  {
    name: "a time limit",
    handler: script(say(event(1), failed(504)), say(event(2), end)),
    options: { resume: quick },
    got: [1, 2],
    seen: [undefined, "1"],
  },
  {
    name: "a gateway that stops",
    handler: script(say(event(1), failed(503)), problem(503), say(event(2), end)),
    options: { resume: quick },
    got: [1, 2],
    seen: [undefined, "1", "1"],
  },
  {
    name: "ends that are temporary",
    handler: script(say(event(1), reconnect(503)), say(reconnect(503)), say(reconnect(429)), say(event(2), reconnect(504)), say(end)),
    options: { resume: quick },
    got: [1, 2],
    seen: [undefined, "1", "1", "1", "2"],
  },
  {
    name: "an end that is temporary, but not asked to resume",
    handler: say(event(1), reconnect(503)),
    options: {},
    got: [1],
    seen: [undefined],
    error: ProblemError,
  },
  {
    name: "a proxy without a gateway",
    handler: script(cut(event(1)), (_, res) => res.writeHead(502, { "Content-Type": "text/html" }).end("<html>"), say(event(2), end)),
    options: { resume: quick },
    got: [1, 2],
    seen: [undefined, "1", "1"],
  },
  {
    name: "too many requests",
    handler: script(cut(event(1)), problem(429), say(event(2), end)),
    options: { resume: quick },
    got: [1, 2],
    seen: [undefined, "1", "1"],
  },
  {
    name: "no connection",
    handler: script(cut(event(1)), (req) => req.destroy(), say(event(2), end)),
    options: { resume: quick },
    got: [1, 2],
    seen: [undefined, "1", "1"],
  },
  {
    name: "never a connection",
    handler: (req) => req.destroy(),
    options: { resume: quick },
    got: [],
    seen: [undefined, undefined, undefined, undefined],
    error: NetworkError,
  },
  {
    name: "a response that is not a stream",
    handler: script(cut(event(1)), (_, res) => res.writeHead(204).end()),
    options: { resume: quick },
    got: [1],
    seen: [undefined, "1"],
    error: ProblemError,
  },
  {
    name: "messages start the count again",
    handler: script(cut(event(1)), cut(event(2)), cut(event(3)), cut(event(4)), cut(event(5)), say(end)),
    options: { resume: quick },
    got: [1, 2, 3, 4, 5],
    seen: [undefined, "1", "2", "3", "4", "5"],
  },
  {
    name: "too many failures",
    handler: script(cut(event(1)), problem(503)),
    options: { resume: quick },
    got: [1],
    seen: [undefined, "1", "1", "1"],
    error: ProblemError,
  },
  {
    name: "one attempt in total",
    handler: cut(event(1)),
    options: { resume: { ...quick, attempts: 1 } },
    got: [1],
    seen: [undefined],
    error: StreamCutError,
  },
  {
    name: "a wait that an error asks for, longer than maxDelay",
    handler: (_, res) => refuse(res, 503, "C", { headers: { "Retry-After": "31" } }),
    options: { resume: true },
    got: [],
    seen: [undefined],
    error: ProblemError,
  },
  {
    name: "a wait that the stream asks for, longer than maxDelay",
    handler: cut(`retry: 31000\n${event(1)}`),
    options: { resume: true },
    got: [1],
    seen: [undefined],
    error: StreamCutError,
  },
  {
    name: "an error that stays",
    handler: script(cut(event(1)), problem(403)),
    options: { resume: quick },
    got: [1],
    seen: [undefined, "1"],
    error: ProblemError,
  },
  {
    name: "an error that stays, in the stream",
    handler: say(event(1), failed(404)),
    options: { resume: quick },
    got: [1],
    seen: [undefined],
    error: ProblemError,
  },
  {
    name: "events without ids",
    handler: cut("data: 1"),
    options: { resume: quick },
    got: [1],
    seen: [undefined],
    error: StreamCutError,
  },
  { name: "not asked to", handler: cut(event(1)), options: {}, got: [1], seen: [undefined], error: StreamCutError },
  { name: "asked not to", handler: cut(event(1)), options: { resume: false }, got: [1], seen: [undefined], error: StreamCutError },
];

for (const row of table) {
  test(row.name, async (t) => {
    const { got, error, seen } = await follow(t, row.handler, row.options);

    assert.deepEqual(got, row.got);
    assert.deepEqual(seen, row.seen);
    assert.equal((error as Error | undefined)?.constructor, row.error, `${error}`);
  });
}

const patient: { name: string; handler: Handler }[] = [
  {
    name: "an error",
    handler: (_, res) => refuse(res, 503, "UNAVAILABLE", { headers: { "Retry-After": "3600" } }),
  },
  { name: "the end of a stream", handler: say(event(1), reconnect(503, 3_600_000)) },
  { name: "the start of a stream that was cut", handler: cut(`retry: 3600000\n${event(1)}`) },
];

for (const { name, handler } of patient) {
  test(`the next try comes when ${name} says, unless an abort comes first`, async (t) => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const timed: Handler = (req, res, count) => {
      // Long after an attempt that did not wait.
      res.on("close", () => setTimeout(() => controller.abort(reason), 50));
      handler(req, res, count);
    };
    const { error, seen } = await follow(t, timed, { resume: { ...quick, maxDelay: Infinity }, signal: controller.signal });

    assert.equal(error, reason);
    assert.equal(seen.length, 1);
  });
}

test("the error says when to try again", async (t) => {
  const { error } = await follow(t, say(event(1), reconnect(503, 1500)), {});

  assert.ok(error instanceof ProblemError, `${error}`);
  assert.equal(error.retryAfter, 1.5);
});

test("a TypeError of the program is not a network error", async () => {
  const fault = new TypeError("token");
  let calls = 0;
  const open = () => {
    calls++;
    return Promise.reject(fault);
  };
  const { error } = await drain(resuming(open, { resume: quick }));

  assert.equal(error, fault);
  assert.equal(calls, 1);
});
