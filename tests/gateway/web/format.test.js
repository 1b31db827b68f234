import assert from "node:assert/strict";
import { test } from "node:test";

import {
  NO_VALUE, formatCount, formatDecimal, formatPercent, formatRate, quote,
} from "../../../services/gateway/web/lib/format.js";

test("what is not known is a dash", () => {
  for (const format of [formatCount, formatDecimal, formatPercent, formatRate]) {
    assert.equal(format(null), NO_VALUE);
    assert.equal(format(undefined), NO_VALUE);
    assert.notEqual(format(0), NO_VALUE);
  }
});

test("counts are grouped, and short from a million on", () => {
  const texts = [0, 999, 1234, 999_999, 1_000_000, 1_234_567].map(formatCount);
  assert.deepEqual(texts, ["0", "999", "1,234", "999,999", "1M", "1.2M"]);
});

test("a near miss is never rounded up to 100 %", () => {
  assert.equal(formatPercent(0.99999), "99.9 %");
  assert.equal(formatPercent(0.9999, 0), "99 %");
  assert.equal(formatPercent(1), "100 %");
  assert.equal(formatPercent(1, 0), "100 %");
});

test("shares are rounded to the digits that are asked for", () => {
  assert.equal(formatPercent(0.94214), "94.2 %");
  assert.equal(formatPercent(0.94214, 0), "94 %");
  assert.equal(formatPercent(0), "0.0 %");
});

test("decimals have three digits", () => {
  assert.equal(formatDecimal(0.12345), "0.123");
  assert.equal(formatDecimal(-0.5, 1), "-0.5");
});

test("rates show about as many digits as mean something", () => {
  assert.deepEqual([0, 3.21, 10, 32.1, 100, 1234].map(formatRate), ["0", "3.2", "10", "32", "100", "1,234"]);
});

test("labels are quoted", () => assert.equal(quote("a dog"), "“a dog”"));
