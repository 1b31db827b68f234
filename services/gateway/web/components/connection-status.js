/** Whether the page is connected to its stream, in words, and since when it is not. */

import { setText } from "../lib/dom.js";

/** @import { ConnectionState } from "../api/types.js" */

const LOST_HINT = "What you see is from before. Check that the gateway is running (prequel up).";

/** Fills the header's status line. */
export class ConnectionStatus {
  #root;
  #text;
  /** @type {Date | null} */
  #lostAt = null;

  /** @param {HTMLElement} root with a span for the text */
  constructor(root) {
    this.#root = root;
    this.#text = root.querySelector("span") ?? root;
  }

  /** @param {ConnectionState} state */
  update(state) {
    const isLost = state === "lost";
    // The time of the first failure: each retry that fails reports "lost" again.
    this.#lostAt = isLost ? (this.#lostAt ?? new Date()) : null;
    this.#root.dataset.state = state;
    setText(this.#text, this.#describe(state));
    this.#root.title = isLost ? LOST_HINT : "";
    document.body.classList.toggle("stale", isLost);
  }

  /** @param {ConnectionState} state */
  #describe(state) {
    return {
      connecting: "Connecting",
      ready: "Ready",
      live: "Live",
      absent: "Waiting for the first image",
      lost: `Lost at ${this.#lostAt?.toLocaleTimeString()}; trying again`,
    }[state];
  }
}
