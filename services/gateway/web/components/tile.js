/** One prediction in the gallery: image, label, confidence, and whether it was right, not by colour alone. */

import { element, setText } from "../lib/dom.js";
import { describeAlternatives, describeSet } from "../lib/evidence.js";
import { formatPercent } from "../lib/format.js";
import { judge } from "../lib/outcome.js";
import { ExampleImage } from "./example-image.js";

/** @import { Prediction } from "../api/types.js" */

/** What a tile shows: `confidence` is null where it is not known. @typedef {{
 *   label: string | null, truth: string | null, unknown: boolean, confidence: number | null,
 *   alternatives: string | null, set: string | null
 * }} TileContent */

/** Pixels of the image's side, in CSS's units. */
const IMAGE_SIZE = 96;
/** Above twice the resolution nobody sees a difference, and the bytes are four times as many. */
const MAX_PIXEL_RATIO = 2;
/** Beside a longer name a tile has no room for the confidence: such names are written smaller, and wrap. */
const LONG_LABEL = 10;

/** A button with the image; its `root` is an item of the gallery's list. */
export class Tile {
  #image = new ExampleImage({ alt: "", width: IMAGE_SIZE, height: IMAGE_SIZE, decoding: "async" });
  #label = element("span", { className: "label" });
  #confidence = element("span", { className: "confidence" });
  #alternatives = element("span", { className: "alternatives" });
  #mark = element("span", { className: "mark" });
  #model;
  button;
  root;
  /** Resolves once the image is there, or will never be. @type {Promise<void>} */
  loaded;

  /**
   * @param {Prediction} prediction
   * @param {(id: string, size: number) => string} imageUrl
   * @param {string | undefined} model the challenger whose prediction is shown; none: the champion
   */
  constructor(prediction, imageUrl, model) {
    this.#model = model;
    const properties = { type: "button", className: "tile", tabIndex: -1 };
    this.button = element("button", properties, this.#image.root, this.#label, this.#confidence, this.#alternatives, this.#mark);
    this.button.dataset.id = prediction.id;
    this.root = element("li", {}, this.button);
    const size = IMAGE_SIZE * Math.min(MAX_PIXEL_RATIO, Math.ceil(devicePixelRatio));
    this.#image.show(prediction.image === null ? null : imageUrl(prediction.id, size));
    this.loaded = prediction.image === null ? Promise.resolve() : this.#image.image.decode().catch(() => {});
    this.prediction = prediction;
    this.update(prediction);
  }

  /**
   * The label of the image came, or was taken back (null).
   * @param {string | null} truth
   */
  setTruth(truth) {
    this.update({ ...this.prediction, truth });
  }

  /** @param {Prediction} prediction */
  update(prediction) {
    this.prediction = prediction;
    const content = this.#contentOf(prediction);
    const { label, truth, unknown, confidence } = content;
    const name = label ?? placeholderLabel(unknown);
    setText(this.#label, name);
    this.#label.classList.toggle("long", (label ?? "").length > LONG_LABEL);
    setText(this.#confidence, confidence === null ? "" : formatPercent(confidence, 0));
    setText(this.#alternatives, content.alternatives ?? "");
    setText(this.#mark, `${markText(label, truth)}${likeIt(prediction.duplicates)}`);
    this.button.dataset.verdict = judge(label, truth);
    this.button.setAttribute("aria-label", `${spokenText(content)}${likeIt(prediction.duplicates, "Images nearly equal to it")}`);
    this.button.title = truth === null ? (label ?? "") : `predicted ${name}, is ${truth}`;
  }

  /**
   * Of a challenger only the label is stored, and it never abstains.
   * @param {Prediction} prediction
   * @returns {TileContent}
   */
  #contentOf(prediction) {
    const { label, truth, unknown = false, probabilities, models } = prediction;
    const none = { confidence: null, alternatives: null, set: null };
    if (this.#model) return { label: models[this.#model] ?? null, truth, unknown: false, ...none };
    if (label === null) return { label, truth, unknown, ...none };
    const [alternatives, set] = [describeAlternatives(prediction), describeSet(prediction)];
    return { label, truth, unknown, confidence: probabilities[label] ?? null, alternatives, set };
  }
}

/**
 * @param {string | null} label
 * @param {string | null} truth
 */
function markText(label, truth) {
  return { open: "no label", right: "✓ right", wrong: `✕ is ${truth}`, none: `is ${truth}` }[judge(label, truth)];
}

/**
 * What stands in place of a label: the model abstained, or knew no class.
 * @param {boolean} abstained
 */
function placeholderLabel(abstained) {
  return abstained ? "unsure" : "none yet";
}

/**
 * How many nearly equal images a tile stands for, to be added to a text.
 * @param {number} [count]
 * @param {string} [words]
 */
function likeIt(count = 0, words = "") {
  if (count === 0) return "";
  return words === "" ? ` · +${count} alike` : ` ${words}: ${count}.`;
}

/** @param {TileContent} content */
function spokenText({ label, confidence, truth, unknown, set }) {
  const verdict = judge(label, truth);
  const judgement = { open: "No label yet", right: "Right", wrong: `Wrong: it is ${truth}`, none: `It is ${truth}` }[verdict];
  if (label === null) {
    return `${unknown ? "Unsure: none of the known classes" : "Not predicted: no class was known yet"}. ${judgement}.`;
  }
  const share = confidence === null ? "" : `, ${formatPercent(confidence, 0)}`;
  return `Predicted ${label}${share}. ${set === null ? "" : `${set} `}${judgement}.`;
}
