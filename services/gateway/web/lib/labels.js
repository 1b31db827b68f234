/** The order in which labels are shown. */

/** So many classes fit below each other in a panel; up to here each keeps its place, whatever its probability. */
export const MAX_BARS = 10;

const COLLATOR = new Intl.Collator("en", { numeric: true });

/**
 * In the order people expect: "2" before "10". The argument stays as it is.
 * @param {Iterable<string>} labels
 * @returns {string[]}
 */
export function sortNaturally(labels) {
  return [...labels].sort(COLLATOR.compare);
}

/**
 * All labels, known or only named by the probabilities: up to ten in natural order, so that their bars never change
 * places; of more, the ten most probable first and the others behind them in natural order.
 * @param {string[]} labels
 * @param {Record<string, number>} probabilities
 * @returns {string[]}
 */
export function rankLabels(labels, probabilities) {
  const all = sortNaturally(new Set([...labels, ...Object.keys(probabilities)]));
  if (all.length <= MAX_BARS) return all;
  const byProbability = Object.keys(probabilities).sort((a, b) => probabilities[b] - probabilities[a]);
  const top = byProbability.slice(0, MAX_BARS);
  return [...top, ...all.filter((label) => !top.includes(label))];
}
