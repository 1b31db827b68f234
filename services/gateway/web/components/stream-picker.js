/** The choice of a stream, stored in the page's address. */

import { setOptions } from "../lib/dom.js";

/** No stream's name: names have no spaces. */
const NEW_STREAM = " new";

/** The same as the gateway's rule for names. */
const ADDRESS = /^#\/([a-z0-9][a-z0-9._-]{0,62})$/;

/** Events: `choose` (detail: the name), `new` when a stream of another name is wanted. */
export class StreamPicker extends EventTarget {
  #select;
  /** @type {string[]} */
  #names = [];
  /** The stream that is followed, or null. @type {string | null} */
  chosen = streamInAddress();

  /** @param {HTMLSelectElement} select */
  constructor(select) {
    super();
    this.#select = select;
    select.addEventListener("change", () => this.#onSelect());
    window.addEventListener("hashchange", () => this.#onAddressChange());
    this.update([]);
  }

  /**
   * Offers these streams in alphabetical order, and the chosen one, which may have no image yet.
   * @param {string[]} names
   */
  update(names) {
    this.#names = [...names].sort();
    const isListed = this.chosen === null || this.#names.includes(this.chosen);
    const all = isListed ? this.#names : [...this.#names, this.chosen ?? ""];
    /** @type {[string, string][]} */
    const choices = all.length > 0 ? all.map((name) => [name, name]) : [["", "no stream yet"]];
    setOptions(this.#select, [...choices, [NEW_STREAM, "New stream…"]]);
    this.#select.value = this.chosen ?? all[0] ?? "";
    this.#select.title = this.#select.value;
  }

  /** @param {string} name */
  choose(name) {
    if (name === this.chosen) return;
    this.chosen = name;
    location.hash = `/${name}`;
    this.update(this.#names);
    this.dispatchEvent(new CustomEvent("choose", { detail: name }));
  }

  /** An address that names no stream, such as the skip link's, is replaced by that of the stream that is followed. */
  #onAddressChange() {
    const name = streamInAddress();
    if (name !== null) this.choose(name);
    else if (this.chosen !== null) history.replaceState(null, "", `#/${this.chosen}`);
  }

  #onSelect() {
    const value = this.#select.value;
    this.#select.value = this.chosen ?? "";
    if (value === NEW_STREAM) this.dispatchEvent(new Event("new"));
    else if (value) this.choose(value);
  }
}

function streamInAddress() {
  return ADDRESS.exec(location.hash)?.[1] ?? null;
}
