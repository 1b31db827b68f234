import assert from "node:assert/strict";
import { test } from "node:test";

import { RateMeter } from "../../../services/gateway/web/lib/rate-meter.js";

function meterOf(...samples) {
  const meter = new RateMeter();
  for (const [images, now] of samples) meter.add(images, now);
  return meter;
}

test("one count is nothing to compare", () => {
  assert.equal(new RateMeter().perSecond(0), null);
  assert.equal(meterOf([5, 0]).perSecond(1000), null);
});

test("images per second between the first count and the last", () => {
  assert.equal(meterOf([0, 0], [10, 1000], [40, 2000]).perSecond(2000), 20);
});

test("only the last ten seconds count", () => {
  assert.equal(meterOf([0, 0], [1000, 1000], [1010, 11_000], [1020, 12_000]).perSecond(12_000), 10);
});

test("after four seconds without an image the rate is 0", () => {
  const meter = meterOf([0, 0], [10, 1000], [10, 4000]);
  assert.equal(meter.perSecond(5000), 10);
  assert.equal(meter.perSecond(5001), 0);
});

test("fewer images than before are another stream's", () => {
  assert.equal(meterOf([0, 0], [100, 1000], [3, 2000]).perSecond(2000), null);
});
