/** The key figures of a stream. */

import { element, setText } from "../lib/dom.js";
import { NO_VALUE, formatCount, formatDecimal, formatPercent, formatRate } from "../lib/format.js";
import { RateMeter } from "../lib/rate-meter.js";

/** @import { Panel, Snapshot } from "./panel.js" */

/** Class name, title and explanation of each figure. */
const FIGURES = /** @type {const} */ ([
  ["accuracy", "Prequential accuracy", "each image scored before it is learned"],
  ["window", "Recent accuracy", "newest labels only"],
  ["kappa", "Kappa", "0 chance, 1 perfect"],
  ["images", "Images", "so far"],
  ["labelled", "Labelled", NO_VALUE],
  ["pending", "Pending", "without a label yet"],
  ["rate", "Images/s", "last 10 seconds"],
]);

/** The rate falls while nothing comes, and then no status does either. */
const RATE_INTERVAL_MS = 1000;

/** @implements {Panel} */
export class KeyFigures {
  /** @type {Map<string, HTMLElement>} */
  #values = new Map();
  #coverage = element("dd", { className: "note" });
  #rate = new RateMeter();

  /** @param {HTMLElement} root a description list */
  constructor(root) {
    for (const [key, title, note] of FIGURES) {
      const value = element("dd", { className: "value" }, NO_VALUE);
      this.#values.set(key, value);
      const description = key === "labelled" ? this.#coverage : element("dd", { className: "note" }, note);
      root.append(element("div", { className: `figure ${key}` }, element("dt", {}, title), value, description));
    }
    setText(this.#coverage, NO_VALUE);
    setInterval(() => this.#showRate(), RATE_INTERVAL_MS);
  }

  reset() {
    this.#rate = new RateMeter();
    for (const [key] of FIGURES) this.#show(key, NO_VALUE);
    setText(this.#coverage, NO_VALUE);
  }

  /** @param {Snapshot} snapshot */
  update({ status }) {
    const champion = status.models[status.champion];
    this.#rate.add(status.images);
    this.#show("accuracy", formatPercent(champion?.accuracy));
    this.#show("window", formatPercent(champion?.window_accuracy));
    this.#show("kappa", formatDecimal(champion?.kappa));
    this.#show("images", formatCount(status.images));
    this.#show("labelled", formatCount(status.labelled));
    setText(this.#coverage, `${formatPercent(status.label_coverage)} of the images`);
    this.#show("pending", formatCount(status.pending));
    this.#showRate();
  }

  #showRate() {
    this.#show("rate", formatRate(this.#rate.perSecond()));
  }

  /**
   * @param {(typeof FIGURES)[number][0]} key
   * @param {string} text
   */
  #show(key, text) {
    const value = this.#values.get(key);
    if (value) setText(value, text);
  }
}
