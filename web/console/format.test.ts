import assert from "node:assert/strict";
import { test } from "node:test";
import { count, latency, percent, plural, rate } from "./format.js";

test("rates keep three digits, and little is not nothing", () => {
  for (const [value, want] of [
    [0, "0"],
    [0.004, "<0.01"],
    [0.25, "0.25"],
    [7, "7.0"],
    [42.34, "42.3"],
    [99.96, "100"],
    [12_345.6, "12,346"],
  ] as const) {
    assert.equal(rate(value), want);
  }
});

test("neither nothing nor all is shown for what is not that", () => {
  for (const [part, want] of [
    [0, "0 %"],
    [0.0004, "<0.1 %"],
    [0.012, "1.2 %"],
    [0.5, "50 %"],
    [0.993, "99.3 %"],
    [0.99999, ">99.9 %"],
    [1, "100 %"],
  ] as const) {
    assert.equal(percent(part), want);
  }
});

test("latencies change their unit where they would have four digits", () => {
  for (const [value, want] of [
    [undefined, "–"],
    [0.04, "0.0 ms"],
    [9.94, "9.9 ms"],
    [9.95, "10 ms"],
    [999.4, "999 ms"],
    [999.6, "1.00 s"],
    [9_990, "9.99 s"],
    [12_345, "12.3 s"],
  ] as const) {
    assert.equal(latency(value), want);
  }
});

test("numbers agree with their nouns", () => {
  assert.equal(plural(1, "route"), "1 route");
  assert.equal(plural(0, "route"), "0 routes");
  assert.equal(plural(2, "address", "addresses"), "2 addresses");
  assert.equal(count(1_234_567), "1,234,567");
});
