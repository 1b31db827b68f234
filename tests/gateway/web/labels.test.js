import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_BARS, rankLabels, sortNaturally } from "../../../services/gateway/web/lib/labels.js";

const LETTERS = [..."abcdefghijklm"];

test("numbers stand in the order of their values, and the argument stays as it is", () => {
  const labels = ["10", "b", "2", "a"];
  assert.deepEqual(sortNaturally(labels), ["2", "10", "a", "b"]);
  assert.deepEqual(labels, ["10", "b", "2", "a"]);
});

test("up to ten classes keep their places, whatever their probabilities", () => {
  assert.deepEqual(rankLabels(["b", "a"], { c: 0.9, b: 0.1 }), ["a", "b", "c"]);
  assert.deepEqual(rankLabels(LETTERS.slice(0, MAX_BARS), { j: 1 }), LETTERS.slice(0, MAX_BARS));
});

test("of more, the most probable come first and the others behind them in natural order", () => {
  assert.deepEqual(rankLabels(LETTERS, { m: 0.2, k: 0.7 }), ["k", "m", ...LETTERS.filter((label) => !"km".includes(label))]);
});

test("of more, only ten are moved to the front", () => {
  const probabilities = Object.fromEntries(LETTERS.map((label, index) => [label, index]));
  assert.deepEqual(rankLabels([], probabilities), [..."mlkjihgfed", ..."abc"]);
});
