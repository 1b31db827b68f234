/** The order of a stream's classes and their number keys, which stay as they are for as long as the page is open. */

import { sortNaturally } from "./labels.js";

/** One for each class that can have one, in the order of the keyboard. */
export const NUMBER_KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"];

/**
 * The classes of one stream as they are offered. `keys` maps a label to its number key; it is null for a stream with more
 * classes than keys, where the most probable classes of the image at hand get them.
 * @typedef {{labels: string[], keys: Map<string, string> | null}} ClassChoices
 */

/** Remembers each stream's order: classes that changed places, or keys, under people's fingers would be mislabelled. */
export class ClassOrder {
  /** @type {Map<string, {order: string[], exceedsKeys: boolean}>} */
  #streams = new Map();

  /**
   * The first classes that are seen stand in natural order, later ones behind them. Whether each class has a key of its
   * own is decided by the first look too, and stays.
   * @param {string} stream
   * @param {string[]} labels
   * @returns {ClassChoices}
   */
  update(stream, labels) {
    const known = this.#streams.get(stream) ?? { order: [], exceedsKeys: labels.length > NUMBER_KEYS.length };
    known.order.push(...sortNaturally(labels.filter((label) => !known.order.includes(label))));
    // A stream without classes decides nothing yet: it may begin with a hundred at once.
    if (known.order.length > 0) this.#streams.set(stream, known);
    const current = new Set(labels);
    return {
      labels: known.order.filter((label) => current.has(label)),
      keys: known.exceedsKeys ? null : assignKeys(known.order),
    };
  }
}

/**
 * Classes that are digits have their own keys where these are free; the others take, in order, the keys that are left.
 * @param {string[]} labels
 * @returns {Map<string, string>}
 */
export function assignKeys(labels) {
  const freeKeys = [...NUMBER_KEYS];
  /** @type {Map<string, string>} */
  const keys = new Map();
  for (const label of labels) {
    if (freeKeys.length === 0) break;
    const key = freeKeys.includes(label) ? label : freeKeys[0];
    freeKeys.splice(freeKeys.indexOf(key), 1);
    keys.set(label, key);
  }
  return keys;
}
