import assert from "node:assert/strict";
import { test } from "node:test";

import { RANDOM_EVERY, mixInRandom } from "../../../services/gateway/web/lib/labelling-mix.js";

const numbered = (count, letter) => Array.from({ length: count }, (_, index) => ({ id: `${letter}${index}` }));
const ids = (predictions) => predictions.map(({ id }) => id);

test("every fifth place goes to an image that was drawn, in the order of the draw", () => {
  const { list, random } = mixInRandom(numbered(12, "u"), numbered(12, "r"), 12);
  assert.deepEqual(ids(list), ["u0", "u1", "u2", "u3", "r0", "u4", "u5", "u6", "u7", "r1", "u8", "u9"]);
  assert.deepEqual([...random], ids(numbered(12, "r")));
});

test("where one kind ends, the other goes on, and nobody is left out", () => {
  assert.deepEqual(ids(mixInRandom(numbered(6, "u"), numbered(1, "r"), 60).list), ["u0", "u1", "u2", "u3", "r0", "u4", "u5"]);
  assert.deepEqual(ids(mixInRandom(numbered(1, "u"), numbered(3, "r"), 60).list), ["u0", "r0", "r1", "r2"]);
  assert.deepEqual(mixInRandom(numbered(RANDOM_EVERY, "u"), [], 60), { list: numbered(RANDOM_EVERY, "u"), random: new Set() });
  assert.deepEqual(mixInRandom([], [], 60), { list: [], random: new Set() });
});
