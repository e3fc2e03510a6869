import assert from "node:assert/strict";
import { test } from "node:test";
import { timing } from "./timing.js";

test("calls are in the order in which they began", () => {
  const header =
    'total;dur=30.1, profile;desc="profile.v1.ProfileService/GetProfile";dur=6.9;start=7.5, ' +
    'order;desc="order.v1.OrderService/GetOrder";dur=6.0;start=0.8, user;desc="user.v1.UserService/GetUser";dur=1.0;start=-2.5';
  assert.deepEqual(timing(header), {
    total: 30.1,
    calls: [
      { upstream: "user", rpc: "user.v1.UserService/GetUser", start: -2.5, duration: 1 },
      { upstream: "order", rpc: "order.v1.OrderService/GetOrder", start: 0.8, duration: 6 },
      { upstream: "profile", rpc: "profile.v1.ProfileService/GetProfile", start: 7.5, duration: 6.9 },
    ],
  });
});

test("a call that has failed has a code", () => {
  const header = 'total;dur=9.0, order;desc="order.v1.OrderService/ListOrders";dur=6.0;start=0.8;code=UNAVAILABLE';
  assert.deepEqual(timing(header)?.calls, [
    { upstream: "order", rpc: "order.v1.OrderService/ListOrders", start: 0.8, duration: 6, code: "UNAVAILABLE" },
  ]);
});

test("metrics of proxies are left out", () => {
  const header = 'cdn-cache; desc="HIT, \\"near\\"; start=1", edge;dur=1, total;dur=2.0 , miss, user;DUR="1.5" ; start=0.5';
  assert.deepEqual(timing(header), { total: 2, calls: [{ upstream: "user", rpc: "user", start: 0.5, duration: 1.5 }] });
});

test("without a total there is no timing", () => {
  for (const header of [null, "", "cdn;dur=3", "total", "total;dur=soon"]) {
    assert.equal(timing(header), undefined);
  }
});
