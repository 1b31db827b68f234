/** The gateway's HTTP calls; whatever goes wrong is a Problem whose message people can act on. */

/** `status` is HTTP's, or 0 where the gateway was not reached. */
export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const ADVICE = {
  0: "The gateway cannot be reached. Check that it is running (prequel up); this page keeps trying.",
  401: "This gateway asks for an API key.",
  413: "This image is larger than the gateway accepts. Send a smaller one.",
  415: "The gateway cannot read this kind of file. Send a picture, such as a JPEG or PNG.",
  429: "Too many requests at once. Wait a moment, then try again.",
  503: "The gateway is up, but what it needs is not ready yet. Wait a moment, then try again.",
};

export class Api {
  #base;
  #askKey;
  #asking = null;

  /**
   * `base` is the URL of the folder that holds `v1/`; `askKey(check)` asks people for the API key until `check(key)`
   * resolves to null, where it is not taken to a message.
   */
  constructor(base, askKey) {
    this.#base = base;
    this.#askKey = askKey;
  }

  /** Resolves to the names, the one with the newest activity first. */
  async streams() {
    const { streams } = await this.#json("v1/streams");
    const time = ({ active_at: at }) => (at ? Date.parse(at) : 0);
    return streams.sort((a, b) => time(b) - time(a)).map((each) => each.stream);
  }

  /** How commands are typed here: `{program, container, url, keys}`. */
  installation() {
    return this.#json("v1/installation");
  }

  /** Resolves to what is still being waited for, as sentences; none once all is ready. */
  async reasons() {
    const answer = await this.#fetch("readyz", {}, 0);
    const { reasons } = await answer.json();
    return Object.entries(reasons).map(([part, reason]) => `${part}: ${reason}`);
  }

  status(stream) {
    return this.#json(at(stream));
  }

  /** Resolves to `{points, drifts}`. */
  curve(stream) {
    return this.#json(`${at(stream)}/curve`);
  }

  confusion(stream, model) {
    return this.#json(`${at(stream)}/confusion?${query({ model })}`);
  }

  /** `filter`: sort, predicted, truth (empty: without a label), wrong, model, limit. Resolves to an array. */
  async predictions(stream, filter) {
    return (await this.#json(`${at(stream)}/predictions?${query(filter)}`)).predictions;
  }

  prediction(stream, id, wait) {
    return this.#json(`${at(stream)}/predictions/${encodeURIComponent(id)}?${query({ wait })}`, {}, wait);
  }

  /** What the newest state says of a picture: no event, nothing is recorded. Resolves to `{label, probabilities, models, unknown}`. */
  predict(stream, image) {
    const headers = { "Content-Type": image.type || "application/octet-stream" };
    return this.#json(`${at(stream)}/predict`, { method: "POST", headers, body: image });
  }

  /** Resolves to `{id, position, prediction?}`. */
  sendImage(stream, image, wait) {
    // Not every browser knows HEIC by its name; the gateway looks at the bytes.
    const headers = { "Content-Type": image.type || "image/unknown" };
    return this.#json(`${at(stream)}/images?${query({ wait })}`, { method: "POST", headers, body: image }, wait);
  }

  /** `label` null retracts. Resolves to the outcome, or to `{id, position}` where it took longer than `wait` seconds. */
  sendLabel(stream, id, label, wait) {
    const body = JSON.stringify({ id, label, by: "page" });
    const headers = { "Content-Type": "application/json" };
    return this.#json(`${at(stream)}/labels?${query({ wait })}`, { method: "POST", headers, body }, wait);
  }

  imageUrl(stream, id, size) {
    return this.url(`${at(stream)}/images/${encodeURIComponent(id)}?${query({ size })}`);
  }

  eventsUrl(stream) {
    return this.url(`${at(stream)}/events`);
  }

  url(path) {
    return new URL(path, this.#base).href;
  }

  async #json(path, request = {}, wait = 0) {
    const answer = await this.#fetch(path, request, wait);
    if (answer.status === 401) {
      await this.#key();
      return this.#json(path, request, wait);
    }
    const body = await answer.json().catch(() => null);
    if (!answer.ok) throw new Problem(answer.status, sentence(answer.status, body));
    return body;
  }

  /** One question, however many calls wait for its answer. */
  #key() {
    this.#asking ??= this.#askKey((key) => this.#beginSession(key)).finally(() => (this.#asking = null));
    return this.#asking;
  }

  /** Trades the key for a cookie, which images and events send too. */
  async #beginSession(key) {
    const headers = { "Content-Type": "application/json" };
    const answer = await this.#fetch("v1/session", { method: "POST", headers, body: JSON.stringify({ key }) }, 0);
    return answer.ok ? null : sentence(answer.status, await answer.json().catch(() => null));
  }

  async #fetch(path, request, wait) {
    try {
      return await fetch(this.url(path), { ...request, signal: AbortSignal.timeout((wait + 20) * 1000) });
    } catch {
      throw new Problem(0, ADVICE[0]);
    }
  }
}

function at(stream) {
  return `v1/streams/${encodeURIComponent(stream)}`;
}

function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given).toString();
}

/** RFC 9457 says what happened in `detail`; where an answer has none, we say what to do. */
function sentence(status, problem) {
  const detail = typeof problem?.detail === "string" ? problem.detail : null;
  return detail || ADVICE[status] || `The gateway answered ${status}${problem?.title ? ` (${problem.title})` : ""}.`;
}
