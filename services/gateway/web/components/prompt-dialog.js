/** A dialog that asks for one line of text: a stream's name, an API key. */

import { element, write } from "../lib/dom.js";

export class Question {
  #dialog;
  #title = element("h2", { id: "ask-title" });
  #text = element("p");
  #label = element("span");
  #input = element("input", { required: true, autocomplete: "off" });
  #problem = element("p", { className: "outcome bad", role: "alert" });
  #cancel;
  #asked = null;

  constructor(dialog) {
    this.#dialog = dialog;
    const cancel = element("button", { type: "button", className: "quiet" }, "Cancel");
    const submit = element("button", { type: "submit" }, "Continue");
    const form = element("form", {}, this.#title, this.#text, element("label", { className: "field tall" }, this.#label, this.#input), this.#problem, element("div", { className: "row" }, submit, cancel));
    cancel.addEventListener("click", () => dialog.close());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#answer();
    });
    dialog.append(form);
    dialog.addEventListener("close", () => this.#end(null));
    dialog.addEventListener("cancel", (event) => this.#asked?.needed && event.preventDefault());
    this.#cancel = cancel;
  }

  /** Asks what the page cannot do without: there is no way out but an answer. */
  insist(asked) {
    return this.ask({ ...asked, needed: true });
  }

  /**
   * `asked`: {title, text, label, pattern?, hint?, secret?, check?}; `check(answer)` may refuse by a message.
   * Resolves to the answer, or null where none was given.
   */
  ask(asked) {
    this.#end(null);
    write(this.#title, asked.title);
    write(this.#text, asked.text);
    write(this.#label, asked.label);
    write(this.#problem, "");
    this.#cancel.hidden = Boolean(asked.needed);
    Object.assign(this.#input, { type: asked.secret ? "password" : "text", value: "", pattern: asked.pattern ?? ".*", title: asked.hint ?? "" });
    this.#dialog.showModal();
    return new Promise((resolve) => (this.#asked = { ...asked, resolve }));
  }

  async #answer() {
    const answer = this.#input.value.trim();
    const refusal = await this.#refusal(answer);
    if (refusal) return write(this.#problem, refusal);
    this.#end(answer);
    this.#dialog.close();
  }

  /** A check that could not be made refuses too, and says why. */
  async #refusal(answer) {
    try {
      return await this.#asked.check?.(answer);
    } catch (problem) {
      return problem.message;
    }
  }

  #end(answer) {
    this.#asked?.resolve(answer);
    this.#asked = null;
  }
}
