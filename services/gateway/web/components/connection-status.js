/** Whether the page is in touch with its stream, in words and with the time it was lost. */

import { write } from "../lib/dom.js";

const WORDS = { connecting: "Connecting", ready: "Ready", live: "Live", absent: "Waiting for the first image" };

export class Connection {
  #root;
  #text;
  #since = null;

  constructor(root) {
    this.#root = root;
    this.#text = root.querySelector("span");
  }

  show(state) {
    if (state === "lost") this.#since ??= new Date();
    else this.#since = null;
    const lost = `Lost at ${this.#since?.toLocaleTimeString()}; trying again`;
    this.#root.dataset.state = state;
    write(this.#text, WORDS[state] ?? lost);
    this.#root.title = state === "lost" ? "What you see is from before. Check that the gateway is running (prequel up)." : "";
    document.body.classList.toggle("stale", state === "lost");
  }
}
