/** Numbers, times and outcomes as people read them. */

export const NONE = "–";
export const MOST_IN_PLACE = 10;
const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const NATURAL = new Intl.Collator("en", { numeric: true });

export function count(value) {
  if (value == null) return NONE;
  return value < 1e6 ? COUNT.format(value) : COMPACT.format(value);
}

/** 0.9421 -> "94.2 %"; never rounds a near miss up to 100. */
export function percent(share, digits = 1) {
  if (share == null) return NONE;
  const scale = 10 ** digits;
  const shown = share < 1 ? Math.min(Math.round(share * 100 * scale), 100 * scale - 1) / scale : 100;
  return `${shown.toFixed(share === 1 ? 0 : digits)} %`;
}

export function decimal(value, digits = 3) {
  return value == null ? NONE : value.toFixed(digits);
}

export function rate(perSecond) {
  if (perSecond == null) return NONE;
  if (perSecond === 0) return "0";
  return perSecond >= 100 ? count(perSecond) : perSecond.toFixed(perSecond >= 10 ? 0 : 1);
}

/** Labels in the order people expect: 2 before 10. */
export function natural(labels) {
  return [...labels].sort(NATURAL.compare);
}

/** Up to ten classes keep their places; of more, the ten likeliest come first. */
export function likely(labels, probabilities) {
  const all = natural(new Set([...labels, ...Object.keys(probabilities)]));
  if (all.length <= MOST_IN_PLACE) return all;
  const best = Object.keys(probabilities).sort((a, b) => probabilities[b] - probabilities[a]).slice(0, MOST_IN_PLACE);
  return [...best, ...all.filter((label) => !best.includes(label))];
}

export function quoted(label) {
  return `“${label}”`;
}

/** What became of a label, in a sentence; `outcome` is the API's. */
export function outcomeSentence(outcome) {
  const exactly = outcome.exact ? "exactly, as if it had come first" : "as far as its models can unlearn";
  const sentences = {
    learned: () => `The model took it: learned as ${quoted(outcome.label)}.`,
    corrected: () => `Corrected from ${quoted(outcome.previous)} to ${quoted(outcome.label)}, ${exactly}.`,
    retracted: () => `Label taken back, ${outcome.exact ? "and forgotten exactly" : "as far as the models can forget"}.`,
    unchanged: () =>
      outcome.label == null ? "It had no label: nothing to take back." : `It already was ${quoted(outcome.label)}: nothing changed.`,
    waiting: () => "Kept until the image's features arrive, then learned.",
    expired: () => "Too late: the image has left the window of the learner. Nothing changed.",
    rejected: () => "The learner refused this label. Nothing changed.",
  };
  return (sentences[outcome.status] ?? (() => `Outcome: ${outcome.status}.`))();
}

/** Whether the label counts now. */
export function took(outcome) {
  return ["learned", "corrected", "retracted", "unchanged"].includes(outcome.status);
}
