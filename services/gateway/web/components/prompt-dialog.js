/** A dialog that asks for one line of text: a stream's name, an API key. */

import { messageOf } from "../api/errors.js";
import { button, element, setText } from "../lib/dom.js";

/**
 * What is asked. `check` resolves to a message where the answer is refused; `required` leaves no way out but an answer.
 * @typedef {object} Prompt
 * @property {string} title
 * @property {string} text
 * @property {string} label
 * @property {string} [pattern]
 * @property {string} [hint]
 * @property {boolean} [secret]
 * @property {boolean} [required]
 * @property {(answer: string) => Promise<string | null>} [check]
 */

/** Asks one question at a time; a new one ends the one before without an answer. */
export class PromptDialog {
  #dialog;
  #title = element("h2", { id: "ask-title" });
  #text = element("p");
  #label = element("span");
  #input = element("input", { required: true, autocomplete: "off" });
  #refusal = element("p", { className: "outcome bad", role: "alert" });
  #cancel;
  /** @type {{prompt: Prompt, resolve: (answer: string | null) => void} | null} */
  #pending = null;

  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.#dialog = dialog;
    this.#cancel = button("Cancel", () => dialog.close(), "quiet");
    const field = element("label", { className: "field tall" }, this.#label, this.#input);
    const row = element("div", { className: "row" }, element("button", { type: "submit" }, "Continue"), this.#cancel);
    const form = element("form", {}, this.#title, this.#text, field, this.#refusal, row);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    dialog.append(form);
    dialog.addEventListener("close", () => this.#finish(null));
    dialog.addEventListener("cancel", (event) => this.#pending?.prompt.required && event.preventDefault());
  }

  /**
   * Resolves to the answer, or to null where none was given.
   * @param {Prompt} prompt
   * @returns {Promise<string | null>}
   */
  ask(prompt) {
    this.#finish(null);
    setText(this.#title, prompt.title);
    setText(this.#text, prompt.text);
    setText(this.#label, prompt.label);
    setText(this.#refusal, "");
    this.#cancel.hidden = Boolean(prompt.required);
    this.#input.type = prompt.secret ? "password" : "text";
    this.#input.value = "";
    this.#input.pattern = prompt.pattern ?? ".*";
    this.#input.title = prompt.hint ?? "";
    this.#dialog.showModal();
    return new Promise((resolve) => (this.#pending = { prompt, resolve }));
  }

  async #submit() {
    const answer = this.#input.value.trim();
    const refusal = await this.#check(answer);
    if (refusal) return setText(this.#refusal, refusal);
    this.#finish(answer);
    this.#dialog.close();
  }

  /**
   * A check that could not be made refuses too, and says why.
   * @param {string} answer
   */
  async #check(answer) {
    try {
      return (await this.#pending?.prompt.check?.(answer)) ?? null;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** @param {string | null} answer */
  #finish(answer) {
    this.#pending?.resolve(answer);
    this.#pending = null;
  }
}
