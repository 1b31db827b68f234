/** What goes wrong with the gateway's calls, as messages that people can act on. */

/** A call that failed. */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP's, or 0 where the gateway was not reached
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * What to do, where the gateway's own answer does not say so.
 * @type {Record<number, string>}
 */
const ADVICE = {
  0: "The gateway cannot be reached. Check that it is running (prequel up); this page keeps trying.",
  401: "This gateway asks for an API key.",
  413: "This image is larger than the gateway accepts. Send a smaller one.",
  415: "The gateway cannot read this kind of file. Send a picture, such as a JPEG or PNG.",
  429: "Too many requests at once. Wait a moment, then try again.",
  503: "The gateway is up, but what it needs is not ready yet. Wait a moment, then try again.",
};

/**
 * The error of a gateway that was not reached.
 * @returns {ApiError}
 */
export function unreachable() {
  return new ApiError(0, ADVICE[0]);
}

/**
 * The error that an answer means. RFC 9457 says what happened in `detail`; the answer of a proxy has none, and then the page
 * says what to do.
 * @param {Response} response
 * @returns {Promise<ApiError>}
 */
export async function errorOf(response) {
  const { status } = response;
  /** @type {{title?: unknown, detail?: unknown} | null} */
  const body = await response.json().catch(() => null);
  const detail = typeof body?.detail === "string" ? body.detail : "";
  const title = body?.title ? ` (${body.title})` : "";
  return new ApiError(status, detail || ADVICE[status] || `The gateway answered ${status}${title}.`);
}

/**
 * What to show of an error that was caught.
 * @param {unknown} error
 * @returns {string}
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
