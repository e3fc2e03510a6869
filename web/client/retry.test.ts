import assert from "node:assert/strict";
import { test } from "node:test";

import { pause, retrying, type Retry } from "./retry.js";

/** Sends a request to a server that answers with these statuses, and returns the status and the bodies that came to it. */
async function send(statuses: number[], init: RequestInit, retryAfter: string | undefined, retry: Retry) {
  const bodies: string[] = [];
  const fetch = retrying(async (request) => {
    const status = statuses[bodies.length] ?? 200;
    bodies.push(await request.text());
    return new Response(null, { status, headers: status < 400 || retryAfter === undefined ? {} : { "Retry-After": retryAfter } });
  }, retry);
  const { status } = await fetch(new Request("http://gateway.test/", init));
  return { status, bodies };
}

const get: RequestInit = {};
const post: RequestInit = { method: "POST", body: "B" };
const keyed: RequestInit = { ...post, headers: { "Idempotency-Key": '"1"' } };

const table: { name: string; statuses: number[]; init: RequestInit; after?: string; retry?: Retry; want: number; tries: number }[] =
  [
    { name: "an answer", statuses: [200], init: get, after: "0", want: 200, tries: 1 },
    { name: "429", statuses: [429], init: get, after: "0", want: 200, tries: 2 },
    { name: "503", statuses: [503, 503], init: get, after: "0", want: 200, tries: 3 },
    { name: "too often", statuses: [503, 503, 503], init: get, after: "0", want: 503, tries: 3 },
    { name: "more tries", statuses: [503, 503, 503], init: get, after: "0", retry: { attempts: 3 }, want: 200, tries: 4 },
    { name: "another error", statuses: [500], init: get, after: "0", want: 500, tries: 1 },
    { name: "not asked to", statuses: [503], init: get, want: 503, tries: 1 },
    { name: "too long", statuses: [429], init: get, after: "31", want: 429, tries: 1 },
    { name: "a write that was refused, perhaps halfway", statuses: [429], init: post, after: "0", want: 429, tries: 1 },
    { name: "a write with a key that was refused", statuses: [429], init: keyed, after: "0", want: 200, tries: 2 },
    { name: "a date that is none", statuses: [429], init: get, after: "-1", want: 429, tries: 1 },
    { name: "a write that may have happened", statuses: [503], init: post, after: "0", want: 503, tries: 1 },
    { name: "a write with a key", statuses: [503], init: keyed, after: "0", want: 200, tries: 2 },
    { name: "a write that replaces", statuses: [503], init: { ...post, method: "PUT" }, after: "0", want: 200, tries: 2 },
  ];

for (const { name, statuses, init, after, retry, want, tries } of table) {
  test(name, async () => {
    const { status, bodies } = await send(statuses, init, after, retry ?? {});

    assert.equal(status, want);
    assert.deepEqual(bodies, Array(tries).fill(init.body ?? ""));
  });
}

test("a wait that timers do not know does not end at once", async () => {
  for (const milliseconds of [2 ** 31, Infinity]) {
    const controller = new AbortController();
    const waiting = pause(milliseconds, controller.signal);
    await pause(20);
    controller.abort(new Error("still waiting"));

    await assert.rejects(waiting, /still waiting/);
  }
});

test("an abort ends the wait", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const waiting = pause(3_600_000, controller.signal);
  controller.abort(reason);

  await assert.rejects(waiting, reason);
  await assert.rejects(pause(0, controller.signal), reason);
});
