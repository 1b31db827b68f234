/** Fills the gaps of a curve of which only some points are known. */

/**
 * The same values with straight lines over the gaps; before the first and after the last known value nothing is added.
 * @param {number[]} xs ascending
 * @param {(number | null)[]} values
 * @returns {(number | null)[]}
 */
export function interpolate(xs, values) {
  const filled = [...values];
  let before = -1;
  values.forEach((value, index) => {
    if (value === null) return;
    for (let gap = before + 1; before >= 0 && gap < index; gap++) {
      const share = (xs[gap] - xs[before]) / (xs[index] - xs[before]);
      filled[gap] = /** @type {number} */ (values[before]) * (1 - share) + value * share;
    }
    before = index;
  });
  return filled;
}
