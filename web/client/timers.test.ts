import assert from "node:assert/strict";
import { test } from "node:test";

import { pause, withTimeout } from "./timers.js";

/** Settles only with its signal. */
const never = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

test("a delay that setTimeout does not know is not over at once", async () => {
  for (const milliseconds of [2 ** 31, Infinity]) {
    const controller = new AbortController();
    const waiting = pause(milliseconds, controller.signal);
    const limited = withTimeout(milliseconds, controller.signal, never);
    await pause(20);
    controller.abort(new Error("still waiting"));

    await assert.rejects(waiting, /still waiting/);
    await assert.rejects(limited, /still waiting/);
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

test("a call that takes too long is aborted, and rejected even if it ignores that", async () => {
  let seen: AbortSignal | undefined;
  const deaf = (signal: AbortSignal) => {
    seen = signal;
    return new Promise<never>(() => {});
  };

  await assert.rejects(withTimeout(1, undefined, deaf), { name: "TimeoutError", message: "no response within 1 ms" });
  assert.equal(seen?.aborted, true);
});

test("after a call has settled, only the caller aborts its signal", async () => {
  const controller = new AbortController();
  const signal = await withTimeout(10, controller.signal, async (signal) => signal);
  await pause(30);

  assert.equal(signal.aborted, false);
  controller.abort(new Error("enough"));
  assert.equal(signal.aborted, true);
});
