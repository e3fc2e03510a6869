import assert from "node:assert/strict";
import { test } from "node:test";
import { routeRows } from "./routes.js";
import type { About, State } from "./types.js";

const route = { method: "GET", rpc: "user.v1.UserService.GetUser", summary: "owner", policy: [] };
const rates = { per_second: 1, error_share: 0 };
const state = { in_flight: 0, last_10s: rates, last_1m: rates };

test("all routes are shown, with what goes on there, and then what matches none", () => {
  const about = {
    services: [
      {
        name: "user.v1.UserService",
        upstream: "user",
        routes: [
          { ...route, path: "/v1/users/{user_id}" },
          { ...route, path: "/v1/users" },
        ],
      },
      { name: "dashboard.v1.DashboardService", composite: true, routes: [{ ...route, path: "/v1/me/dashboard" }] },
    ],
  } as unknown as About;
  const routes = [
    { ...state, method: "GET", path: "" },
    { ...state, method: "GET", path: "/v1/users" },
  ];
  const rows = routeRows(about, { routes } as unknown as State);
  assert.deepEqual(
    rows.map(({ path, upstream, state, route }) => [path, upstream, state !== undefined, route !== undefined]),
    [
      ["/v1/users/{user_id}", "user", false, true],
      ["/v1/users", "user", true, true],
      ["/v1/me/dashboard", "composite", false, true],
      ["", "", true, false],
    ],
  );
  assert.match(rows[0]?.text ?? "", /GET \/v1\/users\/\{user_id\} user\.v1\.UserService\.GetUser owner/);
});
