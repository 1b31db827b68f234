/** One prediction in the gallery: image, label, confidence, and whether it was right, not by colour alone. */

import { element, write } from "./elements.js";
import { percent } from "./words.js";

const SIDE = 96;
const SHARPEST = 2;

export class Tile {
  constructor(prediction, imageUrl) {
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
    const { label, truth } = prediction;
    const sure = label === null ? null : (prediction.probabilities[label] ?? null);
    write(this.label, label ?? "nothing yet");
    write(this.sure, sure === null ? "" : percent(sure, 0));
    write(this.mark, markText(label, truth));
    this.button.dataset.verdict = verdict(label, truth);
    this.button.setAttribute("aria-label", spoken(label, sure, truth));
    this.button.title = truth === null ? (label ?? "") : `predicted ${label ?? "nothing"}, is ${truth}`;
  }
}

/** right, wrong or open. */
export function verdict(label, truth) {
  if (truth === null) return "open";
  return label === truth ? "right" : "wrong";
}

function markText(label, truth) {
  return { open: "no label", right: "✓ right", wrong: `✕ is ${truth}` }[verdict(label, truth)];
}

function spoken(label, sure, truth) {
  const said = label === null ? "Not predicted: no class was known yet" : `Predicted ${label}, ${percent(sure, 0)}`;
  return `${said}. ${{ open: "No label yet", right: "Right", wrong: `Wrong: it is ${truth}` }[verdict(label, truth)]}.`;
}
