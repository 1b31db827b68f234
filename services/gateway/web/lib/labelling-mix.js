/** The list to label from: the most uncertain images, with some drawn at random among them. */

/** @import { Prediction } from "../api/types.js" */

/**
 * One image in five is drawn at random: a hundred labels then give a sample of twenty, whose accuracy is known to some
 * 20 points, and four labels in five still go where they teach most. At one in ten the sample would take twice as long.
 */
export const RANDOM_EVERY = 5;

/**
 * Every fifth place goes to an image drawn at random, in the order of the draw; the others to uncertain ones, in theirs.
 * An image that was drawn stands as drawn, though it may be uncertain too: to leave those out would make the sample one
 * of easy images.
 * @param {Prediction[]} uncertain the least sure first
 * @param {Prediction[]} drawn
 * @returns {{list: Prediction[], random: Set<string>}} `random`: the ids of those that were drawn
 */
export function mixInRandom(uncertain, drawn) {
  const sample = drawn.slice(0, Math.floor(uncertain.length / RANDOM_EVERY));
  const random = new Set(sample.map(({ id }) => id));
  const rest = uncertain.filter(({ id }) => !random.has(id)).values();
  const list = [];
  for (const prediction of sample) list.push(...take(rest, RANDOM_EVERY - 1), prediction);
  return { list: [...list, ...rest].slice(0, uncertain.length), random };
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
