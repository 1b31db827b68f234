/** Changes of a stream in words: what each command did, what became of it, how far a replay is. */

import { formatCount, formatPercent, quote } from "./format.js";

/** @import { Backtest, CatchUp, HistoryEntry, LabelCounts } from "../api/types.js" */

/** What each command does, with the fields that it was given. @type {Record<string, (given: Record<string, any>) => string>} */
const SENTENCES = {
  "stream.create": () => "created the stream",
  "stream.set": (given) => `set ${Object.entries(given).map(setting).join(", ")}`,
  "stream.switch": ({ backbone }) => `let it learn from ${backbone}`,
  "models.add": ({ model, from }) => `added ${model}${from === "now" ? ", from then on" : ""}`,
  "models.remove": ({ model }) => `removed ${model}`,
  "models.promote": ({ model }) => `let ${model} answer`,
  "models.rebuild": () => "rebuilt the models",
  "class.rename": ({ from, to }) => `renamed ${quote(from)} to ${quote(to)}`,
  "class.merge": ({ from, to }) => `merged ${quote(from)} into ${quote(to)}`,
  "class.delete": ({ label }) => `deleted the class ${quote(label)}`,
  "example.forget": ({ images }) => `forgot ${images ? `${formatCount(images)} ${images === 1 ? "image" : "images"}` : "images"}`,
  undo: ({ command }) => `undid ${command}`,
};

/**
 * What a command did: 'renamed “cat” to “feline”'. Of an undo, what it took back, where that is known.
 * @param {HistoryEntry} entry
 * @param {HistoryEntry[]} [others]
 * @returns {string}
 */
export function describeCommand(entry, others = []) {
  const undone = entry.do === "undo" ? others.find(({ id }) => id === entry.arguments.command) : undefined;
  if (undone) return `took back: ${describeCommand(undone)}`;
  return (SENTENCES[entry.do] ?? (() => entry.do))(entry.arguments);
}

/**
 * What became of it; empty where it simply was done.
 * @param {HistoryEntry} entry
 * @returns {string}
 */
export function describeResult({ status, why, catching_up: isCatchingUp }) {
  if (status === "refused") return `refused: ${why}`;
  if (status === "undone") return "taken back";
  return isCatchingUp ? "catching up" : "";
}

/**
 * "Catching up, 43 %: ridge will join."; empty where nothing is replayed.
 * @param {CatchUp | null | undefined} replay
 * @returns {string}
 */
export function describeCatchUp(replay) {
  if (!replay) return "";
  const joining = replay.models.length > 0 ? `: ${replay.models.join(", ")} will join` : "";
  const problem = replay.problem ? ` It cannot go on: ${replay.problem}` : "";
  return `Catching up, ${formatPercent(replay.progress, 0)}${joining}.${problem}`;
}

/**
 * "Labels by ann (300), page (20). Why: producer (310), correction (10)."; empty without a label.
 * @param {LabelCounts} labels
 * @returns {string}
 */
export function describeLabelCounts({ by, why }) {
  const people = counted(by, "nobody named");
  const reasons = counted(why, "no reason given");
  return [people && `Labels by ${people}.`, reasons && `Why: ${reasons}.`].filter(Boolean).join(" ");
}

/**
 * @param {Record<string, number>} counts
 * @param {string} unnamed
 */
function counted(counts, unnamed) {
  const parts = Object.entries(counts).map(([name, count]) => `${name || unnamed} (${formatCount(count)})`);
  return parts.join(", ");
}

/**
 * @param {Backtest} backtest
 * @returns {string}
 */
export function describeBacktest({ status, progress, models, backbone, why }) {
  const state = status === "running" ? `running, ${formatPercent(progress, 0)}` : status;
  return `${models.join(", ")}${backbone ? ` on ${backbone}` : ""}: ${state}${why ? `: ${why}` : ""}`;
}

/** @param {[string, unknown]} setting */
function setting([name, value]) {
  return value === null ? `${name} to the default` : `${name} to ${value}`;
}
