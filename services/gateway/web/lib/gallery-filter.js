/** Which predictions the gallery shows: newest, most uncertain or wrong, of which class, by which model. */

/** @import { Prediction, PredictionQuery } from "../api/types.js" */

/** @typedef {"recent" | "uncertain" | "wrong"} Kind */

/** @type {Record<Kind, string>} */
const NOTES = {
  recent: "As they come. Choose one to see more or to correct it.",
  uncertain: "Without a label, the least sure first: labels teach most here.",
  wrong: "Predicted one thing, labelled another, the newest first.",
};

const MIX_NOTE = "Every fifth is drawn at random: only such labels tell how accurate the model is on all images.";

/** A choice, which does not change. */
export class GalleryFilter {
  /**
   * @param {object} choice each but `kind` undefined where it does not matter
   * @param {Kind} choice.kind
   * @param {string} [choice.predicted] a class
   * @param {string} [choice.truth] a class
   * @param {string} [choice.model] a challenger, whose predictions are shown in place of the champion's
   */
  constructor({ kind, predicted, truth, model }) {
    this.kind = kind;
    this.predicted = predicted;
    this.truth = truth;
    this.model = model;
  }

  /** Whether predictions can be shown as they come; otherwise the list has to be fetched again: truths come later. */
  get isLive() {
    return this.kind === "recent" && this.truth === undefined;
  }

  /**
   * Whether images drawn at random are mixed in. Of the images of one class, or of those that a challenger is unsure of,
   * they would be a sample of these only.
   */
  get mixesInRandom() {
    return this.kind === "uncertain" && this.predicted === undefined && this.truth === undefined && !this.model;
  }

  /** What is shown, in a sentence. */
  get note() {
    if (this.mixesInRandom) return `${NOTES.uncertain} ${MIX_NOTE}`;
    return this.model ? `${NOTES[this.kind]} As ${this.model} predicted them.` : NOTES[this.kind];
  }

  /**
   * What is said where nothing fits.
   * @param {string | null} command how to add pictures in a terminal
   * @returns {string}
   */
  emptyText(command) {
    if (this.predicted !== undefined || this.truth !== undefined) return "No image here is of these classes.";
    if (this.kind === "uncertain") return "Nothing uncertain here: every image has its label.";
    if (this.kind === "wrong") return "Nothing wrong here.";
    return `Nothing here yet. Draw or upload a picture and add it${command ? `, or type: ${command}` : ""}.`;
  }

  /**
   * What to ask the gateway for.
   * @param {number} limit
   * @returns {PredictionQuery}
   */
  toQuery(limit) {
    const isUncertain = this.kind === "uncertain";
    return {
      sort: isUncertain ? "uncertain" : "recent",
      wrong: this.kind === "wrong" ? true : undefined,
      predicted: this.predicted,
      // An empty truth means: without a label. An image that has one is not uncertain any more.
      truth: this.truth ?? (isUncertain ? "" : undefined),
      model: this.model,
      limit,
    };
  }

  /**
   * Whether a prediction that has just come is of the predicted class, if one is chosen.
   * @param {Pick<Prediction, "label" | "models">} prediction
   * @returns {boolean}
   */
  accepts({ label, models }) {
    const predicted = this.model ? models[this.model] : label;
    return this.predicted === undefined || predicted === this.predicted;
  }
}
