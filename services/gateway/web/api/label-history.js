/** Teaches labels, and takes them back one after the other, the newest first, as deep as the page has been open. */

import { outcomeSentence, quoted, took } from "../lib/format.js";

const WAIT_SECONDS = 10;
export const LATER = "Written to the log; the learner will take it when it gets there.";

/**
 * Events: `taught` (detail: the outcome), `history` when what `next` gives has changed.
 * A change is {id, label, previous, position}: `previous` is undefined until its outcome is known, which `sent` does not always wait for.
 */
export class Teaching extends EventTarget {
  #api;
  #notices;
  #changes = new Map();
  #undoing = Promise.resolve();

  constructor(api, notices) {
    super();
    this.#api = api;
    this.#notices = notices;
  }

  /** Resolves to the outcome, or to null where the learner has not answered yet. Raises Problem. Label null takes back. */
  async teach(stream, id, label) {
    const change = { id, label, previous: undefined };
    const answer = this.#send(stream, id, label);
    change.sent = answer.then((given) => this.#sent(stream, change, given), () => this.#drop(stream, change));
    this.#of(stream).push(change);
    return this.#outcome(await answer);
  }

  /** An outcome that comes later than its label was waited for still says what there is to go back to. */
  settle(outcome) {
    const change = this.#of(outcome.stream).find((one) => one.previous === undefined && one.position === outcome.position);
    if (change) this.#sent(outcome.stream, change, outcome);
  }

  /** What would be undone next, in a sentence, or null. */
  next(stream) {
    const change = this.#of(stream).at(-1);
    if (!change) return null;
    return change.previous === undefined ? `Image ${change.id}: ${named(change.label)} is on its way` : `Image ${change.id}: from ${named(change.label)} back to ${named(change.previous)}`;
  }

  /** Takes the stream's newest label back, or puts the one before it in again; two in a row, one after the other. */
  undo(stream) {
    this.#undoing = this.#undoing.then(() => this.#undoNewest(stream));
    return this.#undoing;
  }

  async #undoNewest(stream) {
    const change = await this.#newest(stream);
    if (!change) return this.#notices.say("Nothing to undo.");
    if (change.previous === undefined) return this.#say(stream, change, "Not undone yet: the learner has still to take the label. Try again in a moment.");
    const now = await this.#truth(stream, change.id);
    if (now === undefined || now === change.label) return this.#goBack(stream, change);
    this.#drop(stream, change);
    const all = [`Back to ${named(change.previous)} all the same`, () => this.#goBack(stream, change)];
    return this.#say(stream, change, `Not undone: since you said ${named(change.label)}, somebody else has made it ${named(now)}.`, all, "bad");
  }

  async #goBack(stream, change) {
    try {
      const outcome = this.#outcome(await this.#send(stream, change.id, change.previous));
      if (outcome === null || took(outcome)) this.#drop(stream, change);
      const overtaken = outcome && took(outcome) && outcome.previous !== change.label ? ` Meanwhile somebody else had made it ${named(outcome.previous)}.` : "";
      const done = outcome === null ? `Undoing. ${LATER}` : `${took(outcome) ? "Undone." : "Not undone."} ${outcomeSentence(outcome)}${overtaken}`;
      this.#say(stream, change, done, null, outcome === null || took(outcome) ? "good" : "bad");
    } catch (problem) {
      this.#say(stream, change, `Not undone. ${problem.message}`, ["Try again", () => this.undo(stream)], "bad");
    }
  }

  /** Once its answer is there; a label that changed nothing, or was never taken, is no change. */
  async #newest(stream) {
    for (;;) {
      const change = this.#of(stream).at(-1);
      await change?.sent;
      if (change === this.#of(stream).at(-1)) return change ?? null;
    }
  }

  /** Undefined where nobody can say: the image is no longer kept, or the gateway does not answer. */
  async #truth(stream, id) {
    return (await this.#api.prediction(stream, id).catch(() => undefined))?.truth;
  }

  #send(stream, id, label) {
    return this.#api.sendLabel(stream, id, label, WAIT_SECONDS);
  }

  #sent(stream, change, answer) {
    change.position = answer.position;
    if (answer.status === undefined) return this.#tell();
    if (!took(answer) || answer.status === "unchanged") return this.#drop(stream, change);
    change.previous = answer.previous;
    return this.#tell();
  }

  #outcome(answer) {
    if (answer.status === undefined) return null;
    this.dispatchEvent(new CustomEvent("taught", { detail: answer }));
    return answer;
  }

  #drop(stream, change) {
    const changes = this.#of(stream);
    if (changes.includes(change)) changes.splice(changes.indexOf(change), 1);
    this.#tell();
  }

  #of(stream) {
    if (!this.#changes.has(stream)) this.#changes.set(stream, []);
    return this.#changes.get(stream);
  }

  #tell() {
    this.dispatchEvent(new Event("history"));
  }

  #say(stream, { id }, text, action = null, kind = "plain") {
    this.#notices.say(`Image ${id}: ${text}`, action, kind, this.#api.imageUrl(stream, id, 96));
  }
}

function named(label) {
  return label === null ? "no label" : quoted(label);
}
