/** Sends labels, and undoes them one after the other, the newest first, as far back as the page has been open. */

import { quote } from "../lib/format.js";
import { describeOutcome, isApplied } from "../lib/outcome.js";
import { messageOf } from "./errors.js";

/** @import { Notifications, NotificationAction, NotificationKind } from "../components/notifications.js" */
/** @import { GatewayClient } from "./client.js" */
/** @import { AcceptedLabel, LabelReason, Outcome } from "./types.js" */

/**
 * A label that was sent from this page. `previous` is undefined until its outcome is known, which may come long after
 * `answered` is resolved.
 * @typedef {object} LabelChange
 * @property {string} id
 * @property {string | null} label
 * @property {string | null | undefined} previous
 * @property {string} [position]
 * @property {Promise<void>} answered
 */

/** A learner that keeps up answers within milliseconds; longer than this, people go on without it. */
const WAIT_SECONDS = 10;
/** Pixels of the thumbnail that shows which image a message is about. */
const THUMBNAIL_SIZE = 96;

/** Shown where a label is safe, and its outcome has not come yet. */
export const OUTCOME_PENDING = "Written to the log; the learner will apply it when it gets there.";

/** Events: `outcome` (detail: Outcome) of a label of this page; `change` when what `describeUndo` returns may have changed. */
export class LabelHistory extends EventTarget {
  #client;
  #notifications;
  /** Labels that can be undone, by stream, the newest last. @type {Map<string, LabelChange[]>} */
  #changes = new Map();
  /** Undos run one after the other: each needs the outcome of the one before. @type {Promise<void>} */
  #undoQueue = Promise.resolve();

  /**
   * @param {GatewayClient} client
   * @param {Notifications} notifications
   */
  constructor(client, notifications) {
    super();
    this.#client = client;
    this.#notifications = notifications;
  }

  /**
   * Labels an image. Resolves to the outcome, or to null where the learner has not answered yet. Throws ApiError.
   * @param {string} stream
   * @param {string} id
   * @param {string | null} label null takes the label back
   * @param {LabelReason} [why] how the image was chosen
   * @returns {Promise<Outcome | null>}
   */
  async submit(stream, id, label, why) {
    const sending = this.#send(stream, id, label, why);
    /** @type {LabelChange} */
    const change = { id, label, previous: undefined, answered: Promise.resolve() };
    change.answered = sending.then(
      (answer) => this.#recordAnswer(stream, change, answer),
      () => this.#remove(stream, change),
    );
    this.#changesOf(stream).push(change);
    return this.#publish(await sending);
  }

  /**
   * An outcome that comes after its label was waited for still says what an undo has to go back to.
   * @param {Outcome} outcome
   */
  applyOutcome(outcome) {
    const changes = this.#changesOf(outcome.stream);
    const change = changes.find(({ previous, position }) => previous === undefined && position === outcome.position);
    if (change) this.#recordAnswer(outcome.stream, change, outcome);
  }

  /**
   * What the next undo would do, in a sentence, or null.
   * @param {string} stream
   * @returns {string | null}
   */
  describeUndo(stream) {
    const change = this.#changesOf(stream).at(-1);
    if (!change) return null;
    const label = describeLabel(change.label);
    if (change.previous === undefined) return `Image ${change.id}: ${label} is on its way`;
    return `Image ${change.id}: from ${label} back to ${describeLabel(change.previous)}`;
  }

  /**
   * Undoes the stream's newest label: takes it back, or restores the one before it.
   * @param {string} stream
   * @returns {Promise<void>}
   */
  undo(stream) {
    this.#undoQueue = this.#undoQueue.then(() => this.#undoNewest(stream));
    return this.#undoQueue;
  }

  /**
   * Asks first what the label is now: what somebody else has said since is not overwritten without a question.
   * @param {string} stream
   */
  async #undoNewest(stream) {
    const change = await this.#newestAnswered(stream);
    if (!change) return this.#notifications.show("Nothing to undo.");
    const { id, label, previous } = change;
    if (previous === undefined) {
      return this.#notify(stream, id, "Not undone yet: the learner has not applied the label. Try again in a moment.");
    }
    const truth = await this.#currentTruth(stream, id);
    if (truth === undefined || truth === label) return this.#revert(stream, change, previous);
    this.#remove(stream, change);
    const text =
      `Not undone: after you labelled it ${describeLabel(label)}, somebody else changed it to ${describeLabel(truth)}.`;
    const action = { text: `Back to ${describeLabel(previous)} anyway`, run: () => this.#revert(stream, change, previous) };
    this.#notify(stream, id, text, { kind: "bad", action });
  }

  /**
   * @param {string} stream
   * @param {LabelChange} change
   * @param {string | null} previous
   */
  async #revert(stream, change, previous) {
    try {
      const outcome = this.#publish(await this.#send(stream, change.id, previous, previous === null ? undefined : "correction"));
      const isUndone = outcome === null || isApplied(outcome);
      if (isUndone) this.#remove(stream, change);
      this.#notify(stream, change.id, describeUndone(outcome, change.label), { kind: isUndone ? "good" : "bad" });
    } catch (error) {
      const action = { text: "Try again", run: () => this.undo(stream) };
      this.#notify(stream, change.id, `Not undone. ${messageOf(error)}`, { kind: "bad", action });
    }
  }

  /**
   * The newest change whose request has been answered: until then nobody knows whether it is a change at all.
   * @param {string} stream
   * @returns {Promise<LabelChange | null>}
   */
  async #newestAnswered(stream) {
    for (;;) {
      const change = this.#changesOf(stream).at(-1);
      await change?.answered;
      // It may have turned out to change nothing meanwhile, or another label was sent.
      if (change === this.#changesOf(stream).at(-1)) return change ?? null;
    }
  }

  /**
   * Undefined where nobody can tell: the image is no longer stored, or the gateway does not answer.
   * @param {string} stream
   * @param {string} id
   */
  async #currentTruth(stream, id) {
    const prediction = await this.#client.prediction(stream, id).catch(() => undefined);
    return prediction?.truth;
  }

  /**
   * @param {string} stream
   * @param {string} id
   * @param {string | null} label
   * @param {LabelReason} [why]
   */
  #send(stream, id, label, why) {
    return this.#client.sendLabel(stream, id, label, { wait: WAIT_SECONDS, why });
  }

  /**
   * A label that was not applied, or was there already, is no change to undo.
   * @param {string} stream
   * @param {LabelChange} change
   * @param {Outcome | AcceptedLabel} answer
   */
  #recordAnswer(stream, change, answer) {
    change.position = answer.position;
    if (answer.status !== undefined) {
      if (!isApplied(answer) || answer.status === "unchanged") return this.#remove(stream, change);
      change.previous = answer.previous;
    }
    this.#announceChange();
  }

  /**
   * @param {Outcome | AcceptedLabel} answer
   * @returns {Outcome | null}
   */
  #publish(answer) {
    if (answer.status === undefined) return null;
    this.dispatchEvent(new CustomEvent("outcome", { detail: answer }));
    return answer;
  }

  /**
   * @param {string} stream
   * @param {LabelChange} change
   */
  #remove(stream, change) {
    const changes = this.#changesOf(stream);
    if (changes.includes(change)) changes.splice(changes.indexOf(change), 1);
    this.#announceChange();
  }

  /**
   * @param {string} stream
   * @returns {LabelChange[]}
   */
  #changesOf(stream) {
    const changes = this.#changes.get(stream) ?? [];
    this.#changes.set(stream, changes);
    return changes;
  }

  #announceChange() {
    this.dispatchEvent(new Event("change"));
  }

  /**
   * @param {string} stream
   * @param {string} id
   * @param {string} text
   * @param {{kind?: NotificationKind, action?: NotificationAction}} [options]
   */
  #notify(stream, id, text, options = {}) {
    const thumbnail = this.#client.imageUrl(stream, id, THUMBNAIL_SIZE);
    this.#notifications.show(`Image ${id}: ${text}`, { ...options, thumbnail });
  }
}

/** @param {string | null} label */
function describeLabel(label) {
  return label === null ? "no label" : quote(label);
}

/**
 * @param {Outcome | null} outcome of the label that was restored
 * @param {string | null} label the one that was undone
 */
function describeUndone(outcome, label) {
  if (outcome === null) return `Undoing. ${OUTCOME_PENDING}`;
  if (!isApplied(outcome)) return `Not undone. ${describeOutcome(outcome)}`;
  const overtaken =
    outcome.previous === label ? "" : ` Meanwhile somebody else had made it ${describeLabel(outcome.previous)}.`;
  return `Undone. ${describeOutcome(outcome)}${overtaken}`;
}
