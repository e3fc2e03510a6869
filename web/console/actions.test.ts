import assert from "node:assert/strict";
import { test } from "node:test";
import { drainAddress, drainGateway, purge, reload, setBreaker, setLogLevel } from "./actions.js";
import type { State, Upstream } from "./types.js";

const rates = { per_second: 0, error_share: 0 };
const order: Upstream = {
  name: "order",
  state: "ok",
  breaker: { state: "closed" },
  in_flight: 0,
  last_10s: rates,
  last_1m: rates,
};

test("a breaker is set for the upstream, and says which", () => {
  const action = setBreaker(order);
  assert.deepEqual(
    action.fields.map(({ name }) => name),
    ["state"],
  );
  assert.deepEqual(action.body({ state: "open" }), { upstream: "order", state: "open" });
  assert.match(action.effect({ state: "open" }), /upstream order: every call to it is refused/);
  assert.notEqual(action.effect({ state: "auto" }), action.effect({ state: "closed" }));
});

test("a breaker of a method is offered if there is one", () => {
  const rpc = "order.v1.OrderService.GetOrder";
  const action = setBreaker({ ...order, breaker: { state: "open", forced: true }, methods: [{ rpc, state: "closed" }] });
  assert.deepEqual(action.fields[0]?.options, [
    ["", "all of order"],
    [rpc, rpc],
  ]);
  assert.equal(action.fields[1]?.value, "auto", "what is held is let go first");
  assert.deepEqual(action.body({ rpc, state: "auto" }), { upstream: "order", rpc, state: "auto" });
  assert.deepEqual(action.body({ rpc: "", state: "auto" }), { upstream: "order", state: "auto" });
  assert.match(action.effect({ rpc, state: "auto" }), /order\.v1\.OrderService\.GetOrder/);
});

test("drains name what they are about", () => {
  const address = drainAddress("order", "10.0.0.1:9000", true);
  assert.deepEqual(address.body({}), { upstream: "order", address: "10.0.0.1:9000", drained: true });
  assert.match(address.effect({}), /10\.0\.0\.1:9000 of the upstream order/);
  assert.deepEqual(drainGateway(false).body({}), { drained: false });
});

test("a log level has a time, but for the configured one", () => {
  const action = setLogLevel({ log: { level: "info", configured: "info" } } as State);
  assert.deepEqual(action.body({ level: "debug", for: "1h" }), { level: "debug", for: "1h" });
  assert.match(action.effect({ level: "debug", for: "1h" }), /from debug upwards for 1 hour, then from info again/);
  assert.deepEqual(action.body({ level: "", for: "1h" }), {});
});

test("a purge names the tag", () => {
  assert.deepEqual(purge().body({ tag: "order:1" }), { tag: "order:1" });
  assert.match(purge().effect({ tag: "order:1" }), /the tag order:1 are not served/);
  assert.deepEqual(reload().body({}), {});
});
