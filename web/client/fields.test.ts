import assert from "node:assert/strict";
import { test } from "node:test";

import type { DashboardV1DashboardFields } from "@portico/client/schema";
import { createClient } from "./client.js";
import type { FieldPath, Selected } from "./fields.js";
import { answer, serve, sse } from "./testserver.js";

test("the fields of a response are selected, and are those of its type", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res) => answer(res, { user: { displayName: "Alice" } }));
  const { data } = await createClient({ baseUrl }).GET("/v1/me/dashboard", {
    params: { query: { orderCount: 1, fields: ["user.displayName", "orders.items.unitPrice.units", "profile"] } },
  });

  assert.equal(data.user?.displayName, "Alice");
  assert.equal(data.orders?.[0]?.items?.[0]?.unitPrice?.units, undefined);
  assert.equal(data.profile?.userId, undefined);
  assert.equal(data.partialErrors?.length, undefined);
  // @ts-expect-error It is not selected.
  assert.equal(data.user?.userId, undefined);
  // @ts-expect-error It is not selected.
  assert.equal(data.orders?.[0]?.orderId, undefined);

  const url = new URL(requests[0]?.url ?? "", baseUrl);
  assert.deepEqual(url.searchParams.getAll("fields"), ["user.displayName", "orders.items.unitPrice.units", "profile"]);
});

test("only fields that exist can be selected", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => answer(res, {}));
  const client = createClient({ baseUrl });
  // @ts-expect-error There is no such field.
  await client.GET("/v1/me/dashboard", { params: { query: { fields: ["user.name"] } } });
  const fields: DashboardV1DashboardFields[] = ["user.userId"];
  const { data } = await client.GET("/v1/me/dashboard", { params: { query: { fields } } });
  assert.equal(data.user?.userId, undefined);
  const constant = ["user.userId"] as const;
  const own = await client.GET("/v1/me/dashboard", { params: { query: { fields: constant } } });
  assert.equal(own.data.user?.userId, undefined);
  // @ts-expect-error It is not selected.
  assert.equal(own.data.profile, undefined);
  const all = await client.GET("/v1/me/dashboard", { params: { query: { fields: ["*"] } } });
  assert.equal(all.data.user?.userId, undefined);
});

test("an empty list is not sent, and the response is complete", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res) => answer(res, { user: { displayName: "Alice" } }));
  const client = createClient({ baseUrl });
  const { data } = await client.GET("/v1/me/dashboard", { params: { query: { fields: [] } } });
  assert.equal(data.user?.displayName, "Alice");
  const none = [] as const;
  const own = await client.GET("/v1/me/dashboard", { params: { query: { fields: none } } });
  assert.equal(own.data.user?.displayName, "Alice");
  assert.deepEqual(
    requests.map(({ url }) => url),
    ["/v1/me/dashboard", "/v1/me/dashboard"],
  );
});

test("entries of maps are selected by their keys", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res) => answer(res, { labels: { "a.b": "1" }, items: [{ attributes: { size: "L" } }] }));
  const { data } = await createClient({ baseUrl }).GET("/v1/orders/{order_id}", {
    params: { path: { order_id: "o1" }, query: { fields: ["labels.`a.b`", "labels.gift", "items.attributes.size", "items.attributes.colour"] } },
  });

  assert.equal(data?.labels?.["a.b"], "1");
  assert.equal(data?.labels?.gift, undefined);
  assert.equal(data?.items?.[0]?.attributes?.size, "L");
  // @ts-expect-error It is not selected.
  assert.equal(data?.labels?.note, undefined);
  // @ts-expect-error It is not selected.
  assert.equal(data?.items?.[0]?.sku, undefined);

  const all = await createClient({ baseUrl }).GET("/v1/orders/{order_id}", {
    params: { path: { order_id: "o1" }, query: { fields: ["labels.*"] } },
  });
  assert.equal(all.data?.labels?.["note"], undefined);
  const query = new URL(requests[0]?.url ?? "", baseUrl).searchParams;
  assert.deepEqual(query.getAll("fields").slice(0, 2), ["labels.`a.b`", "labels.gift"]);
});

test("fields of the values of a map are selected", () => {
  type Prices = { prices?: { [key: string]: { units?: string; nanos?: number } } };
  const every: Selected<Prices, "prices.*.units"> = { prices: { EUR: { units: "1" } } };
  assert.equal(every.prices?.["EUR"]?.units, "1");
  // @ts-expect-error It is not selected.
  assert.equal(every.prices?.["EUR"]?.nanos, undefined);
  const one: Selected<Prices, "prices.EUR.units"> = every;
  assert.equal(one.prices?.EUR?.units, "1");
  // @ts-expect-error It is not selected.
  assert.equal(one.prices?.USD, undefined);
  const path: FieldPath<"prices" | "prices.*" | "prices.*.units"> = "prices.EUR.units";
  assert.ok(path);
});

test("fields may be one text, and then any may be missing", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res) => answer(res, { orders: [{ orderId: "o1" }] }));
  const text: string = "orders(orderId,total),user";
  const { data } = await createClient({ baseUrl }).GET("/v1/me/dashboard", { params: { query: { fields: text } } });

  assert.equal(data.orders?.[0]?.orderId, "o1");
  assert.equal(new URL(requests[0]?.url ?? "", baseUrl).searchParams.get("fields"), text);
});

test("fields that may be undefined do not narrow the response", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => answer(res, {}));
  const query: { fields?: ["user.displayName"] } = {};
  const { data } = await createClient({ baseUrl }).GET("/v1/me/dashboard", { params: { query } });
  const user: { displayName?: string } | undefined = data.user;
  assert.equal(user, undefined);
});

test("the messages of a stream have the selected fields", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res) => {
    sse(res, 'id: 1\ndata: {"status":"ORDER_STATUS_PAID"}', "event: end\ndata: {}");
    res.end();
  });
  const client = createClient({ baseUrl });
  const path = { order_id: "o1" };
  for await (const change of client.watch("/v1/orders/{order_id}:watch", { params: { path, query: { fields: ["status"] } }, resume: true })) {
    assert.equal(change.status, "ORDER_STATUS_PAID");
    // @ts-expect-error It is not selected.
    assert.equal(change.sequence, undefined);
  }
  for await (const change of client.watch("/v1/orders/{order_id}:watch", { params: { path } })) {
    assert.equal(change.sequence, undefined);
  }
  assert.deepEqual(
    requests.map(({ url }) => url),
    ["/v1/orders/o1:watch?fields=status", "/v1/orders/o1:watch"],
  );

  // @ts-expect-error There is no such field.
  client.watch("/v1/orders/{order_id}:watch", { params: { path, query: { fields: ["stauts"] } } });
  // @ts-expect-error There is no such parameter.
  client.watch("/v1/orders/{order_id}:watch", { params: { path, query: { feilds: ["status"] } } });
  // @ts-expect-error The path variable is missing.
  client.watch("/v1/orders/{order_id}:watch", { params: { query: { fields: ["status"] } } });
});
