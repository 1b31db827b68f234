/** What the evidence says, in words that need no statistics: intervals, verdicts, calibration, sets, drift, samples. */

import { formatCount, formatPercent, quote } from "./format.js";

/**
 * @import {
 *   FeatureDriftMark, ModelMetrics, Prediction, PredictionSets, ReliabilityPoint, StreamStatus, Verdict,
 * } from "../api/types.js"
 */

/** What a badge says of a challenger. @typedef {{text: string, kind: "good" | "plain"}} Badge */

/** How a reason to label stands in a sentence, in this order. @type {Record<string, string>} */
const REASONS = {
  producer: "came with their images",
  uncertain: "were asked for because the model was unsure",
  random: "are of images drawn at random",
  correction: "are corrections",
};

/** Why no accuracy counts the labels of some images. */
const EARLY = "came before any class was known, so there was no prediction to score";
/** A point of difference between how sure a model is and how often it is right is nothing to act on. */
const HONEST_ERROR = 0.03;
/** The learner compares nothing before that (its ``feature_drift`` is 0). */
const NOT_COMPARED = "Not known yet: the first 750 images say what is usual, and only later ones are compared with them.";
const IN_ORDER = "that says little while labels come class after class";
/** Evidence advises; it never promotes. */
const ADVICE = "Nothing changes by itself: which model answers is yours to choose.";
/** Beside a prediction there is room for so many more classes; of more, it is only said how many. */
const MAX_ALTERNATIVES = 3;

/** @type {Record<string, Badge>} */
const BADGES = {
  better: { text: "better lately", kind: "good" },
  worse: { text: "behind lately", kind: "plain" },
  open: { text: "not told apart", kind: "plain" },
  silent: { text: "not judged now", kind: "plain" },
};

/**
 * "96.4 to 98.1 %".
 * @param {readonly [number, number] | null | undefined} interval
 * @returns {string | null}
 */
export function formatInterval(interval) {
  if (!interval) return null;
  const [low, high] = interval.map((share) => formatPercent(share));
  return low.replace(" %", "") === high.replace(" %", "") ? high : `${low.replace(" %", "")} to ${high}`;
}

/**
 * @param {Verdict | undefined} verdict of a challenger
 * @returns {Badge | null}
 */
export function verdictBadge(verdict) {
  return (verdict && BADGES[verdict.verdict]) ?? null;
}

/**
 * What people should know before they trust a number, the most urgent first; nothing where all is as it should be.
 * @param {StreamStatus} status
 * @returns {{title: string, text: string}[]}
 */
export function alertsOf(status) {
  const { label_order: order, feature_drift: score, feature_drift_threshold: threshold, verdicts = {} } = status;
  const alerts = [];
  const isInOrder = order?.mixed === false;
  // Where no prediction was scored, there is no accuracy that could flatter.
  if (isInOrder && status.models[status.champion]?.accuracy != null) {
    alerts.push({
      title: "Accuracy looks better than it is.",
      text: `${order.text} The figures below say little about the other classes.`,
    });
  }
  // Where each class looks unlike the one before, that is no news.
  if (threshold && score > threshold && !isInOrder) {
    alerts.push({
      title: "The images have changed.",
      text: "The newest look unlike those before: predictions may be worse until new labels come.",
    });
  }
  const better = Object.entries(verdicts).find(([, { verdict }]) => verdict === "better");
  if (better) alerts.push({ title: `${better[0]} does better.`, text: `${better[1].text} ${ADVICE}` });
  return alerts;
}

/**
 * Whether a model is as sure as it is right.
 * @param {string} name of the model
 * @param {ModelMetrics | undefined} metrics
 * @param {ReliabilityPoint[]} points
 * @param {StreamStatus["label_order"]} [order]
 * @returns {string}
 */
export function describeCalibration(name, metrics, points, order) {
  const error = metrics?.calibration_error;
  if (error == null || points.length === 0) return "Not known yet: no prediction has been scored.";
  const total = sum(points, ({ count }) => count);
  const sure = sum(points, ({ confidence, count }) => confidence * count) / total;
  const right = sum(points, ({ accuracy, count }) => accuracy * count) / total;
  const figures = `On average ${name} is ${formatPercent(sure)} sure and ${formatPercent(right)} right`;
  const mistaken = sure > right ? "it is too sure" : "it is better than it says";
  const judgement = error < HONEST_ERROR ? "you can take it at its word" : mistaken;
  // Class after class a model is right, and sure, because it repeats itself.
  const said = order?.mixed === false ? IN_ORDER : judgement;
  return `${figures}: ${said}. Its confidence is off by ${formatPercent(error)} (calibration error).`;
}

/**
 * What the sets of classes promise, and what they kept.
 * @param {PredictionSets | null | undefined} sets
 * @returns {string | null}
 */
export function describeSets(sets) {
  if (!sets || sets.coverage == null || sets.mean_size == null) return null;
  const promise = `the right one should be among them ${formatPercent(sets.level, 0)} of the time`;
  const kept = `It was among them for ${formatPercent(sets.coverage)} of the newest ${formatCount(sets.scored)} labels`;
  return `Then a prediction names several classes; ${promise}. ${kept}, with ${sets.mean_size.toFixed(2)} classes on average.`;
}

/**
 * Whether the images still look as they did.
 * @param {StreamStatus} status
 * @returns {string | null}
 */
export function describeFeatureDrift(status) {
  const { feature_drift: score, feature_drift_threshold: threshold, feature_drifts: marks = [] } = status;
  if (!threshold) return null;
  // A score that was compared is never exactly 0: nothing may be said before the first.
  if (score === 0 && marks.length === 0) return NOT_COMPARED;
  const now = score > threshold ? "No, the newest look unlike those before them" : "Yes";
  const past = marks.length === 0 ? "No alarm so far" : `Alarms so far: ${listed(marks.map(describeMark))}`;
  return `${now}: score ${Math.max(0, score).toFixed(1)}, alarm above ${threshold.toFixed(1)}. ${past}.`;
}

/**
 * Which accuracy is which: said as soon as labels were chosen, for then the total speaks of those that were.
 * @param {StreamStatus} status
 * @returns {string | null}
 */
export function describeLabels({ labelled, label_reasons: reasons = {}, random_sample: sample, models }) {
  const scored = Math.max(0, ...Object.values(models).map((model) => model.scored));
  const unscored = labelled - scored;
  // The first label of a stream never is scored.
  const isCounted = unscored < 2;
  if (!isCounted && scored === 0) {
    return `There is none yet: all ${formatCount(labelled)} labelled images ${EARLY}. Label images that come from now on.`;
  }
  const known = Object.keys(REASONS).filter((reason) => reasons[reason]);
  const isAsked = known.some((reason) => reason !== "producer");
  const others = `the other ${formatCount(unscored)} images ${EARLY}`;
  const uncounted = `The accuracy above counts ${formatCount(scored)} of ${formatCount(labelled)} labels: ${others}.`;
  if (!isAsked) return isCounted ? null : uncounted;
  const parts = known.map((reason) => `${formatCount(reasons[reason])} ${REASONS[reason]}`);
  const untold = labelled - known.reduce((sum, reason) => sum + reasons[reason], 0);
  if (untold > 0) parts.push(`${formatCount(untold)} give another reason or none`);
  const chosen = reasons[known[0]] === labelled ? `, all of which ${REASONS[known[0]]}` : `: ${listed(parts)}`;
  const total = isCounted
    ? `The accuracy above counts all ${formatCount(labelled)} labels${chosen}.`
    : `${uncounted} Of all labels, ${listed(parts)}.`;
  const honest = sample
    ? `Only those at random say how it does on all images: ${formatPercent(sample.accuracy)} right, ` +
      `${formatInterval(sample.interval)} with 95 % certainty.`
    : reasons.random
      ? "None of those at random is counted."
      : "Labels of images drawn at random would say how it does on all: the list of uncertain predictions mixes some in.";
  return `${total} ${honest}`;
}

/**
 * What stands beside a prediction whose set is not just its class: "or 9", "or 9 others"; null for a set of one.
 * @param {Partial<Prediction>} prediction
 * @returns {string | null}
 */
export function describeAlternatives({ label, set = [], set_level: level, set_size: size = set.length }) {
  if (!level || size < 2) return null;
  const others = set.filter((each) => each !== label);
  const count = size - (set.length - others.length);
  return count > MAX_ALTERNATIVES ? `or ${formatCount(count)} others` : `or ${others.join(", ")}`;
}

/**
 * The set of a prediction in a sentence; null for a set of one.
 * @param {Partial<Prediction>} prediction
 * @returns {string | null}
 */
export function describeSet({ set = [], set_level: level, set_size: size = set.length }) {
  if (!level || size < 2) return null;
  const others = size > set.length ? [`${formatCount(size - set.length)} other classes`] : [];
  return `It is ${listed([...set.map(quote), ...others], "or")}, with ${formatPercent(level, 0)} certainty.`;
}

/** @param {FeatureDriftMark} mark */
function describeMark({ images }) {
  return `at image ${formatCount(images)}`;
}

/**
 * "a, b and c".
 * @param {string[]} parts
 * @param {string} [word]
 */
function listed(parts, word = "and") {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} ${word} ${parts.at(-1)}`;
}

/**
 * @template Item
 * @param {Item[]} items
 * @param {(item: Item) => number} valueOf
 */
function sum(items, valueOf) {
  return items.reduce((total, item) => total + valueOf(item), 0);
}
