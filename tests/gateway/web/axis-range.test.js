import assert from "node:assert/strict";
import { test } from "node:test";

import { axisRange } from "../../../services/gateway/web/lib/axis-range.js";

const CASES = [
  { low: 0.985, high: 0.995, range: [0.98, 1] },
  { low: 0.41, high: 0.58, range: [0.35, 0.6] },
  { low: 1, high: 1, range: [0.98, 1] },
  { low: 0, high: 1, range: [0, 1] },
  { low: 0, high: 0, range: [0, 0.02] },
];

function near(actual, expected) {
  actual.forEach((value, index) => assert.ok(Math.abs(value - expected[index]) < 1e-9, `${actual} is not ${expected}`));
}

for (const { low, high, range } of CASES) {
  test(`accuracies from ${low} to ${high} are shown from ${range[0]} to ${range[1]}`, () => {
    // The first twentieth, here the values 0 and 0.5, is not looked at.
    near(axisRange([[0, 0.5, ...Array(20).fill(low), ...Array(20).fill(high), null]]), range);
  });
}

test("without a value the axis is whole", () => {
  assert.deepEqual(axisRange([]), [0, 1]);
  assert.deepEqual(axisRange([[null, null]]), [0, 1]);
});

test("all curves fit", () => {
  const [bottom, top] = axisRange([Array(30).fill(0.7), Array(30).fill(0.9)]);
  assert.ok(bottom < 0.7 && top > 0.9);
});

test("more points than a call may have arguments are no problem", () => {
  near(axisRange([Array(200_000).fill(0.5)]), [0.485, 0.505]);
});
