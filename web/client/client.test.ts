import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import type { DashboardV1Dashboard, OrderV1WatchOrderResponse, paths } from "@portico/client/schema";
import { createClient, type Client } from "./client.js";
import { ProblemError } from "./problem.js";
import { idempotencyKey } from "./retry.js";
import { NetworkError } from "./send.js";
import { messages } from "./stream.js";
import { pause } from "./timers.js";
import { answer, drain, refuse, serve, sse } from "./testserver.js";

test("a response has its document as data", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res) => answer(res, { user: { userId: "alice" } }));
  const client = createClient({ baseUrl, token: "T" });
  const { data, response } = await client.GET("/v1/me/dashboard", { params: { query: { orderCount: 3 } } });

  assert.equal(data.user?.userId, "alice");
  assert.equal(response.status, 200);
  assert.equal(requests[0]?.url, "/v1/me/dashboard?orderCount=3");
  assert.equal(requests[0]?.headers.authorization, "Bearer T");
});

test("an error is thrown", async (t) => {
  const errors = [{ in: "body", field: "items", description: "must contain at least 1 item(s)" }];
  const { baseUrl } = await serve(t, (_, res) => refuse(res, 400, "INVALID_ARGUMENT", { members: { errors } }));

  await assert.rejects(createClient({ baseUrl }).POST("/v1/orders", { body: { items: [] } }), (error) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.message, "400 INVALID_ARGUMENT: for people");
    assert.deepEqual(error.errors, errors);
    assert.equal(error.requestId, "R1");
    return true;
  });
});

test("a response without a body has no data", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => res.writeHead(204).end());
  const { data } = await createClient({ baseUrl }).DELETE("/v1/users/{user_id}", { params: { path: { user_id: "alice" } } });

  assert.equal(data, undefined);
});

test("304 is not an error", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => res.writeHead(304).end());
  const params = { path: { user_id: "alice" }, header: { "If-None-Match": '"1"' } };
  const { data, response } = await createClient({ baseUrl }).GET("/v1/users/{user_id}/profile", { params });

  assert.equal(data, undefined);
  assert.equal(response.status, 304);
});

test("a token may come from a function, or be missing", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res) => answer(res, {}));
  let n = 0;
  const client = createClient({ baseUrl, token: async () => (++n < 3 ? `T${n}` : undefined) });
  for (let i = 0; i < 3; i++) {
    await client.GET("/v1/me/dashboard");
  }

  assert.deepEqual(
    requests.map((req) => req.headers.authorization),
    ["Bearer T1", "Bearer T2", undefined],
  );
});

/** A route that streams and has a query. */
interface Verbose {
  "/v1/orders/{order_id}:watch": {
    get: {
      parameters: { path: { order_id: string }; query?: { verbose?: boolean } };
      responses: paths["/v1/orders/{order_id}:watch"]["get"]["responses"];
    };
  };
}

test("a watched stream has its path, its query and its media type", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res) => {
    sse(res, 'id: 2\ndata: {"orderId":"o/1","sequence":"2"}', "event: end\ndata: {}");
    res.end();
  });
  const params = { path: { order_id: "o/1" }, query: { verbose: true } };
  const client = createClient<Verbose>({ baseUrl, token: "T" });
  const { got, error } = await drain(client.watch("/v1/orders/{order_id}:watch", { params }));

  assert.deepEqual({ got, error }, { got: [{ orderId: "o/1", sequence: "2" }], error: undefined });
  assert.equal(requests[0]?.url, "/v1/orders/o%2F1:watch?verbose=true");
  assert.equal(requests[0]?.headers.accept, "text/event-stream");
  assert.equal(requests[0]?.headers["last-event-id"], undefined);
  assert.equal(requests[0]?.headers.authorization, "Bearer T");
});

test("each attempt asks for the token", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res, count) =>
    count === 0 ? refuse(res, 503, "UNAVAILABLE", { headers: { "Retry-After": "0" } }) : answer(res, {}),
  );
  let n = 0;
  await createClient({ baseUrl, token: () => `T${++n}`, retry: { minDelay: 0 } }).GET("/v1/me/dashboard");

  assert.deepEqual(
    requests.map((req) => req.headers.authorization),
    ["Bearer T1", "Bearer T2"],
  );
});

test("a network error differs from an error of the program", async (t) => {
  const { baseUrl } = await serve(t, (req) => req.destroy());
  const fault = new TypeError("token");
  const reason = new TypeError("enough");

  await assert.rejects(createClient({ baseUrl }).GET("/v1/me/dashboard"), NetworkError);
  await assert.rejects(createClient({ baseUrl, token: () => Promise.reject(fault) }).GET("/v1/me/dashboard"), fault);
  await assert.rejects(createClient({ baseUrl }).GET("/v1/me/dashboard", { signal: AbortSignal.abort(reason) }), reason);
});

test("a response of another type than JSON is thrown", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => res.writeHead(200, { "Content-Type": "text/html" }).end("<html>"));

  await assert.rejects(createClient({ baseUrl }).GET("/v1/me/dashboard"), (error) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.message, "200 UNKNOWN: a response of an unexpected type: text/html");
    return true;
  });
});

test("a watched stream continues another one, until it is aborted", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res) => sse(res, 'id: 5\ndata: {"sequence":"5"}'));
  const controller = new AbortController();
  const reason = new Error("enough");
  const init = { params: { path: { order_id: "o1" } }, lastEventId: "4", signal: controller.signal };
  const stream = createClient({ baseUrl }).watch("/v1/orders/{order_id}:watch", init);

  assert.deepEqual((await stream.next()).value, { sequence: "5" });
  assert.equal(requests[0]?.headers["last-event-id"], "4");
  controller.abort(reason);
  await assert.rejects(stream.next(), reason);
});

test("a watched stream that is cut continues after the last message, with a new token", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res, count) => {
    if (count === 0) {
      sse(res, 'id: 5\ndata: {"sequence":"5"}');
      setImmediate(() => res.destroy());
      return;
    }
    sse(res, 'id: 6\ndata: {"sequence":"6"}', "event: end\ndata: {}");
    res.end();
  });
  let n = 0;
  const init = { params: { path: { order_id: "o1" } }, lastEventId: "4", resume: { minDelay: 1 } };
  const { got, error } = await drain(createClient({ baseUrl, token: () => `T${++n}` }).watch("/v1/orders/{order_id}:watch", init));

  assert.deepEqual({ got, error }, { got: [{ sequence: "5" }, { sequence: "6" }], error: undefined });
  assert.deepEqual(
    requests.map(({ url, headers }) => [url, headers["last-event-id"], headers.authorization]),
    [
      ["/v1/orders/o1:watch", "4", "Bearer T1"],
      ["/v1/orders/o1:watch", "5", "Bearer T2"],
    ],
  );
});

test("an error before a watched stream is thrown", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => refuse(res, 404, "NOT_FOUND"));
  const params = { path: { order_id: "o1" } };
  const { error } = await drain(createClient({ baseUrl }).watch("/v1/orders/{order_id}:watch", { params, resume: true }));

  assert.ok(error instanceof ProblemError && error.code === "NOT_FOUND", `${error}`);
});

/** A fetch whose first attempts have no response until they are aborted. */
function silentAtFirst(silent: number, response: () => Response = () => Response.json({})) {
  const requests: Request[] = [];
  const fetch = (request: Request) =>
    requests.push(request) > silent
      ? Promise.resolve(response())
      : new Promise<Response>((_, reject) => request.signal.addEventListener("abort", () => reject(request.signal.reason)));
  return { fetch, requests };
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const baseUrl = "http://gateway.test";
const timedOut = { name: "TimeoutError" };

test("an API key has a header of its own, which may have another name", async () => {
  const { fetch, requests } = silentAtFirst(0);
  await createClient({ baseUrl, fetch, apiKey: "K" }).GET("/v1/me/dashboard");
  await createClient({ baseUrl, fetch, apiKey: async () => "K", apiKeyHeader: "Api-Key" }).GET("/v1/me/dashboard");
  await createClient({ baseUrl, fetch, apiKey: () => undefined }).GET("/v1/me/dashboard");

  assert.deepEqual(
    requests.map(({ headers }) => [headers.get("X-Api-Key"), headers.get("Api-Key"), headers.get("Authorization")]),
    [["K", null, null], [null, "K", null], [null, null, null]],
  );
});

test("two credentials are refused, as the gateway would", () => {
  assert.throws(() => createClient({ baseUrl, token: "T", apiKey: "K" }), /^TypeError: .*only one of them/);
});

test("each request has the headers of the client, unless it sets them itself", async () => {
  const { fetch, requests } = silentAtFirst(0);
  const client = createClient({ baseUrl, fetch, token: "T", headers: { "User-Agent": "shop/1", "X-A": "a", Authorization: "Basic" } });
  await client.GET("/v1/me/dashboard", { headers: { "X-A": "b" } });
  await drain(client.watch("/v1/orders/{order_id}:watch", { params: { path: { order_id: "o1" } } }));

  assert.deepEqual(
    requests.map(({ headers }) => [headers.get("User-Agent"), headers.get("X-A"), headers.get("Authorization"), headers.get("Accept")]),
    [["shop/1", "b", "Bearer T", null], ["shop/1", "a", "Bearer T", "text/event-stream"]],
  );
});

test("a call ends at its timeout, whatever is missing of the response", async (t) => {
  const closed: Promise<unknown>[] = [];
  const { baseUrl } = await serve(t, (req, res) => {
    closed.push(once(res, "close"));
    if (req.url === "/v1/orders/half") {
      res.writeHead(200, { "Content-Type": "application/json" }).write("{");
    }
  });
  const client = createClient({ baseUrl, timeout: 50, retry: true });

  await assert.rejects(client.GET("/v1/me/dashboard"), timedOut);
  await assert.rejects(client.GET("/v1/orders/{order_id}", { params: { path: { order_id: "half" } } }), timedOut);
  await assert.rejects(createClient({ baseUrl, attemptTimeout: 50 }).GET("/v1/me/dashboard"), timedOut);
  await Promise.all(closed);
});

test("an attempt that takes too long is followed by another one", async () => {
  const { fetch, requests } = silentAtFirst(2);
  await createClient({ baseUrl, fetch, attemptTimeout: 1, retry: { minDelay: 0 } }).GET("/v1/me/dashboard");

  assert.equal(requests.length, 3);
});

test("a timeout of the caller is final", async () => {
  const { fetch, requests } = silentAtFirst(9);
  const client = createClient({ baseUrl, fetch, retry: true });
  const controller = new AbortController();
  const { signal } = controller;
  const params = { path: { order_id: "o1" } };
  const calls = [
    client.GET("/v1/me/dashboard", { signal }),
    client.watch("/v1/orders/{order_id}:watch", { params, resume: true, signal }).next(),
  ];
  setTimeout(() => controller.abort(new DOMException("too long", "TimeoutError")));

  for (const call of await Promise.allSettled(calls)) {
    assert.equal(call.status === "rejected" && call.reason, signal.reason);
  }
  assert.ok(requests.length <= 2);
});

test("a stream is longer than the timeouts", async () => {
  const { fetch, requests } = silentAtFirst(0, () => new Response(new ReadableStream()));
  const params = { path: { order_id: "o1" } };
  const client = createClient({ baseUrl, fetch, timeout: 5, attemptTimeout: 5 });
  await client.GET("/v1/orders/{order_id}:watch", { params, parseAs: "stream" });
  await pause(20);

  assert.equal(requests[0]?.signal.aborted, false);
});

// Node.js 20 forgets the signal of a request that was collected: a program could not end its stream any more.
for (const options of [{}, { retry: true, timeout: 60_000, attemptTimeout: 60_000 }]) {
  test(`an abort ends a stream after garbage collections, with ${JSON.stringify(options)}`, async (t) => {
    const { baseUrl } = await serve(t, (_, res) => {
      const timer = setInterval(() => sse(res, "data: {}"), 5);
      res.on("close", () => clearInterval(timer));
    });
    const controller = new AbortController();
    const reason = new Error("enough");
    const params = { path: { order_id: "o1" } };
    const init = { params, headers: { Accept: "text/event-stream" }, parseAs: "stream", signal: controller.signal } as const;
    const client = createClient({ baseUrl, ...options });
    const { response } = await client.GET("/v1/orders/{order_id}:watch", init);
    const stream = messages(response);
    for (let i = 0; i < 3; i++) {
      await stream.next();
      collectGarbage();
    }
    controller.abort(reason);

    // What had come before the abort may be read.
    await assert.rejects(async () => {
      for (let i = 0; i < 100; i++) {
        await stream.next();
      }
    }, reason);
  });
}

test("a watched stream connects again after a timeout, and only as often as resume says", async () => {
  const events = () => new Response("event: end\ndata: {}\n\n", { headers: { "Content-Type": "text/event-stream" } });
  const params = { path: { order_id: "o1" } };
  const follow = async (silent: number) => {
    const { fetch, requests } = silentAtFirst(silent, events);
    const client = createClient({ baseUrl, fetch, attemptTimeout: 1, retry: true });
    const resume = { attempts: 2, minDelay: 0 };
    const { error } = await drain(client.watch("/v1/orders/{order_id}:watch", { params, resume }));
    return [requests.length, (error as Error | undefined)?.name];
  };

  assert.deepEqual(await follow(1), [2, undefined]);
  assert.deepEqual(await follow(2), [2, "TimeoutError"]);
});

test("an idempotency key is a quoted UUID, and a new one each time", () => {
  assert.match(idempotencyKey(), /^"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"$/);
  assert.notEqual(idempotencyKey(), idempotencyKey());
});

/** Is never run: it compiles only if the types refuse what is wrong. */
export async function types(client: Client): Promise<void> {
  const { data } = await client.GET("/v1/me/dashboard");
  data satisfies DashboardV1Dashboard;

  const params = { path: { order_id: "o1" } };
  for await (const change of client.watch("/v1/orders/{order_id}:watch", { params })) {
    change satisfies OrderV1WatchOrderResponse;
    // @ts-expect-error A status that there is not.
    change.status === "ORDER_STATUS_EATEN";
  }
  // @ts-expect-error A path that there is not.
  await client.GET("/v1/nothing");
  // @ts-expect-error A method that the path does not have.
  await client.POST("/v1/me/dashboard");
  // @ts-expect-error A path variable is missing.
  await client.GET("/v1/orders/{order_id}");
  // @ts-expect-error A field has the wrong type.
  await client.POST("/v1/orders", { body: { items: "tea" } });
  await client.POST("/v1/orders/{order_id}:redirect", { params, body: { pickupPoint: "Kiosk" } });
  // @ts-expect-error No member of a oneof that needs one.
  await client.POST("/v1/orders/{order_id}:redirect", { params, body: {} });
  // @ts-expect-error A member of a oneof has the wrong type.
  await client.POST("/v1/orders/{order_id}:redirect", { params, body: { pickupPoint: 1 } });
  // @ts-expect-error That is no stream.
  client.watch("/v1/orders/{order_id}", { params });
  // @ts-expect-error Where the stream goes on is said in `lastEventId` alone.
  client.watch("/v1/orders/{order_id}:watch", { params: { ...params, header: { "Last-Event-ID": "1" } } });
  const kept = await client.GET("/v1/users/{user_id}/profile", { params: { path: { user_id: "alice" } } });
  // @ts-expect-error After a 304 there is no document.
  kept.data.userId;
}
