/** The key figures of a stream. */

import { element, write } from "../lib/dom.js";
import { Rate } from "../lib/rate-meter.js";
import { NONE, count, decimal, percent, rate } from "../lib/format.js";

const FIGURES = [
  ["accuracy", "Prequential accuracy", "each image scored before it is learned"],
  ["window", "Recent accuracy", "newest labels only"],
  ["kappa", "Kappa", "0 chance, 1 perfect"],
  ["images", "Images", "so far"],
  ["labelled", "Labelled", NONE],
  ["pending", "Pending", "without a label yet"],
  ["rate", "Images/s", "last 10 seconds"],
];

export class Figures {
  #values = {};
  #notes = {};
  #rate = new Rate();

  constructor(root) {
    for (const [key, name, note] of FIGURES) {
      this.#values[key] = element("dd", { className: "value" }, NONE);
      this.#notes[key] = element("dd", { className: "note" }, note);
      root.append(element("div", { className: `figure ${key}` }, element("dt", {}, name), this.#values[key], this.#notes[key]));
    }
    setInterval(() => this.#showRate(), 1000);
  }

  reset() {
    this.#rate = new Rate();
    for (const value of Object.values(this.#values)) write(value, NONE);
    write(this.#notes.labelled, NONE);
  }

  show(status) {
    const champion = status.models[status.champion] ?? {};
    this.#rate.add(status.images);
    write(this.#values.accuracy, percent(champion.accuracy));
    write(this.#values.window, percent(champion.window_accuracy));
    write(this.#values.kappa, decimal(champion.kappa));
    write(this.#values.images, count(status.images));
    write(this.#values.labelled, count(status.labelled));
    write(this.#notes.labelled, `${percent(status.label_coverage)} of the images`);
    write(this.#values.pending, count(status.pending));
    this.#showRate();
  }

  #showRate() {
    write(this.#values.rate, rate(this.#rate.perSecond()));
  }
}
