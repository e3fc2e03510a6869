import assert from "node:assert/strict";
import { test } from "node:test";
import { Histories, History, line, samples } from "./history.js";

test("a history is as long as its window", () => {
  const history = new History();
  for (let i = 0; i < samples + 5; i++) {
    history.push(i);
  }
  assert.equal(history.values.length, samples);
  assert.deepEqual([history.values[0], history.values.at(-1)], [5, samples + 4]);
});

test("a route that is gone has no history when it comes back", () => {
  const histories = new Histories();
  histories.push([
    ["a", 1],
    ["b", 1],
  ]);
  histories.push([["a", 2]]);
  histories.push([
    ["a", 3],
    ["b", 3],
  ]);
  assert.deepEqual(histories.of("a"), [1, 2, 3]);
  assert.deepEqual(histories.of("b"), [3]);
  assert.deepEqual(histories.of("c"), []);
  histories.clear();
  assert.deepEqual(histories.of("a"), []);
});

test("the newest value is at the right and the largest at the top", () => {
  assert.equal(line([0, 5, 10], samples - 1, 20), "M57 20L58 10L59 0");
});

test("nothing but zeros lie at the bottom", () => {
  assert.equal(line([0, 0], samples - 1, 20), "M58 20L59 20");
});

test("one value is no line", () => {
  assert.equal(line([], 10, 10), "");
  assert.equal(line([1], 10, 10), "");
});
