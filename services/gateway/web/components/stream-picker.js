/** The choice of a stream, kept in the page's address. */

import { options } from "../lib/dom.js";

const NEW = " new";

/** Events: `choose` (detail: the name), `new` when a stream of another name is wanted. */
export class Picker extends EventTarget {
  #select;
  #names = [];
  chosen = fromAddress();

  constructor(select) {
    super();
    this.#select = select;
    select.addEventListener("change", () => this.#changed());
    window.addEventListener("hashchange", () => this.#moved());
    this.offer([]);
  }

  /** In the order of the alphabet, whatever theirs is. */
  offer(given) {
    const names = [...given].sort();
    this.#names = names;
    const all = this.chosen && !names.includes(this.chosen) ? [...names, this.chosen] : names;
    const none = all.length ? [] : [["", "no stream yet"]];
    options(this.#select, [...none, ...all.map((name) => [name, name]), [NEW, "New stream…"]]);
    this.#select.value = this.chosen ?? all[0] ?? "";
    this.#select.title = this.#select.value;
  }

  choose(name) {
    if (name === this.chosen) return;
    this.chosen = name;
    location.hash = `/${name}`;
    this.offer(this.#names);
    this.dispatchEvent(new CustomEvent("choose", { detail: name }));
  }

  /** An address that names no stream, such as the skip link's, leaves the one that is followed in it. */
  #moved() {
    const name = fromAddress();
    if (name !== null) this.choose(name);
    else if (this.chosen !== null) history.replaceState(null, "", `#/${this.chosen}`);
  }

  #changed() {
    const wanted = this.#select.value;
    this.#select.value = this.chosen ?? "";
    if (wanted === NEW) this.dispatchEvent(new Event("new"));
    else if (wanted) this.choose(wanted);
  }
}

function fromAddress() {
  return /^#\/([a-z0-9][a-z0-9._-]{0,62})$/.exec(location.hash)?.[1] ?? null;
}
