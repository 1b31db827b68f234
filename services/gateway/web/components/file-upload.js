/** Pictures from files: chosen, dropped on the page or pasted. */

import { element } from "../lib/dom.js";

/** Event: `files` (detail: array of Blob). */
export class Upload extends EventTarget {
  root = element("div", { className: "upload" });
  #picture = element("img", { alt: "The uploaded picture", hidden: true });

  constructor() {
    super();
    const input = element("input", { type: "file", accept: "image/*", multiple: true, className: "hidden" });
    const text = element("span", {}, element("strong", {}, "Choose pictures"), element("br"), "drop or paste them");
    this.root.append(element("label", { className: "drop" }, input, text, this.#picture));
    input.addEventListener("change", () => {
      this.#take(input.files);
      input.value = "";
    });
    this.#listen();
  }

  /** Shows the picture at `url`, or none. */
  show(url) {
    this.#picture.hidden = url == null;
    if (url != null) this.#picture.src = url;
  }

  #listen() {
    const over = (on) => document.body.classList.toggle("dropping", on);
    document.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      over(true);
    });
    document.addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      this.#take(event.dataTransfer.files);
    });
    document.addEventListener("paste", (event) => this.#take(event.clipboardData.files));
  }

  #take(files) {
    if (files.length) this.dispatchEvent(new CustomEvent("files", { detail: [...files] }));
  }
}
