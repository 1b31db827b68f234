/** Adds an image to a stream and stays with it until its prediction is there. */

import { Problem } from "./client.js";

const FIRST_WAIT_SECONDS = 8;
const WAIT_SECONDS = 15;
const WAITS = 4;

/** Resolves to the prediction, whose image is in the stream from now on; `onWait(sentence)` is told when it takes longer. Raises Problem. */
export async function add(api, stream, image, onWait) {
  const sent = await api.sendImage(stream, image, FIRST_WAIT_SECONDS);
  if (sent.prediction) return sent.prediction;
  onWait("Safely written. The prediction takes longer than usual; this page keeps waiting for it.");
  for (let turn = 0; turn < WAITS; turn++) {
    const found = await api.prediction(stream, sent.id, WAIT_SECONDS).catch(unlessMissing);
    if (found) return found;
  }
  throw new Problem(504, "The image is safe, but no prediction came within a minute. Check that extractor and learner are running (prequel doctor).");
}

function unlessMissing(problem) {
  if (problem.status === 404) return null;
  throw problem;
}
