import assert from "node:assert/strict";
import { test } from "node:test";
import { matches, sorted } from "./order.js";

const rows = [
  { path: "/b", rate: 1 },
  { path: "/a", rate: 1 },
  { path: "/c", rate: 30 },
];
const value = (row: (typeof rows)[number], column: string) => (column === "path" ? row.path : row.rate);
const paths = (column: string, down: boolean) => sorted(rows, { column, down }, value).map(({ path }) => path);

test("rows are sorted by text and by number", () => {
  assert.deepEqual(paths("path", false), ["/a", "/b", "/c"]);
  assert.deepEqual(paths("path", true), ["/c", "/b", "/a"]);
  assert.deepEqual(paths("rate", true), ["/c", "/b", "/a"]);
});

test("rows that are equal do not change places", () => {
  assert.deepEqual(paths("rate", false), ["/b", "/a", "/c"]);
});

test("without an order rows stay as they came", () => {
  assert.deepEqual(
    sorted(rows, undefined, value).map(({ path }) => path),
    ["/b", "/a", "/c"],
  );
});

test("a query is words in any order and case", () => {
  const route = "GET /v1/users/{user_id} user.v1.UserService/GetUser";
  for (const query of ["", "  ", "userservice get", "GET /v1/users", "{user_id}"]) {
    assert.equal(matches(route, query), true, query);
  }
  assert.equal(matches(route, "user order"), false);
});
