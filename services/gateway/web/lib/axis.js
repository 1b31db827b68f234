/** Where an axis of accuracies begins and ends: near the data, so that small differences can be seen. */

/** So much of a curve is its beginning, where a handful of labels moves the accuracy from 0 to 1: it may run out of the picture. */
const BEGINNING = 0.05;
const STEPS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
/** Of the picture's height, at most: then there are about as many lines as can be told apart. */
const LINES = 6;
const SMALLEST = 0.02;

/** `columns`: accuracies of 0 to 1 in the order of the labels, null where there is none. */
export function limits(columns) {
  const values = columns.flatMap((column) => column.slice(Math.floor(column.length * BEGINNING))).filter((value) => value !== null);
  if (!values.length) return [0, 1];
  const [low, high] = values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [1, 0]);
  const step = STEPS.find((one) => Math.max(high - low, SMALLEST) / one <= LINES) ?? STEPS.at(-1);
  const top = Math.min(1, Math.ceil(high / step + 0.25) * step);
  return [Math.max(0, Math.min(Math.floor(low / step - 0.25) * step, top - SMALLEST)), top];
}
