/** Where an axis of accuracies begins and ends: near the data, so that small differences can be seen. */

/** This share of a curve is its beginning, where a handful of labels moves the accuracy from 0 to 1: it may be cut off. */
const BEGINNING = 0.05;
/** Distances between grid lines that read well as percentages. */
const STEPS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
/** Of more lines in the chart's height, people cannot tell which is which. */
const MAX_LINES = 6;
/** A curve that stands still would otherwise show the noise of its last digit as hills. */
const MIN_SPAN = 0.02;

/**
 * @param {(number | null)[][]} columns accuracies of 0 to 1 in the order of the labels, null where there is none
 * @returns {[number, number]}
 */
export function axisRange(columns) {
  const settled = columns.flatMap((column) => column.slice(Math.floor(column.length * BEGINNING)));
  const values = settled.filter((value) => value !== null);
  if (values.length === 0) return [0, 1];
  // Not Math.min(...values): a spread of every point of every model can exceed the engine's limit on arguments.
  const low = values.reduce((smaller, value) => Math.min(smaller, value), 1);
  const high = values.reduce((larger, value) => Math.max(larger, value), 0);
  const span = Math.max(high - low, MIN_SPAN);
  const step = STEPS.find((candidate) => span / candidate <= MAX_LINES) ?? STEPS[STEPS.length - 1];
  // A quarter of a step of air above and below, then outward to the next grid line.
  const top = Math.max(MIN_SPAN, Math.min(1, Math.ceil(high / step + 0.25) * step));
  const bottom = Math.min(Math.floor(low / step - 0.25) * step, top - MIN_SPAN);
  return [Math.max(0, bottom), top];
}
