/** Teaches labels, and takes the last one back. */

import { outcomeSentence, took } from "./words.js";

const WAIT_SECONDS = 10;
export const LATER = "Written to the log; the learner will take it when it gets there.";

/** Event: `taught` (detail: the outcome). */
export class Teaching extends EventTarget {
  #api;
  #notices;
  /** Resolves to what undoes the last label, or to null: its outcome may be on its way still. */
  #undo = Promise.resolve(null);

  constructor(api, notices) {
    super();
    this.#api = api;
    this.#notices = notices;
  }

  /** Resolves to the outcome, or to null where the learner has not answered yet. Raises Problem. Label null takes back. */
  async teach(stream, id, label) {
    const [sent, before] = [this.#api.sendLabel(stream, id, label, WAIT_SECONDS), this.#undo];
    this.#undo = sent.then(
      (answer) => (changed(answer) ? () => this.teach(stream, id, answer.previous) : before),
      () => before,
    );
    const answer = await sent;
    if (answer.status === undefined) return null;
    this.dispatchEvent(new CustomEvent("taught", { detail: answer }));
    return answer;
  }

  /** The last label is of a stream that has been left. */
  forget() {
    this.#undo = Promise.resolve(null);
  }

  /** Takes the last label back, or puts the one before it in again. */
  async undo() {
    const undoing = this.#undo;
    this.#undo = Promise.resolve(null);
    const back = await undoing;
    if (!back) return this.#notices.say("Nothing to undo.");
    try {
      const outcome = await back();
      this.#undo = Promise.resolve(null);
      this.#notices.say(outcome ? `Undone. ${outcomeSentence(outcome)}` : LATER, null, "good");
    } catch (problem) {
      this.#undo = Promise.resolve(back);
      this.#notices.say(`Not undone. ${problem.message}`, ["Try again", () => this.undo()], "bad");
    }
  }
}

function changed(answer) {
  return answer.status !== undefined && answer.status !== "unchanged" && took(answer);
}
