/** What became of a label, in words, and whether a prediction was right. */

import { quote } from "./format.js";

/** @import { Outcome, OutcomeStatus } from "../api/types.js" */

/** @typedef {"open" | "none" | "right" | "wrong"} Verdict */

/** @type {Set<OutcomeStatus>} */
const APPLIED = new Set(["learned", "corrected", "retracted", "unchanged"]);

/**
 * Whether the label counts from now on.
 * @param {Outcome} outcome
 * @returns {boolean}
 */
export function isApplied(outcome) {
  return APPLIED.has(outcome.status);
}

/** @type {Record<OutcomeStatus, (outcome: Outcome) => string>} */
const SENTENCES = {
  learned: ({ label }) => `The model took it: learned as ${quote(label)}.`,
  corrected: ({ label, previous, exact }) =>
    `Corrected from ${quote(previous)} to ${quote(label)}, ` +
    `${exact ? "exactly, as if it had come first" : "as far as its models can unlearn"}.`,
  retracted: ({ exact }) =>
    `Label taken back, ${exact ? "and forgotten exactly" : "as far as the models can forget"}.`,
  unchanged: ({ label }) =>
    label == null ? "It had no label: nothing to take back." : `It already was ${quote(label)}: nothing changed.`,
  waiting: () => "Kept until the image's features arrive, then learned.",
  expired: () => "Too late: the image has left the window of the learner. Nothing changed.",
  rejected: () => "The learner refused this label. Nothing changed.",
};

/**
 * The outcome in one sentence. A gateway newer than a page that is open may know more statuses: these are named.
 * @param {Outcome} outcome
 * @returns {string}
 */
export function describeOutcome(outcome) {
  return SENTENCES[outcome.status]?.(outcome) ?? `Outcome: ${outcome.status}.`;
}

/**
 * `open`: no label yet; `none`: the model predicted no class, which counts neither as right nor as wrong.
 * @param {string | null} predicted
 * @param {string | null} truth
 * @returns {Verdict}
 */
export function judge(predicted, truth) {
  if (truth === null) return "open";
  if (predicted === null) return "none";
  return predicted === truth ? "right" : "wrong";
}
