/** Teaches a label and says what became of it, with a way back. */

import { outcomeSentence, quoted, took } from "./words.js";

const WAIT_SECONDS = 10;

/** Event: `taught` (detail: the outcome), also for those that arrive after we stopped waiting. */
export class Teaching extends EventTarget {
  #api;
  #notices;
  #undo = null;

  constructor(api, notices) {
    super();
    this.#api = api;
    this.#notices = notices;
  }

  /**
   * Resolves to `{outcome, text}`: `outcome` is null where the learner has not answered yet. Raises Problem.
   * `label` null takes the label back.
   */
  async teach(stream, id, label) {
    const answer = await this.#api.sendLabel(stream, id, label, WAIT_SECONDS);
    if (answer.status === undefined) return { outcome: null, text: "Written to the log; the learner will take it when it gets there." };
    if (took(answer) && answer.status !== "unchanged") this.#undo = () => this.teach(stream, id, answer.previous);
    this.dispatchEvent(new CustomEvent("taught", { detail: answer }));
    return { outcome: answer, text: outcomeSentence(answer) };
  }

  /** Says in a notice what became of it. Resolves to the outcome, or null. */
  async teachAloud(stream, id, label) {
    try {
      const { outcome, text } = await this.teach(stream, id, label);
      this.#notices.say(text, outcome && this.#undo ? ["Undo", () => this.undo()] : null, "good");
      return outcome;
    } catch (problem) {
      this.#notices.say(`${label === null ? "The label" : quoted(label)} was not sent. ${problem.message}`, null, "bad");
      return null;
    }
  }

  /** Takes the last label back, or puts the one before it in again. */
  async undo() {
    const back = this.#undo;
    this.#undo = null;
    if (!back) return this.#notices.say("Nothing to undo.");
    try {
      const { text } = await back();
      this.#undo = null;
      this.#notices.say(`Undone. ${text}`, null, "good");
    } catch (problem) {
      this.#undo = back;
      this.#notices.say(`Not undone. ${problem.message}`, ["Try again", () => this.undo()], "bad");
    }
  }
}
