import assert from "node:assert/strict";
import { test } from "node:test";

import { RANDOM_EVERY, mixInRandom } from "../../../services/gateway/web/lib/labelling-mix.js";

const named = (...ids) => ids.map((id) => ({ id }));
const numbered = (count, letter) => named(...Array.from({ length: count }, (_, index) => `${letter}${index}`));
const ids = (predictions) => predictions.map(({ id }) => id);

test("every fifth place goes to an image that was drawn, in the order of the draw", () => {
  const { list, random } = mixInRandom(numbered(12, "u"), numbered(12, "r"));
  assert.deepEqual(ids(list), ["u0", "u1", "u2", "u3", "r0", "u4", "u5", "u6", "u7", "r1", "u8", "u9"]);
  assert.deepEqual([...random], ["r0", "r1"]);
});

test("an image that was drawn stands as drawn, once, though it is uncertain too", () => {
  const { list, random } = mixInRandom(named("a", "b", "c", "d", "e"), named("a", "x", "y", "z", "w"));
  assert.deepEqual(ids(list), ["b", "c", "d", "e", "a"]);
  assert.deepEqual([...random], ["a"]);
});

test("of a few images none is drawn, and the order of doubt stays", () => {
  const few = numbered(RANDOM_EVERY - 1, "u");
  assert.deepEqual(mixInRandom(few, numbered(4, "r")), { list: few, random: new Set() });
  assert.deepEqual(mixInRandom([], []), { list: [], random: new Set() });
});

test("where fewer could be drawn than were wanted, the others fill the list", () => {
  const { list, random } = mixInRandom(numbered(10, "u"), named("r0"));
  assert.deepEqual(ids(list), ["u0", "u1", "u2", "u3", "r0", "u4", "u5", "u6", "u7", "u8"]);
  assert.deepEqual([...random], ["r0"]);
});
