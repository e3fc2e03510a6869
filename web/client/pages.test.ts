import assert from "node:assert/strict";
import { test } from "node:test";

import type { OrderV1Order } from "@portico/client/schema";
import { createClient } from "./client.js";
import { nextPage } from "./pages.js";
import { ProblemError } from "./problem.js";
import { refuse, serve } from "./testserver.js";

test("all pages of a list are read, one after the other", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res, count) => {
    const link = count < 2 ? { Link: `</elsewhere?pageToken=${encodeURIComponent(`=&,>${count}`)}>; rel="next"` } : {};
    res.writeHead(200, { "Content-Type": "application/json", ...link });
    res.end(JSON.stringify({ orders: [{ orderId: `o${count}` }] }));
  });
  const client = createClient({ baseUrl, token: "T" });
  const params = { path: { user_id: "alice" }, query: { pageSize: 1 } };
  const orders: OrderV1Order[] = [];
  for await (const page of client.pages("/v1/users/{user_id}/orders", { params })) {
    orders.push(...(page.orders ?? []));
    assert.equal(requests.length, orders.length);
  }

  assert.deepEqual(
    orders.map((order) => order.orderId),
    ["o0", "o1", "o2"],
  );
  assert.deepEqual(
    requests.map((request) => request.url),
    ["", "&pageToken=%3D%26%2C%3E0", "&pageToken=%3D%26%2C%3E1"].map((token) => `/v1/users/alice/orders?pageSize=1${token}`),
  );
  assert.equal(requests[2]?.headers.authorization, "Bearer T");
});

test("all pages have the selected fields", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res, count) => {
    // As the gateway writes it, with all parameters of the request.
    const link = count < 1 ? { Link: '</v1/users/alice/orders?fields=orders.orderId&fields=orders.labels.gift&pageToken=n>; rel="next"' } : {};
    res.writeHead(200, { "Content-Type": "application/json", ...link });
    res.end(JSON.stringify({ orders: [{ orderId: `o${count}` }] }));
  });
  const list = createClient({ baseUrl }).pages("/v1/users/{user_id}/orders", {
    params: { path: { user_id: "alice" }, query: { fields: ["orders.orderId", "orders.labels.gift"] } },
  });
  for await (const page of list) {
    assert.equal(page.orders?.[0]?.orderId, `o${requests.length - 1}`);
    assert.equal(page.orders?.[0]?.labels?.gift, undefined);
    // @ts-expect-error It is not selected.
    assert.equal(page.totalSize, undefined);
  }

  assert.deepEqual(
    requests.map(({ url }) => new URL(url ?? "", baseUrl).search),
    ["", "&pageToken=n"].map((token) => `?fields=orders.orderId&fields=orders.labels.gift${token}`),
  );
});

test("the error of a page ends the list", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => refuse(res, 403, "PERMISSION_DENIED"));

  await assert.rejects(createClient({ baseUrl }).pages("/v1/users").next(), ProblemError);
});

test("only routes with pages have them", () => {
  const client = createClient({ baseUrl: "http://127.0.0.1" });
  // @ts-expect-error It is not a list.
  client.pages("/v1/me/dashboard");
  // @ts-expect-error The path variable is missing.
  client.pages("/v1/users/{user_id}/orders");
});

for (const [link, want] of [
  ["", undefined],
  ['</a?pageToken=x>; rel="next"', { pageToken: "x" }],
  ["</a?page_token=x&pageSize=1>; rel=next", { page_token: "x" }],
  ['</a?pageToken=p>; rel="prev", <https://b/a,b?pageToken=n>; title="a, b"; rel="next"', { pageToken: "n" }],
  ['</a?pageToken=x>; rel="nextish"', undefined],
  ['</a?cursor=x>; rel="next"', undefined],
] as const) {
  test(`the next page of ${link || "no link"}`, () => {
    assert.deepEqual(nextPage(new Response(null, { headers: link ? { Link: link } : {} })), want);
  });
}
