/** Which predictions the gallery shows: newest, wrong, or those to look at next, of which class, by which model. */

/** @import { LabelReason, Prediction, PredictionQuery, QueueQuery } from "../api/types.js" */

/** @typedef {"recent" | "uncertain" | "disagreement" | "random" | "suspect" | "wrong"} Kind */

/** @type {Record<Kind, string>} */
const NOTES = {
  recent: "As they come. Choose one to see more or to correct it.",
  uncertain: "Without a label, as predicted now, the least sure first: labels teach most here.",
  disagreement: "Without a label, and models call them differently now: the most divided first.",
  random: "Without a label, in a random order: labels of these tell how accurate the model is on all images.",
  suspect: "Labelled, but the champion would call them otherwise if it had not learned them: the surest first.",
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
    if (this.kind === "disagreement") return "Nothing here: the models agree on every image without a label.";
    if (this.kind === "random") return "Nothing here: every image of the random sample has its label.";
    if (this.kind === "suspect") return "Nothing suspect here: the champion believes every label.";
    if (this.kind === "wrong") return "Nothing wrong here.";
    return `Nothing here yet. Draw or upload a picture and add it${command ? `, or type: ${command}` : ""}.`;
  }

  /**
   * What to ask the gateway for where the list is of the models as they are now; null where it is not. Images that have
   * no label are of no class, and opinions are the champion's. Of the random sample nothing is listed for another reason.
   * @param {number} limit
   * @returns {QueueQuery | null}
   */
  toQueueQuery(limit) {
    const { kind, predicted, truth, model } = this;
    if (kind === "recent" || kind === "wrong" || model || (truth !== undefined && kind !== "suspect")) return null;
    const sample = { uncertain: false, disagreement: false, random: true, suspect: undefined }[kind];
    return { by: kind, predicted, truth, sample, limit };
  }

  /**
   * How an image of the list was chosen to be labelled; undefined where the list chooses none. Of the images of one class
   * none is chosen at random.
   * @returns {LabelReason | undefined}
   */
  get reason() {
    if (this.kind === "random") return this.predicted === undefined ? "random" : undefined;
    return this.kind === "uncertain" || this.kind === "disagreement" ? this.kind : undefined;
  }

  /**
   * What to ask the gateway for, of predictions as they were made.
   * @param {number} limit
   * @returns {PredictionQuery}
   */
  toQuery(limit) {
    const isUncertain = this.kind === "uncertain" || this.kind === "disagreement";
    const isOpen = isUncertain || this.kind === "random";
    return {
      sort: isUncertain ? "uncertain" : this.kind === "random" ? "random" : "recent",
      wrong: this.kind === "wrong" ? true : undefined,
      predicted: this.predicted,
      // An empty truth means: without a label. An image that has one is not uncertain any more.
      truth: this.truth ?? (isOpen ? "" : undefined),
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
