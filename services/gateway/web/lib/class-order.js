/** The order of a stream's classes and the keys they have, kept for as long as the page is open: nothing is sorted anew under people's fingers. */

import { natural } from "./format.js";

/** One for each number key, in the order of the keyboard. */
export const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"];

/** Classes of one stream: `labels` in order, and `keys` (label -> key), or null where each image's likeliest have them. */
export const NO_CLASSES = { labels: [], keys: new Map() };

export class ClassOrder {
  #streams = new Map();

  /**
   * As they were first seen, in natural order, with those that came later behind them. Where the first look found more classes
   * than keys, no class has a key of its own: then the keys go to the likeliest of the image that is open.
   */
  take(stream, labels) {
    const known = this.#streams.get(stream) ?? { order: [], many: labels.length > KEYS.length };
    const fresh = labels.filter((label) => !known.order.includes(label));
    known.order.push(...natural(fresh));
    if (known.order.length) this.#streams.set(stream, known);
    const there = new Set(labels);
    return { labels: known.order.filter((label) => there.has(label)), keys: known.many ? null : keysOf(known.order) };
  }
}

/** Classes that are digits have their own keys where these are free; the others take, in order, the keys that are left. */
export function keysOf(order) {
  const left = [...KEYS];
  const keys = new Map();
  for (const label of order) {
    if (!left.length) break;
    const key = left.includes(label) ? label : left[0];
    left.splice(left.indexOf(key), 1);
    keys.set(label, key);
  }
  return keys;
}
