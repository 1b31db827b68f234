/** A dialog that asks before a stream is changed: yes or no, a name, or one of several. */

import { button, element, setOptions, setText } from "../lib/dom.js";

/**
 * What is asked. `choices` are names to choose from; with `label` alone, a name is typed; with neither, it is yes or no.
 * @typedef {object} Question
 * @property {string} title
 * @property {string} text
 * @property {string} action what the button says
 * @property {string} [label]
 * @property {string[]} [choices]
 */

/** Asks one question at a time; a new one ends the one before without an answer. */
export class QuestionDialog {
  #dialog;
  #title = element("h2", { id: "question-title" });
  #text = element("p");
  #typedLabel = element("span");
  #typed = element("input", { type: "text", autocomplete: "off", maxLength: 128 });
  #typedField = element("label", { className: "field tall" }, this.#typedLabel, this.#typed);
  #chosenLabel = element("span");
  #chosen = element("select");
  #chosenField = element("label", { className: "field tall" }, this.#chosenLabel, this.#chosen);
  #action = element("button", { type: "submit" });
  /** @type {((answer: string | null) => void) | null} */
  #resolve = null;

  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.#dialog = dialog;
    const row = element("div", { className: "row" }, this.#action, button("Cancel", () => dialog.close(), "quiet"));
    const form = element("form", {}, this.#title, this.#text, this.#typedField, this.#chosenField, row);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#finish(this.#answer());
      dialog.close();
    });
    dialog.append(form);
    dialog.addEventListener("close", () => this.#finish(null));
  }

  /**
   * Resolves to the name, to an empty text for yes, or to null for no.
   * @param {Question} question
   * @returns {Promise<string | null>}
   */
  ask({ title, text, action, label = "", choices }) {
    this.#finish(null);
    setText(this.#title, title);
    setText(this.#text, text);
    setText(this.#action, action);
    this.#typedField.hidden = !label || choices !== undefined;
    this.#typed.required = !this.#typedField.hidden;
    this.#chosenField.hidden = choices === undefined;
    setText(this.#typedLabel, choices ? "" : label);
    setText(this.#chosenLabel, choices ? label : "");
    this.#typed.value = "";
    setOptions(this.#chosen, (choices ?? []).map((name) => [name, name]));
    this.#dialog.showModal();
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  #answer() {
    if (!this.#typedField.hidden) return this.#typed.value.trim();
    return this.#chosenField.hidden ? "" : this.#chosen.value;
  }

  /** @param {string | null} answer */
  #finish(answer) {
    this.#resolve?.(answer);
    this.#resolve = null;
  }
}
