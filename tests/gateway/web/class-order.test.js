import assert from "node:assert/strict";
import { test } from "node:test";

import { ClassOrder, NUMBER_KEYS, assignKeys } from "../../../services/gateway/web/lib/class-order.js";

const ELEVEN = Array.from({ length: NUMBER_KEYS.length + 1 }, (_, index) => `class ${index}`);

test("the first classes stand in natural order, later ones behind them, with the keys they had", () => {
  const order = new ClassOrder();
  order.update("s", ["ring", "bar"]);
  const { labels, keys } = order.update("s", ["apple", "bar", "ring"]);
  assert.deepEqual(labels, ["bar", "ring", "apple"]);
  assert.deepEqual([...keys], [["bar", "1"], ["ring", "2"], ["apple", "3"]]);
});

test("a class that goes leaves its key free until it comes back", () => {
  const order = new ClassOrder();
  order.update("s", ["a", "b"]);
  assert.deepEqual(order.update("s", ["b"]).labels, ["b"]);
  assert.equal(order.update("s", ["b"]).keys.get("b"), "2");
  assert.deepEqual(order.update("s", ["a", "b"]).labels, ["a", "b"]);
});

test("streams have orders of their own", () => {
  const order = new ClassOrder();
  order.update("one", ["b"]);
  assert.deepEqual(order.update("other", ["b", "a"]).labels, ["a", "b"]);
});

test("of more classes than keys none has a key of its own, as the first look decides", () => {
  const order = new ClassOrder();
  assert.equal(order.update("many", ELEVEN).keys, null);
  assert.equal(order.update("many", ["class 1"]).keys, null);
  assert.equal(order.update("ten", ELEVEN.slice(1)).keys.size, 10);
  assert.notEqual(order.update("few", ["a"]).keys, null);
  assert.equal(order.update("few", ["a", ...ELEVEN]).keys.size, NUMBER_KEYS.length);
});

test("a look at a stream without classes decides nothing", () => {
  const order = new ClassOrder();
  assert.deepEqual(order.update("s", []).labels, []);
  assert.equal(order.update("s", ELEVEN).keys, null);
});

test("digits have their own keys, the others take what is left in order", () => {
  assert.deepEqual([...assignKeys(["cat", "1", "dog", "0"])], [["cat", "1"], ["1", "2"], ["dog", "3"], ["0", "0"]]);
  assert.deepEqual([...assignKeys(["0", "1", "2", "cat"])], [["0", "0"], ["1", "1"], ["2", "2"], ["cat", "3"]]);
});

test("there are ten keys, and 0 is the last", () => {
  const keys = assignKeys(ELEVEN);
  assert.equal(keys.size, 10);
  assert.equal(keys.get("class 9"), "0");
  assert.equal(keys.has("class 10"), false);
});
