/** The gateway's HTTP calls. */

import { errorOf, unreachable } from "./errors.js";

/**
 * @import {
 *   AcceptedImage, AcceptedLabel, AccuracyCurve, ConfusionCounts, ExampleQueue, Installation, Outcome, Prediction,
 *   PredictionQuery, LabelReason, QueueQuery, Reliability, SimilarExamples, StreamStatus, TrialPrediction,
 * } from "./types.js"
 */

/** A gateway that hangs must not leave the page saying "Asking…" for ever; answers normally take far less than this. */
const TIMEOUT_SECONDS = 20;

const JSON_HEADERS = { "Content-Type": "application/json" };

/**
 * Asks people for the API key until `check` resolves to null; where the key is refused, it resolves to a message.
 * @typedef {(check: (key: string) => Promise<string | null>) => Promise<unknown>} AskForKey
 */

/** Each method throws ApiError. Times to wait are seconds that the gateway may hold the answer back. */
export class GatewayClient {
  #baseUrl;
  #askForKey;
  /** @type {Promise<unknown> | null} */
  #keyPrompt = null;

  /**
   * @param {string} baseUrl of the folder that holds `v1/`
   * @param {AskForKey} askForKey
   */
  constructor(baseUrl, askForKey) {
    this.#baseUrl = baseUrl;
    this.#askForKey = askForKey;
  }

  /**
   * The streams' names, the one with the newest activity first.
   * @returns {Promise<string[]>}
   */
  async streams() {
    /** @type {{streams: {stream: string, active_at?: string | null}[]}} */
    const { streams } = await this.json("v1/streams");
    const lastActive = streams.map(({ stream, active_at: at }) => ({ stream, time: at ? Date.parse(at) : 0 }));
    return lastActive.sort((a, b) => b.time - a.time).map(({ stream }) => stream);
  }

  /** @returns {Promise<Installation>} */
  installation() {
    return this.json("v1/installation");
  }

  /**
   * What the gateway still waits for, as sentences; none once all is ready.
   * @returns {Promise<string[]>}
   */
  async notReadyReasons() {
    // Not json: "not ready" is answered with 503, and its reasons are what is asked for.
    const response = await this.#fetch("readyz");
    /** @type {{reasons: Record<string, string>}} */
    const { reasons } = await response.json();
    return Object.entries(reasons).map(([part, reason]) => `${part}: ${reason}`);
  }

  /**
   * @param {string} stream
   * @returns {Promise<StreamStatus>}
   */
  status(stream) {
    return this.json(streamPath(stream));
  }

  /**
   * @param {string} stream
   * @returns {Promise<AccuracyCurve>}
   */
  curve(stream) {
    return this.json(`${streamPath(stream)}/curve`);
  }

  /**
   * @param {string} stream
   * @param {string} model
   * @returns {Promise<ConfusionCounts>}
   */
  confusion(stream, model) {
    return this.json(`${streamPath(stream)}/confusion?${queryString({ model })}`);
  }

  /**
   * @param {string} stream
   * @returns {Promise<Reliability>}
   */
  reliability(stream) {
    return this.json(`${streamPath(stream)}/reliability`);
  }

  /**
   * @param {string} stream
   * @param {PredictionQuery} query
   * @returns {Promise<Prediction[]>}
   */
  async predictions(stream, query) {
    /** @type {{predictions: Prediction[]}} */
    const { predictions } = await this.json(`${streamPath(stream)}/predictions?${queryString({ ...query })}`);
    return predictions;
  }

  /**
   * Images to look at, as predictions of the models as they are now.
   * @param {string} stream
   * @param {QueueQuery} query
   * @returns {Promise<Prediction[]>}
   */
  async queue(stream, query) {
    /** @type {ExampleQueue} */
    const { model, examples } = await this.json(`${streamPath(stream)}/queue?${queryString({ ...query })}`);
    return examples.map(({ id, position, at, truth, image, opinion, prediction, duplicate_count: duplicates }) => {
      return { id, position, at, truth, model, image, ...opinion, past: prediction, duplicates };
    });
  }

  /**
   * The labelled images nearest to one.
   * @param {string} stream
   * @param {string} id
   * @param {number} limit
   * @returns {Promise<SimilarExamples>}
   */
  similar(stream, id, limit) {
    return this.json(`${streamPath(stream)}/similar/${encodeURIComponent(id)}?${queryString({ limit })}`);
  }

  /**
   * @param {string} stream
   * @param {string} id
   * @param {number} [wait]
   * @returns {Promise<Prediction>}
   */
  prediction(stream, id, wait) {
    const path = `${streamPath(stream)}/predictions/${encodeURIComponent(id)}?${queryString({ wait })}`;
    return this.json(path, {}, wait);
  }

  /**
   * What the newest state predicts for a picture, without an event: nothing is recorded.
   * @param {string} stream
   * @param {Blob} image
   * @returns {Promise<TrialPrediction>}
   */
  predict(stream, image) {
    const headers = { "Content-Type": image.type || "application/octet-stream" };
    return this.json(`${streamPath(stream)}/predict`, { method: "POST", headers, body: image });
  }

  /**
   * Adds an image to the stream; with its prediction, if that comes within `wait` seconds.
   * @param {string} stream
   * @param {Blob} image
   * @param {number} wait
   * @returns {Promise<AcceptedImage>}
   */
  sendImage(stream, image, wait) {
    // Not every browser knows HEIC by its name; the gateway looks at the bytes.
    const headers = { "Content-Type": image.type || "image/unknown" };
    const path = `${streamPath(stream)}/images?${queryString({ wait })}`;
    return this.json(path, { method: "POST", headers, body: image }, wait);
  }

  /**
   * Labels an image; with the outcome, if that comes within `wait` seconds.
   * @param {string} stream
   * @param {string} id
   * @param {string | null} label null retracts the label that there is
   * @param {object} options
   * @param {number} options.wait
   * @param {LabelReason} [options.why] how the image was chosen; none: somebody came across it
   * @returns {Promise<Outcome | AcceptedLabel>}
   */
  sendLabel(stream, id, label, { wait, why }) {
    const body = JSON.stringify({ id, label, by: "page", why });
    const path = `${streamPath(stream)}/labels?${queryString({ wait })}`;
    return this.json(path, { method: "POST", headers: JSON_HEADERS, body }, wait);
  }

  /**
   * @param {string} stream
   * @param {string} id
   * @param {number} [size] the longest side of a thumbnail in pixels; none: the image as it was sent
   * @returns {string}
   */
  imageUrl(stream, id, size) {
    return this.#url(`${streamPath(stream)}/images/${encodeURIComponent(id)}?${queryString({ size })}`);
  }

  /**
   * @param {string} stream
   * @returns {string}
   */
  eventsUrl(stream) {
    return this.#url(`${streamPath(stream)}/events`);
  }

  /** @param {string} path */
  #url(path) {
    return new URL(path, this.#baseUrl).href;
  }

  /**
   * The answer's JSON, whose shape each caller declares. After a 401 people are asked for the key, and the call is repeated.
   * @param {string} path
   * @param {RequestInit} [request]
   * @param {number} [wait]
   * @returns {Promise<any>}
   */
  async json(path, request = {}, wait = 0) {
    const response = await this.#fetch(path, request, wait);
    if (response.status === 401) {
      await this.#obtainKey();
      return this.json(path, request, wait);
    }
    if (!response.ok) throw await errorOf(response);
    return response.json().catch(() => null);
  }

  /** One prompt, however many calls wait for its answer. */
  #obtainKey() {
    this.#keyPrompt ??= this.#askForKey((key) => this.#beginSession(key)).finally(() => (this.#keyPrompt = null));
    return this.#keyPrompt;
  }

  /**
   * Trades the key for a cookie, which images and events send too: these cannot carry a header.
   * @param {string} key
   * @returns {Promise<string | null>} why the key was refused
   */
  async #beginSession(key) {
    const request = { method: "POST", headers: JSON_HEADERS, body: JSON.stringify({ key }) };
    const response = await this.#fetch("v1/session", request);
    return response.ok ? null : (await errorOf(response)).message;
  }

  /**
   * @param {string} path
   * @param {RequestInit} [request]
   * @param {number} [wait]
   * @returns {Promise<Response>}
   */
  async #fetch(path, request = {}, wait = 0) {
    try {
      return await fetch(this.#url(path), { ...request, signal: AbortSignal.timeout((wait + TIMEOUT_SECONDS) * 1000) });
    } catch {
      throw unreachable();
    }
  }
}

/**
 * @param {string} stream
 * @returns {string}
 */
export function streamPath(stream) {
  return `v1/streams/${encodeURIComponent(stream)}`;
}

/** @param {Record<string, string | number | boolean | undefined>} values those that are undefined are left out */
function queryString(values) {
  const defined = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return new URLSearchParams(defined).toString();
}
