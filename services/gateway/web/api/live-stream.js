/** One stream followed live: its status, predictions and outcomes as events, over a connection that is renewed when it ends. */

import { delay, untilVisible } from "../lib/throttle.js";
import { ApiError } from "./errors.js";

/** @import { GatewayClient } from "./client.js" */
/** @import { ConnectionState } from "./types.js" */

/** After a restart the gateway is back within seconds; doubling slowly spares one that is away for long. */
const MIN_RETRY_MS = 1000;
const MAX_RETRY_MS = 8000;
const RETRY_GROWTH = 1.6;
/** Somebody may be about to send the first image: the page shows it soon after. */
const ABSENT_RETRY_MS = 3000;
/** The gateway pings every 15 seconds: one ping missing may be a busy network, two and more a dead connection. */
const MAX_SILENCE_MS = 40_000;

const EVENT_TYPES = ["status", "prediction", "outcome", "applied", "ping", "reset", "reconnect"];

/**
 * Events, each with the API's JSON as detail: `connection` (a ConnectionState), `status`, `prediction`, `outcome`,
 * `applied`; and `connected` each time the connection came (back): what was missed has to be fetched.
 */
export class LiveStream extends EventTarget {
  #client;
  #closed = new AbortController();

  /**
   * @param {GatewayClient} client
   * @param {string} name
   */
  constructor(client, name) {
    super();
    this.#client = client;
    this.name = name;
  }

  /** Follows the stream until `close`. */
  async follow() {
    const { signal } = this.#closed;
    let retryMs = MIN_RETRY_MS;
    this.#dispatch("connection", "connecting");
    while (!signal.aborted) {
      await untilVisible(signal);
      const state = await this.#connect(() => (retryMs = MIN_RETRY_MS));
      if (signal.aborted) return;
      if (document.hidden) continue;
      this.#dispatch("connection", state);
      await delay(state === "absent" ? ABSENT_RETRY_MS : retryMs, signal);
      retryMs = Math.min(retryMs * RETRY_GROWTH, MAX_RETRY_MS);
    }
  }

  /** Ends the connection; no event comes after it. */
  close() {
    this.#closed.abort();
  }

  /**
   * Resolves, once the connection has ended, to the state that this leaves the page in.
   * @param {() => void} onOpen
   * @returns {Promise<ConnectionState>}
   */
  async #connect(onOpen) {
    try {
      this.#dispatch("status", await this.#client.status(this.name));
    } catch (error) {
      return isMissing(error) ? "absent" : "lost";
    }
    return document.hidden ? "lost" : this.#listen(onOpen);
  }

  /**
   * Resolves when the connection ends, is closed, or has been silent for longer than the gateway's pings allow. Also when
   * the page is hidden: browsers have six connections for all the tabs of a host, and each hidden tab would keep one. And
   * where the stream was deleted before the connection came: no event would ever say so.
   * @param {() => void} onOpen
   * @returns {Promise<ConnectionState>}
   */
  #listen(onOpen) {
    const source = new EventSource(this.#client.eventsUrl(this.name));
    return new Promise((resolve) => {
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let silenceTimer;
      /** @param {ConnectionState} state */
      const finish = (state) => {
        clearTimeout(silenceTimer);
        document.removeEventListener("visibilitychange", lose);
        source.close();
        resolve(state);
      };
      const lose = () => finish("lost");
      const restartSilenceTimer = () => {
        clearTimeout(silenceTimer);
        silenceTimer = setTimeout(lose, MAX_SILENCE_MS);
      };
      for (const type of EVENT_TYPES) {
        source.addEventListener(type, (event) => {
          restartSilenceTimer();
          this.#dispatch(type, JSON.parse(event.data));
        });
      }
      source.onopen = () => {
        restartSilenceTimer();
        onOpen();
        this.#dispatch("connection", "live");
        this.#dispatch("connected", null);
        void this.#isDeleted().then((isDeleted) => isDeleted && finish("absent"));
      };
      source.onerror = lose;
      document.addEventListener("visibilitychange", lose);
      this.#closed.signal.addEventListener("abort", lose);
    });
  }

  async #isDeleted() {
    try {
      await this.#client.status(this.name);
      return false;
    } catch (error) {
      return isMissing(error);
    }
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #dispatch(type, detail) {
    if (!this.#closed.signal.aborted) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {unknown} error */
function isMissing(error) {
  return error instanceof ApiError && error.status === 404;
}
