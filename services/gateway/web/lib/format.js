/** Numbers and labels as text that people read. */

/** Shown in place of a number that is not known. */
export const NO_VALUE = "–";

const WHOLE_NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const COMPACT_NUMBER = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** From here on the last digits only flicker, and eight or more of them do not fit into a key figure. */
const COMPACT_FROM = 1e6;

/**
 * 1234 -> "1,234", 1234567 -> "1.2M".
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function formatCount(value) {
  if (value == null) return NO_VALUE;
  return value < COMPACT_FROM ? WHOLE_NUMBER.format(value) : COMPACT_NUMBER.format(value);
}

/**
 * 0.9421 -> "94.2 %". Only 1 itself is "100 %": a model that is wrong once in ten thousand is not perfect.
 * @param {number | null | undefined} share from 0 to 1
 * @param {number} [digits] after the point
 * @returns {string}
 */
export function formatPercent(share, digits = 1) {
  if (share == null) return NO_VALUE;
  if (share >= 1) return "100 %";
  const steps = 10 ** digits;
  const percent = Math.min(Math.round(share * 100 * steps), 100 * steps - 1) / steps;
  return `${percent.toFixed(digits)} %`;
}

/**
 * @param {number | null | undefined} value
 * @param {number} [digits] after the point
 * @returns {string}
 */
export function formatDecimal(value, digits = 3) {
  return value == null ? NO_VALUE : value.toFixed(digits);
}

/**
 * A rate with about three digits that mean something: "3.2", "32", "320".
 * @param {number | null | undefined} perSecond
 * @returns {string}
 */
export function formatRate(perSecond) {
  if (perSecond == null) return NO_VALUE;
  if (perSecond === 0) return "0";
  if (perSecond >= 100) return formatCount(perSecond);
  return perSecond.toFixed(perSecond >= 10 ? 0 : 1);
}

/**
 * A label in a sentence, where it could be read as a part of it.
 * @param {string | null} label
 * @returns {string}
 */
export function quote(label) {
  return `“${label}”`;
}
