import assert from "node:assert/strict";
import { test } from "node:test";
import { ProblemError } from "../client/problem.js";
import { loginOf } from "./session.js";

test("an error response says where to log in", () => {
  const at = (login: unknown, status = 401) => loginOf(new ProblemError({ status, login }, { status }), "/a?b");
  assert.equal(at("/auth/login"), "/auth/login?return_to=%2Fa%3Fb");
  assert.equal(at("/auth/login", 403), undefined);
  for (const elsewhere of [undefined, "", 1, "https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:0"]) {
    assert.equal(at(elsewhere), undefined, String(elsewhere));
  }
  assert.equal(loginOf(new TypeError("no response"), "/"), undefined);
});
