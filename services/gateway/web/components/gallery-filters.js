/** The controls of the gallery: what it shows, and the button that pauses it. */

import { buildSegments, checkSegment, element, setOptions } from "../lib/dom.js";
import { GalleryFilter } from "../lib/gallery-filter.js";
import { sortNaturally } from "../lib/labels.js";

/** @import { Kind } from "../lib/gallery-filter.js" */
/** @import { Snapshot } from "../panels/panel.js" */

/** @type {[Kind, string][]} */
const KINDS = [
  ["recent", "Newest"],
  ["uncertain", "Uncertain"],
  ["disagreement", "Disputed"],
  ["random", "Random"],
  ["suspect", "Suspect"],
  ["wrong", "Wrong"],
];

/** Events: `change` of the filter, `pause` of the button. */
export class GalleryFilters extends EventTarget {
  /** @type {Kind} */
  #kind = "recent";
  #kinds = element("div", {
    className: "segments", role: "radiogroup", "aria-label": "Which predictions", id: "gallery-kind",
  });
  #predicted = element("select");
  #truth = element("select");
  #model = element("select");
  #modelField = labelledField("By", this.#model, "Predicted by");
  #pauseButton = element("button", { type: "button", className: "quiet", "aria-pressed": "false" }, "Pause");
  isPaused = false;

  /** @param {HTMLElement} root */
  constructor(root) {
    super();
    buildSegments(this.#kinds, KINDS, this.#kind, (kind) => {
      this.#kind = kind;
      this.#announceChange();
    });
    for (const select of [this.#predicted, this.#truth, this.#model]) {
      select.addEventListener("change", () => this.#announceChange());
    }
    this.#pauseButton.addEventListener("click", () => this.#togglePause());
    const predictedField = labelledField("Predicted", this.#predicted, "Only those predicted as");
    const truthField = labelledField("Is", this.#truth, "Only those that are");
    root.append(this.#kinds, predictedField, truthField, this.#modelField, this.#pauseButton);
    this.#offer([], []);
  }

  /** What is chosen now. */
  get filter() {
    return new GalleryFilter({
      kind: this.#kind,
      predicted: labelOf(this.#predicted.value),
      truth: labelOf(this.#truth.value),
      model: this.#model.value || undefined,
    });
  }

  /** Another stream has other models; the kind, and a class that both have, stay chosen. */
  reset() {
    this.#model.value = "";
  }

  /** @param {Snapshot} snapshot */
  update({ status, models }) {
    this.#offer(status.labels, models);
  }

  /**
   * Shows the images of one cell of the confusion matrix.
   * @param {{predicted: string, truth: string, model: string | null}} cell `model`: a challenger, null for the champion
   */
  showCell({ predicted, truth, model }) {
    this.#kind = "recent";
    checkSegment(this.#kinds, this.#kind);
    this.#predicted.value = optionOf(predicted);
    this.#truth.value = optionOf(truth);
    this.#model.value = model ?? "";
    this.#announceChange();
  }

  /**
   * @param {string[]} labels
   * @param {string[]} models the champion first; which one is a choice only with challengers
   */
  #offer(labels, models) {
    const [champion, ...challengers] = models;
    this.#modelField.hidden = challengers.length === 0;
    setOptions(this.#model, [["", champion ?? ""], ...pairs(challengers, (name) => name)]);
    /** @type {[string, string][]} */
    const choices = [["", "any"], ...pairs(sortNaturally(labels), optionOf)];
    setOptions(this.#predicted, choices);
    setOptions(this.#truth, choices);
  }

  #announceChange() {
    this.dispatchEvent(new Event("change"));
  }

  #togglePause() {
    this.isPaused = !this.isPaused;
    this.#pauseButton.setAttribute("aria-pressed", String(this.isPaused));
    this.#pauseButton.textContent = this.isPaused ? "Resume" : "Pause";
    this.dispatchEvent(new Event("pause"));
  }
}

/**
 * The value of a label's option: marked, for a label may be any text, and the empty value means "any".
 * @param {string} label
 */
function optionOf(label) {
  return `=${label}`;
}

/** @param {string} option */
function labelOf(option) {
  return option === "" ? undefined : option.slice(1);
}

/**
 * Values and texts of options.
 * @param {string[]} texts
 * @param {(text: string) => string} valueOf
 * @returns {[string, string][]}
 */
function pairs(texts, valueOf) {
  return texts.map((text) => [valueOf(text), text]);
}

/**
 * @param {string} name
 * @param {HTMLElement} control
 * @param {string} spokenName a short name needs more words where it is read aloud alone
 */
function labelledField(name, control, spokenName) {
  control.setAttribute("aria-label", spokenName);
  return element("label", { className: "field" }, element("span", {}, name), control);
}
