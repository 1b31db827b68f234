/** The pictures that were uploaded here, each with what the model says of it. */

import { element, write } from "../lib/dom.js";

const MOST = 24;

/** Event: `choose` (detail: the subject). */
export class Queue extends EventTarget {
  root = element("ul", { className: "queue", "aria-label": "Uploaded pictures" });
  #rows = new Map();

  add(subjects) {
    for (const subject of subjects.slice(-MOST)) this.#addOne(subject);
    for (const subject of [...this.#rows.keys()].slice(0, -MOST)) this.#drop(subject);
  }

  get subjects() {
    return [...this.#rows.keys()];
  }

  settle(subject) {
    const row = this.#rows.get(subject);
    if (!row) return;
    write(row.said, subject.failure ? "no answer" : (subject.prediction.label ?? "none yet"));
    row.button.title = subject.failure?.message ?? subject.name;
  }

  clear() {
    for (const subject of [...this.#rows.keys()]) this.#drop(subject);
  }

  #addOne(subject) {
    const said = element("span", { className: "label" }, "…");
    const image = element("img", { src: subject.url, alt: subject.name, width: 56, height: 56 });
    const button = element("button", { type: "button", className: "tile", title: subject.name }, image, said);
    button.addEventListener("click", () => (subject.prediction || subject.failure) && this.#choose(subject));
    const root = element("li", {}, button);
    this.#rows.set(subject, { root, button, said });
    this.root.prepend(root);
  }

  #drop(subject) {
    const row = this.#rows.get(subject);
    URL.revokeObjectURL(subject.url);
    row.root.remove();
    this.#rows.delete(subject);
  }

  #choose(subject) {
    this.dispatchEvent(new CustomEvent("choose", { detail: subject }));
  }
}
