/** A picture that people try the model on: what was predicted for it, and whether it has been added to the stream. */

import { ApiError } from "../api/errors.js";

/** @import { GatewayClient } from "../api/client.js" */
/** @import { Prediction, TrialPrediction } from "../api/types.js" */

/** What HTTP says of bytes that no gateway can read: such a picture cannot be added either. */
const UNREADABLE = [413, 415, 422];

/** One picture, for one stream. */
export class Trial {
  /** What the newest state predicted, or null. @type {TrialPrediction | null} */
  prediction = null;
  /** The probabilities of the time before, to compare with. @type {Record<string, number> | null} */
  previousProbabilities = null;
  /** Why there is no prediction. @type {ApiError | null} */
  failure = null;
  /** Its prediction as an event of the stream, once it was added. @type {Prediction | null} */
  recorded = null;
  /** While it is being added, and afterwards. @type {Promise<Prediction> | null} */
  recording = null;

  /**
   * @param {string} stream
   * @param {Blob & {name?: string}} image
   * @param {string | null} url where the picture can be seen, if anywhere
   */
  constructor(stream, image, url) {
    this.stream = stream;
    this.image = image;
    this.url = url;
    this.name = image.name || "pasted picture";
  }

  /** The label it has in the stream, or null. */
  get truth() {
    return this.recorded?.truth ?? null;
  }

  /** Whether the gateway has answered, if only that it has no prediction, and the picture could be in the stream. */
  get canBeAdded() {
    return this.prediction !== null || (this.failure !== null && !UNREADABLE.includes(this.failure.status));
  }

  /** Whether the gateway could not be reached. */
  get isUnanswered() {
    return this.failure?.status === 0;
  }

  /**
   * Asks for a prediction without an event: nothing is recorded.
   * @param {GatewayClient} client
   */
  async predict(client) {
    try {
      const prediction = await client.predict(this.stream, this.image);
      this.previousProbabilities = this.prediction?.probabilities ?? null;
      this.prediction = prediction;
      this.failure = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failure = error;
    }
  }

  /**
   * Adds it to the stream, once, however many ask. Throws ApiError; then it may be tried again.
   * @param {(image: Blob) => Promise<Prediction>} addImage
   * @returns {Promise<Prediction>}
   */
  record(addImage) {
    this.recording ??= addImage(this.image).then(
      (prediction) => (this.recorded = { ...prediction }),
      (error) => {
        this.recording = null;
        throw error;
      },
    );
    return this.recording;
  }
}
