/** The key figures of a stream. */

import { element, setText } from "../lib/dom.js";
import { formatInterval } from "../lib/evidence.js";
import { NO_VALUE, formatCount, formatDecimal, formatPercent, formatRate } from "../lib/format.js";
import { RateMeter } from "../lib/rate-meter.js";

/** @import { RandomSample } from "../api/types.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

const EACH_SCORED = "each image scored before it is learned";

/** Class name, title and explanation of each figure. */
const FIGURES = /** @type {const} */ ([
  ["accuracy", "Prequential accuracy", EACH_SCORED],
  ["window", "Recent accuracy", "newest labels only"],
  ["random", "On random images", NO_VALUE],
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
  /** The explanations, which change with some figures. @type {Map<string, HTMLElement>} */
  #notes = new Map();
  #rate = new RateMeter();

  /** @param {HTMLElement} root a description list */
  constructor(root) {
    for (const [key, title, note] of FIGURES) {
      const value = element("dd", { className: "value" }, NO_VALUE);
      this.#values.set(key, value);
      const description = element("dd", { className: "note" }, note);
      this.#notes.set(key, description);
      root.append(element("div", { className: `figure ${key}` }, element("dt", {}, title), value, description));
    }
    this.#showSample(null);
    setInterval(() => this.#showRate(), RATE_INTERVAL_MS);
  }

  reset() {
    this.#rate = new RateMeter();
    for (const [key] of FIGURES) this.#show(key, NO_VALUE);
    for (const [key, , note] of FIGURES) this.#explain(key, note);
    this.#showSample(null);
  }

  /** @param {Snapshot} snapshot */
  update({ status }) {
    const champion = status.models[status.champion];
    this.#rate.add(status.images);
    this.#show("accuracy", formatPercent(champion?.accuracy));
    this.#explain("accuracy", describeAccuracy(champion?.interval));
    this.#show("window", formatPercent(champion?.window_accuracy));
    this.#show("kappa", formatDecimal(champion?.kappa));
    this.#show("images", formatCount(status.images));
    this.#show("labelled", formatCount(status.labelled));
    this.#explain("labelled", `${formatPercent(status.label_coverage)} of the images`);
    this.#showSample(status.random_sample);
    this.#show("pending", formatCount(status.pending));
    this.#showRate();
  }

  /**
   * In place of kappa, where there is one: a number more would be one too many.
   * @param {RandomSample | null | undefined} sample
   */
  #showSample(sample) {
    for (const [key, isShown] of [["random", Boolean(sample)], ["kappa", !sample]]) {
      const figure = this.#values.get(/** @type {string} */ (key))?.parentElement;
      if (figure) figure.hidden = !isShown;
    }
    this.#show("random", formatPercent(sample?.accuracy));
    if (sample) this.#explain("random", `${formatCount(sample.labelled)} labels: ${formatInterval(sample.interval)}`);
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

  /**
   * @param {(typeof FIGURES)[number][0]} key
   * @param {string} text
   */
  #explain(key, text) {
    const note = this.#notes.get(key);
    if (note) setText(note, text);
  }
}

/** @param {[number, number] | null | undefined} interval */
function describeAccuracy(interval) {
  return interval ? `${formatInterval(interval)} with 95 % certainty; ${EACH_SCORED}` : EACH_SCORED;
}
