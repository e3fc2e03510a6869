import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { deadAfter, type Freshness, Live, retryAfter, type Source, staleAfter } from "./live.js";

/** A connection that a test plays the gateway of. */
class Fake implements Source {
  closed = false;
  readonly #listeners = new Map<string, (event: { data?: unknown }) => void>();

  addEventListener(type: string, listener: (event: { data?: unknown }) => void): void {
    this.#listeners.set(type, listener);
  }

  close(): void {
    this.closed = true;
  }

  send(type: string, data?: unknown): void {
    this.#listeners.get(type)?.({ data: JSON.stringify(data) });
  }
}

function following(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const sources: Fake[] = [];
  const states: unknown[] = [];
  const freshness: Freshness[] = [];
  const open = () => {
    const source = new Fake();
    sources.push(source);
    return source;
  };
  const live = new Live(open, { state: (data) => states.push(data) }, (now) => freshness.push(now));
  const source = () => sources.at(-1) as Fake;
  return { live, sources, source, states, freshness, tick: (milliseconds: number) => t.mock.timers.tick(milliseconds) };
}

test("a state makes the page live, and a second without any makes it stale only later", (t) => {
  const { live, source, states, freshness, tick } = following(t);
  live.start();
  live.start();
  source().send("state", { at: 1 });
  tick(staleAfter - 1);
  source().send("state", { at: 2 });
  tick(staleAfter - 1);
  assert.deepEqual(freshness, ["connecting", "live"]);
  tick(1);
  assert.deepEqual(freshness, ["connecting", "live", "stale"]);
  source().send("state", { at: 3 });
  assert.deepEqual(freshness.at(-1), "live");
  assert.deepEqual(states, [{ at: 1 }, { at: 2 }, { at: 3 }]);
});

test("a connection that ends is stale at once and made again until it works", (t) => {
  const { live, sources, source, freshness, tick } = following(t);
  live.start();
  source().send("state", {});
  source().send("error");
  assert.equal(freshness.at(-1), "stale");
  assert.equal(source().closed, true);
  for (const attempt of [2, 3]) {
    tick(retryAfter);
    assert.equal(sources.length, attempt);
    source().send("error");
  }
  tick(retryAfter);
  source().send("state", {});
  assert.deepEqual(freshness, ["connecting", "live", "stale", "live"]);
  assert.equal(sources.length, 4);
});

test("a connection that says nothing is given up", (t) => {
  const { live, sources, source, tick } = following(t);
  live.start();
  source().send("state", {});
  tick(staleAfter);
  tick(deadAfter - staleAfter);
  assert.equal(sources.length, 2);
  assert.equal(sources[0]?.closed, true);
  tick(staleAfter);
  tick(deadAfter - staleAfter);
  assert.equal(sources.length, 3);
});

test("what a connection says after its end is not shown", (t) => {
  const { live, sources, source, states, tick } = following(t);
  live.start();
  source().send("error");
  tick(retryAfter);
  sources[0]?.send("state", { old: true });
  sources[0]?.send("error");
  assert.deepEqual(states, []);
  assert.equal(source().closed, false);
});

test("a page that nobody looks at has no connection", (t) => {
  const { live, sources, source, freshness, tick } = following(t);
  live.start();
  source().send("state", {});
  live.pause();
  assert.equal(source().closed, true);
  tick(deadAfter);
  assert.equal(sources.length, 1);
  live.start();
  source().send("state", {});
  assert.deepEqual(freshness, ["connecting", "live", "paused", "connecting", "live"]);
});
