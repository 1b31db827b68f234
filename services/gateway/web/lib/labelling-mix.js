/** The list to label from: the most uncertain images, with some drawn at random among them. */

/** @import { Prediction } from "../api/types.js" */

/**
 * As the gateway keeps one image in five for the sample. At one in ten the sample would take twice as long.
 */
export const RANDOM_EVERY = 5;

/**
 * Every fifth place goes to an image drawn at random, in the order of the draw; the others to uncertain ones, in theirs.
 * Where one kind ends, the other goes on. The gateway gives no image to both: one of the sample, listed because it is
 * uncertain, would be missing in the sample, and leave it one of easy images.
 * @param {Prediction[]} uncertain images that are not of the sample, the least sure first
 * @param {Prediction[]} drawn images of the sample
 * @param {number} limit how many to list at most
 * @returns {{list: Prediction[], random: Set<string>}} `random`: the ids of those that were drawn
 */
export function mixInRandom(uncertain, drawn, limit) {
  const [others, sample] = [uncertain.values(), drawn.values()];
  /** @type {Prediction[]} */
  const list = [];
  while (list.length < uncertain.length + drawn.length) list.push(...take(others, RANDOM_EVERY - 1), ...take(sample, 1));
  return { list: list.slice(0, limit), random: new Set(drawn.map(({ id }) => id)) };
}

/**
 * @template Item
 * @param {Iterator<Item>} items
 * @param {number} count
 * @returns {Item[]}
 */
function take(items, count) {
  const taken = [];
  for (let left = count; left > 0; left--) {
    const { value, done } = items.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}
