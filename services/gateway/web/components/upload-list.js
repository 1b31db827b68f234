/** The pictures that were uploaded here, each with its prediction. */

import { element, setText } from "../lib/dom.js";

/** @import { Trial } from "../lib/trial.js" */

/** Each picture stays in memory for as long as it is listed. */
const MAX_PICTURES = 24;

/** Event: `choose` (detail: the Trial). */
export class UploadList extends EventTarget {
  root = element("ul", { className: "uploads", "aria-label": "Uploaded pictures" });
  /** The oldest first. @type {Map<Trial, {root: HTMLElement, button: HTMLButtonElement, label: HTMLElement}>} */
  #rows = new Map();

  /**
   * Lists more pictures; the oldest go where there are too many.
   * @param {Trial[]} trials
   */
  add(trials) {
    for (const trial of trials.slice(-MAX_PICTURES)) this.#addRow(trial);
    for (const trial of this.trials.slice(0, -MAX_PICTURES)) this.#removeRow(trial);
  }

  get trials() {
    return [...this.#rows.keys()];
  }

  /**
   * Shows what became of one of them.
   * @param {Trial} trial
   */
  update(trial) {
    const row = this.#rows.get(trial);
    if (!row) return;
    setText(row.label, trial.failure ? "no answer" : (trial.prediction?.label ?? "none yet"));
    row.button.title = trial.failure?.message ?? trial.name;
  }

  clear() {
    for (const trial of this.trials) this.#removeRow(trial);
  }

  /** @param {Trial} trial */
  #addRow(trial) {
    const label = element("span", { className: "label" }, "…");
    const image = element("img", { src: trial.url ?? "", alt: trial.name, width: 56, height: 56 });
    const button = element("button", { type: "button", className: "tile", title: trial.name }, image, label);
    button.addEventListener("click", () => this.#choose(trial));
    const root = element("li", {}, button);
    this.#rows.set(trial, { root, button, label });
    this.root.prepend(root);
  }

  /** @param {Trial} trial */
  #removeRow(trial) {
    if (trial.url) URL.revokeObjectURL(trial.url);
    this.#rows.get(trial)?.root.remove();
    this.#rows.delete(trial);
  }

  /** @param {Trial} trial */
  #choose(trial) {
    const isAnswered = trial.prediction !== null || trial.failure !== null;
    if (isAnswered) this.dispatchEvent(new CustomEvent("choose", { detail: trial }));
  }
}
