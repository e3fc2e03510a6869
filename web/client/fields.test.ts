import assert from "node:assert/strict";
import { test } from "node:test";

import type { DashboardV1DashboardFields } from "@portico/client/schema";
import { createClient } from "./client.js";
import { answer, serve } from "./testserver.js";

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
  const all = await client.GET("/v1/me/dashboard", { params: { query: { fields: ["*"] } } });
  assert.equal(all.data.user?.userId, undefined);
});
