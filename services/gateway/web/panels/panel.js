/** What all panels have in common: how they are told of another stream, of its newest state and of the outcomes of labels. */

/** @import { Outcome, StreamStatus } from "../api/types.js" */
/** @import { ClassChoices } from "../lib/class-order.js" */

/**
 * What the page knows of its stream now.
 * @typedef {object} Snapshot
 * @property {StreamStatus} status
 * @property {string[]} models The champion first; also the order of their colours.
 * @property {string} shownModel The model whose confusion matrix and classes are shown.
 * @property {ClassChoices} classes
 */

/**
 * A panel is constructed with the element it fills, then what it needs, by name. It shows nothing of a stream before
 * `reset` has named it.
 * @typedef {object} Panel
 * @property {(stream: string) => void} reset Another stream is followed from now on: nothing of the one before stays.
 * @property {(snapshot: Snapshot) => void} update Called at most five times a second.
 * @property {(outcome: Outcome) => void} [applyOutcome] Called for each label of this stream, whoever gave it.
 * @property {() => void} [applyCommand] Called for each command of this stream, whoever gave it.
 */

/**
 * The names of a stream's models, the champion first.
 * @param {StreamStatus} status
 * @returns {string[]}
 */
export function modelNames({ champion, models }) {
  return [champion, ...Object.keys(models).filter((name) => name !== champion)];
}
