import assert from "node:assert/strict";
import { test } from "node:test";

import { poolPoints } from "../../../services/gateway/web/lib/reliability.js";

const point = (confidence, accuracy, count) => ({ confidence, accuracy, count });

test("points with enough predictions stay as they are", () => {
  const points = [point(0.5, 0.4, 30), point(0.9, 0.95, 300)];
  assert.deepEqual(poolPoints(points), points);
});

test("neighbours with too few are pooled, weighted by their predictions", () => {
  const [first, second, ...more] = poolPoints([point(0.2, 0, 10), point(0.5, 1, 30), point(0.9, 0.9, 100)]);
  assert.deepEqual(more, []);
  assert.equal(first.count, 40);
  assert.ok(Math.abs(first.confidence - 0.425) < 1e-12);
  assert.ok(Math.abs(first.accuracy - 0.75) < 1e-12);
  assert.deepEqual(second, point(0.9, 0.9, 100));
});

test("what is left over joins the last, or stands alone where it is all there is", () => {
  const [only, ...none] = poolPoints([point(0.5, 0.5, 60), point(1, 1, 20)]);
  assert.deepEqual(none, []);
  assert.deepEqual([only.count, only.confidence], [80, 0.625]);
  assert.deepEqual(poolPoints([point(0.5, 1, 2), point(0.7, 0, 2)]), [point(0.6, 0.5, 4)]);
  assert.deepEqual(poolPoints([]), []);
});
