/** One prediction in the gallery: image, label, confidence, and whether it was right, not by colour alone. */

import { element, write } from "../lib/dom.js";
import { percent } from "../lib/format.js";

const SIDE = 96;
const SHARPEST = 2;
/** Letters beside which a tile has no room for the confidence too: such names are written smaller, and wrap. */
const LONG = 10;

export class Tile {
  /** `model`: the challenger whose prediction is shown; none: the champion. */
  constructor(prediction, imageUrl, model) {
    this.model = model;
    this.image = element("img", { alt: "", width: SIDE, height: SIDE, decoding: "async" });
    this.label = element("span", { className: "label" });
    this.sure = element("span", { className: "sure" });
    this.mark = element("span", { className: "mark" });
    this.button = element("button", { type: "button", className: "tile", tabIndex: -1 }, this.image, this.label, this.sure, this.mark);
    this.root = element("li", {}, this.button);
    this.button.dataset.id = prediction.id;
    this.image.addEventListener("error", () => this.image.classList.add("gone"));
    this.image.src = imageUrl(prediction.id, SIDE * Math.min(SHARPEST, Math.ceil(devicePixelRatio)));
    /** Resolves once the image is there, or will never be. */
    this.loaded = this.image.decode().catch(() => {});
    this.show(prediction);
  }

  /** The truth came, or was taken back (null). */
  tell(truth) {
    this.show({ ...this.prediction, truth });
  }

  show(prediction) {
    this.prediction = prediction;
    const { truth, unknown, label, sure } = this.#said(prediction);
    write(this.label, label ?? nameless(unknown));
    this.label.classList.toggle("long", (label ?? "").length > LONG);
    write(this.sure, sure === null ? "" : percent(sure, 0));
    write(this.mark, markText(label, truth));
    this.button.dataset.verdict = verdict(label, truth);
    this.button.setAttribute("aria-label", spoken(label, sure, truth, unknown));
    this.button.title = truth === null ? (label ?? "") : `predicted ${label ?? nameless(unknown)}, is ${truth}`;
  }

  /** Of challengers only the label is kept; a challenger never abstains. */
  #said({ label, truth, unknown, probabilities, models }) {
    if (this.model) return { label: models[this.model] ?? null, truth, unknown: false, sure: null };
    return { label, truth, unknown, sure: label === null ? null : (probabilities[label] ?? null) };
  }
}

/** right, wrong, open (no label yet), or none where the model named no class: that is not judged. */
export function verdict(label, truth) {
  if (truth === null) return "open";
  if (label === null) return "none";
  return label === truth ? "right" : "wrong";
}

function markText(label, truth) {
  return { open: "no label", right: "✓ right", wrong: `✕ is ${truth}`, none: `is ${truth}` }[verdict(label, truth)];
}

/** What stands for a label where there is none: the model abstained, or knew no class. */
export function nameless(unknown) {
  return unknown ? "unsure" : "none yet";
}

function spoken(label, sure, truth, unknown) {
  const nothing = unknown ? "Unsure: none of the known classes" : "Not predicted: no class was known yet";
  const said = label === null ? nothing : `Predicted ${label}${sure === null ? "" : `, ${percent(sure, 0)}`}`;
  return `${said}. ${{ open: "No label yet", right: "Right", wrong: `Wrong: it is ${truth}`, none: `It is ${truth}` }[verdict(label, truth)]}.`;
}
