/** One stream followed live: its status, predictions and outcomes as events, reconnecting for as long as it takes; while nobody can see the page, it rests. */

import { pause, shown } from "../lib/throttle.js";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 8000;
const ABSENT_PAUSE_MS = 3000;
const SILENCE_MS = 40_000;
const KINDS = ["status", "prediction", "outcome", "applied", "ping", "reset", "reconnect"];

/**
 * Events: `connection` (detail: connecting, live, lost or absent), `status`, `prediction`, `outcome`, `applied` (detail: the API's JSON),
 * and `fresh` each time the connection came (back): what was missed has to be fetched.
 */
export class Stream extends EventTarget {
  #api;
  #ended = new AbortController();

  constructor(api, name) {
    super();
    this.#api = api;
    this.name = name;
  }

  /** Follows until `close`. */
  async follow() {
    let wait = FIRST_PAUSE_MS;
    this.#tell("connection", "connecting");
    while (!this.#ended.signal.aborted) {
      await shown(this.#ended.signal);
      const state = await this.#attempt(() => (wait = FIRST_PAUSE_MS));
      if (this.#ended.signal.aborted) return;
      if (document.hidden) continue;
      this.#tell("connection", state);
      await pause(state === "absent" ? ABSENT_PAUSE_MS : wait, this.#ended.signal);
      wait = Math.min(wait * 1.6, LONGEST_PAUSE_MS);
    }
  }

  close() {
    this.#ended.abort();
  }

  /** Resolves, once the connection is gone, to the state that leaves us in. */
  async #attempt(onLive) {
    try {
      this.#tell("status", await this.#api.status(this.name));
    } catch (problem) {
      return problem.status === 404 ? "absent" : "lost";
    }
    return document.hidden ? "lost" : this.#listen(onLive);
  }

  /**
   * Resolves when the connection ends, is ended, or has been silent for longer than the gateway's pings allow; also as the
   * page is hidden, for browsers have six connections for all the tabs of a host, and each of these would keep one; and
   * where the stream was deleted before the connection came: nobody would tell of that any more.
   */
  #listen(onLive) {
    const source = new EventSource(this.#api.eventsUrl(this.name));
    return new Promise((resolve) => {
      let silence = null;
      const finish = (state) => {
        clearTimeout(silence);
        document.removeEventListener("visibilitychange", end);
        source.close();
        resolve(state);
      };
      const end = () => finish("lost");
      const heard = () => {
        clearTimeout(silence);
        silence = setTimeout(end, SILENCE_MS);
      };
      for (const kind of KINDS) source.addEventListener(kind, (event) => (heard(), this.#tell(kind, JSON.parse(event.data))));
      source.onopen = () => {
        heard();
        onLive();
        this.#tell("connection", "live");
        this.#tell("fresh", null);
        this.#gone().then((gone) => gone && finish("absent"));
      };
      source.onerror = end;
      document.addEventListener("visibilitychange", end);
      this.#ended.signal.addEventListener("abort", end);
    });
  }

  async #gone() {
    try {
      await this.#api.status(this.name);
      return false;
    } catch (problem) {
      return problem.status === 404;
    }
  }

  #tell(kind, detail) {
    if (!this.#ended.signal.aborted) this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
