import assert from "node:assert/strict";
import { test } from "node:test";
import { notices } from "./attention.js";
import type { About, State, Upstream } from "./types.js";

const rates = { per_second: 0, error_share: 0 };
const bound = { in_flight: 0, refused_per_second: 0 };
const about = { configuration: { hash: "12ab", loaded: "2026-01-01T00:00:00Z" } } as About;
const well: State = {
  time: "2026-01-01T00:00:01Z",
  ready: true,
  checks: [{ name: "serving", state: "ok", required: true }],
  cpu: { delay_ms: 0, target_ms: 5, refused_per_second: 0 },
  requests: bound,
  streams: bound,
  connections: bound,
  upstreams: [],
  routes: [],
  limits: [],
  cache: { hits_per_second: 0, misses_per_second: 0, bypasses_per_second: 0, rpcs: [] },
  log: { level: "info", configured: "info" },
  failures: [],
};

function order(change: Partial<Upstream>): State {
  const upstream = { name: "order", state: "ok", breaker: { state: "closed" }, in_flight: 0, last_10s: rates, last_1m: rates };
  return { ...well, upstreams: [{ ...upstream, ...change }] };
}

function texts(state: State, of = about): string[] {
  return notices(of, state).map(({ kind, text }) => `${kind}: ${text}`);
}

test("a gateway that is well needs no attention", () => {
  assert.deepEqual(
    texts(
      order({
        addresses: [
          { address: "a", state: "ready" },
          { address: "b", state: "idle" },
        ],
      }),
    ),
    [],
  );
});

test("an upstream says what is wrong once", () => {
  assert.deepEqual(
    texts(
      order({
        state: "unavailable",
        detail: "a is failing",
        breaker: { state: "open" },
        addresses: [{ address: "a", state: "failing" }],
      }),
    ),
    ["bad: Upstream order is unavailable: a is failing"],
  );
  assert.deepEqual(
    texts(
      order({
        addresses: [
          { address: "a", state: "ejected" },
          { address: "b", state: "ready" },
        ],
      }),
    ),
    ["warn: Upstream order: 1 address of 2 cannot be called"],
  );
});

test("breakers that are open, or held by an operator, are named", () => {
  const methods = [{ rpc: "order.v1.OrderService.GetOrder", state: "open" }];
  assert.deepEqual(texts(order({ breaker: { state: "closed", forced: true }, methods })), [
    "warn: An operator holds the breaker of order closed.",
    "warn: The breaker of order.v1.OrderService.GetOrder is open.",
  ]);
});

test("a check that is required is worse than one that is not, and than a drain", () => {
  const failed = { name: "keys", state: "waiting", detail: "for x", required: true };
  assert.deepEqual(texts({ ...well, checks: [failed, { name: "other", state: "waiting", required: false }] }), [
    "bad: Not ready: keys waiting, for x",
  ]);
  const drained = texts({
    ...well,
    ready: false,
    drained: well.time,
    checks: [{ name: "serving", state: "draining", required: true }],
  });
  assert.equal(drained.length, 1);
  assert.match(drained[0] ?? "", /^warn: An operator drained this gateway at /);
  assert.deepEqual(texts({ ...well, stopping: true }), ["bad: The gateway is stopping."]);
});

test("what operators changed, and what was refused, comes after what is broken", () => {
  const refused = { time: well.time, trigger: "SIGHUP", result: "refused", faults: ["a", "b"] };
  const state: State = {
    ...well,
    cpu: { ...well.cpu, refused_per_second: 3 },
    log: { level: "debug", configured: "info" },
    redis: { breaker: "open", trouble: ["NOAUTH"] },
  };
  assert.deepEqual(texts(state, { ...about, configuration: { ...about.configuration, last_reload: refused } }), [
    "bad: 3.0 requests per second are refused: the CPU is overloaded",
    "warn: Redis: NOAUTH",
    "warn: The last reload was refused (2 faults); the configuration before it is in use.",
    "warn: The log level is debug, instead of info.",
  ]);
});
