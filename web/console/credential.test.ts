import assert from "node:assert/strict";
import { test } from "node:test";
import { Credential } from "./credential.js";

test("a credential is taken out of the fragment", () => {
  for (const [fragment, value, rest] of [
    ["", "", ""],
    ["#routes", "", "#routes"],
    ["#credential=s3cret", "s3cret", ""],
    ["#credential=a+b/c%3D%25", "a+b/c=%", ""],
    ["#credential=50%", "50%", ""],
    ["#routes&credential=x=y", "x=y", "#routes"],
    ["#credential=x&credential=y", "x", ""],
  ] as const) {
    const credential = new Credential();
    assert.equal(credential.take(fragment), rest, fragment);
    assert.equal(credential.value, value, fragment);
  }
});

test("a credential that is refused is forgotten", () => {
  const credential = new Credential();
  credential.set("wrong");
  credential.clear();
  assert.equal(credential.value, "");
});
