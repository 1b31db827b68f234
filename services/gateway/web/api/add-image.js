/** Adds an image to a stream and stays with it until its prediction is there. */

import { ApiError } from "./errors.js";

/** @import { GatewayClient } from "./client.js" */
/** @import { Prediction } from "./types.js" */

/** Most predictions come within a second; from here on, people are told that it takes longer. */
const FIRST_WAIT_SECONDS = 8;
/** Below the half minute after which proxies give a silent connection up. */
const WAIT_SECONDS = 15;
/** Together a minute: then something is wrong that people have to look after. */
const MAX_WAITS = 4;

/**
 * Resolves to the prediction of the image, which is part of the stream from now on. Throws ApiError.
 * @param {GatewayClient} client
 * @param {string} stream
 * @param {Blob} image
 * @param {(message: string) => void} onDelay called when it takes longer than usual
 * @returns {Promise<Prediction>}
 */
export async function addImage(client, stream, image, onDelay) {
  const accepted = await client.sendImage(stream, image, FIRST_WAIT_SECONDS);
  if (accepted.prediction) return accepted.prediction;
  onDelay("Safely written. The prediction takes longer than usual; this page keeps waiting for it.");
  for (let attempt = 0; attempt < MAX_WAITS; attempt++) {
    const prediction = await client.prediction(stream, accepted.id, WAIT_SECONDS).catch(nullIfMissing);
    if (prediction) return prediction;
  }
  throw new ApiError(
    504,
    "The image is safe, but no prediction came within a minute. Check that extractor and learner are running (prequel doctor).",
  );
}

/** @param {unknown} error */
function nullIfMissing(error) {
  if (error instanceof ApiError && error.status === 404) return null;
  throw error;
}
