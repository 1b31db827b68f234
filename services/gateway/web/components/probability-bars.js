/** Probabilities as bars that move in place. */

import { element, write } from "../lib/dom.js";
import { MOST_IN_PLACE, likely, percent } from "../lib/format.js";

export class Bars {
  #root;
  #rows = new Map();

  constructor(root) {
    this.#root = root;
    root.classList.add("bars");
  }

  clear() {
    this.#rows.clear();
    this.#root.replaceChildren();
  }

  /** `before`, if given, leaves a mark where each bar ended earlier. */
  show(probabilities, labels, before = null) {
    const shown = likely(labels, probabilities).slice(0, MOST_IN_PLACE);
    if (shown.join("\n") !== [...this.#rows.keys()].join("\n")) this.#rebuild(shown);
    const best = Math.max(...Object.values(probabilities), 0);
    for (const label of shown) this.#fill(this.#rows.get(label), probabilities[label] ?? 0, best, before && (before[label] ?? 0));
  }

  #rebuild(labels) {
    this.clear();
    for (const label of labels) {
      const track = element("span", { className: "track" }, element("i", { className: "fill" }), element("i", { className: "before" }));
      const value = element("span", { className: "value" });
      const row = element("li", {}, element("span", { className: "label", title: label }, label), track, value);
      this.#rows.set(label, row);
      this.#root.append(row);
    }
  }

  #fill(row, share, best, before) {
    row.classList.toggle("best", share > 0 && share === best);
    row.classList.toggle("moved", before != null);
    row.style.setProperty("--share", share);
    row.style.setProperty("--before", before ?? 0);
    write(row.querySelector(".value"), best === 0 ? "" : percent(share, share > 0 && share < 0.1 ? 1 : 0));
  }
}
