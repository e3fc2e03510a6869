import assert from "node:assert/strict";
import { test } from "node:test";

import { delayAfter, retrying, type RetryOptions } from "./retry.js";
import { NetworkError } from "./send.js";

/** Means no response, among statuses. */
const none = 0;

/** Sends a request to a server that responds with these statuses. Returns the status and the bodies that arrived. */
async function send(statuses: number[], init: RequestInit, retryAfter: string | undefined, retry: RetryOptions) {
  const bodies: string[] = [];
  const fetch = retrying(async (request) => {
    const status = statuses[bodies.length] ?? 200;
    bodies.push(await request.text());
    if (status === none) {
      throw new NetworkError(new TypeError("fetch failed"));
    }
    return new Response(null, { status, headers: status < 400 || retryAfter === undefined ? {} : { "Retry-After": retryAfter } });
  }, { minDelay: 0, ...retry });
  try {
    const { status } = await fetch(new Request("http://gateway.test/", init));
    return { status, bodies };
  } catch (error) {
    assert.ok(error instanceof NetworkError, `${error}`);
    return { status: none, bodies };
  }
}

const get: RequestInit = {};
const post: RequestInit = { method: "POST", body: "B" };
const keyed: RequestInit = { ...post, headers: { "Idempotency-Key": '"1"' } };

const table: { name: string; statuses: number[]; init: RequestInit; after?: string; retry?: RetryOptions; want: number; attempts: number }[] =
  [
    { name: "a success", statuses: [200], init: get, after: "0", want: 200, attempts: 1 },
    { name: "429", statuses: [429], init: get, after: "0", want: 200, attempts: 2 },
    { name: "503", statuses: [503, 503], init: get, after: "0", want: 200, attempts: 3 },
    { name: "too often", statuses: [503, 503, 503], init: get, after: "0", want: 503, attempts: 3 },
    { name: "more attempts", statuses: [503, 503, 503], init: get, after: "0", retry: { attempts: 4 }, want: 200, attempts: 4 },
    { name: "two attempts in total", statuses: [503, 503], init: get, after: "0", retry: { attempts: 2 }, want: 503, attempts: 2 },
    { name: "one attempt in total", statuses: [503], init: get, after: "0", retry: { attempts: 1 }, want: 503, attempts: 1 },
    { name: "attempts that are not set", statuses: [503, 503, 503], init: get, after: "0", retry: { attempts: undefined }, want: 503, attempts: 3 },
    { name: "no response", statuses: [none, none], init: get, want: 200, attempts: 3 },
    { name: "never a response", statuses: [none, none, none], init: get, want: none, attempts: 3 },
    { name: "no response to a write", statuses: [none], init: post, want: none, attempts: 1 },
    { name: "no response to a write with a key", statuses: [none], init: keyed, want: 200, attempts: 2 },
    { name: "another error", statuses: [500], init: get, after: "0", want: 500, attempts: 1 },
    { name: "not asked to", statuses: [503], init: get, want: 503, attempts: 1 },
    { name: "too long", statuses: [429], init: get, after: "31", want: 429, attempts: 1 },
    { name: "longer than maxDelay", statuses: [429], init: get, after: "1", retry: { maxDelay: 999 }, want: 429, attempts: 1 },
    { name: "not asked to, without a bound", statuses: [503], init: get, retry: { maxDelay: Infinity }, want: 503, attempts: 1 },
    { name: "a write that was refused, perhaps halfway", statuses: [429], init: post, after: "0", want: 429, attempts: 1 },
    { name: "a write with a key that was refused", statuses: [429], init: keyed, after: "0", want: 200, attempts: 2 },
    { name: "a Retry-After that is not valid", statuses: [429], init: get, after: "-1", want: 429, attempts: 1 },
    { name: "a write that may have happened", statuses: [503], init: post, after: "0", want: 503, attempts: 1 },
    { name: "a write with a key", statuses: [503], init: keyed, after: "0", want: 200, attempts: 2 },
    { name: "a write that replaces", statuses: [503], init: { ...post, method: "PUT" }, after: "0", want: 200, attempts: 2 },
  ];

for (const { name, statuses, init, after, retry, want, attempts } of table) {
  test(name, async () => {
    const { status, bodies } = await send(statuses, init, after, retry ?? {});

    assert.equal(status, want);
    assert.deepEqual(bodies, Array(attempts).fill(init.body ?? ""));
  });
}

const delays: { name: string; failures: number; requested?: number; options?: RetryOptions; least: number; most: number }[] = [
  { name: "the first delay", failures: 1, requested: 0, least: 125, most: 250 },
  { name: "a delay that has doubled", failures: 4, requested: 0, least: 1000, most: 2000 },
  { name: "the longest delay", failures: 9, requested: 0, least: 15_000, most: 30_000 },
  { name: "a delay of its own", failures: 2, requested: 0, options: { minDelay: 10, maxDelay: 15 }, least: 7.5, most: 15 },
  { name: "a delay that the gateway asks for", failures: 1, requested: 20_000, least: 20_000, most: 20_000 },
];

for (const { name, failures, requested, options, least, most } of delays) {
  test(`${name} is ${least} to ${most} ms`, () => {
    for (let i = 0; i < 100; i++) {
      const delay = delayAfter(failures, 10, requested, options ?? {});
      assert.ok(delay !== undefined && delay >= least && delay <= most, `${delay}`);
    }
  });
}
