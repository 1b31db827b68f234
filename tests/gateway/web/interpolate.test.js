import assert from "node:assert/strict";
import { test } from "node:test";

import { interpolate } from "../../../services/gateway/web/lib/interpolate.js";

test("gaps are filled by straight lines over the axis, not over the index", () => {
  assert.deepEqual(interpolate([0, 1, 4], [0, null, 8]), [0, 2, 8]);
  assert.deepEqual(interpolate([0, 1, 2, 3], [1, 2, null, 4]), [1, 2, 3, 4]);
});

test("nothing is made up before the first and after the last known value", () => {
  assert.deepEqual(interpolate([0, 1, 2, 3], [null, 5, 7, null]), [null, 5, 7, null]);
  assert.deepEqual(interpolate([0, 1], [null, null]), [null, null]);
  assert.deepEqual(interpolate([], []), []);
});
