/** What people should know before they trust the numbers below it; nothing is shown where all is as it should be. */

import { element } from "../lib/dom.js";
import { alertsOf } from "../lib/evidence.js";

/** @import { Panel, Snapshot } from "./panel.js" */

/** @implements {Panel} */
export class Alerts {
  #root;
  /** What is shown, so that nothing is read aloud twice. */
  #shown = "";

  /** @param {HTMLElement} root a list */
  constructor(root) {
    this.#root = root;
  }

  reset() {
    this.#show([]);
  }

  /** @param {Snapshot} snapshot */
  update({ status }) {
    this.#show(alertsOf(status));
  }

  /** @param {ReturnType<typeof alertsOf>} alerts */
  #show(alerts) {
    const key = JSON.stringify(alerts);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#root.replaceChildren(
      ...alerts.map(({ title, text }) => element("li", {}, element("strong", {}, title), ` ${text}`)),
    );
  }
}
