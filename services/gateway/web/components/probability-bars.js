/** Probabilities as bars that move in place. */

import { element, setText } from "../lib/dom.js";
import { formatPercent } from "../lib/format.js";
import { MAX_BARS, rankLabels } from "../lib/labels.js";

/** @typedef {{root: HTMLElement, value: HTMLElement}} BarRow */

/** Below this share, whole per cents would show most classes as 0 %. */
const DIGITS_BELOW = 0.1;

/** At most ten bars, one a class. */
export class ProbabilityBars {
  root = element("ul", { className: "bars", "aria-label": "Probabilities" });
  /** By label, in the order shown. @type {Map<string, BarRow>} */
  #rows = new Map();

  /** Removes all bars, so that those of another image do not seem to have moved from these. */
  clear() {
    this.#rows.clear();
    this.root.replaceChildren();
  }

  /**
   * @param {Record<string, number>} probabilities
   * @param {string[]} labels those the stream knows: they have a bar even at 0
   * @param {Record<string, number> | null} [previous] leaves a mark where each bar ended earlier
   */
  update(probabilities, labels, previous = null) {
    const shownLabels = rankLabels(labels, probabilities).slice(0, MAX_BARS);
    if (shownLabels.join("\n") !== [...this.#rows.keys()].join("\n")) this.#rebuild(shownLabels);
    const largest = Math.max(...Object.values(probabilities), 0);
    for (const [label, row] of this.#rows) {
      const share = probabilities[label] ?? 0;
      row.root.classList.toggle("best", share > 0 && share === largest);
      row.root.classList.toggle("moved", previous !== null);
      row.root.style.setProperty("--share", String(share));
      row.root.style.setProperty("--before", String(previous?.[label] ?? 0));
      const digits = share > 0 && share < DIGITS_BELOW ? 1 : 0;
      setText(row.value, largest === 0 ? "" : formatPercent(share, digits));
    }
  }

  /** @param {string[]} labels */
  #rebuild(labels) {
    this.clear();
    for (const label of labels) {
      const fill = element("i", { className: "fill" });
      const track = element("span", { className: "track" }, fill, element("i", { className: "before" }));
      const value = element("span", { className: "value" });
      const root = element("li", {}, element("span", { className: "label", title: label }, label), track, value);
      this.#rows.set(label, { root, value });
      this.root.append(root);
    }
  }
}
