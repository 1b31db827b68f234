/** Pictures from files: chosen, dropped on the page or pasted. */

import { element } from "../lib/dom.js";

/** Event: `files` (detail: File[]). */
export class FileUpload extends EventTarget {
  root = element("div", { className: "upload" });
  #preview = element("img", { alt: "The uploaded picture", hidden: true });

  constructor() {
    super();
    const input = element("input", { type: "file", accept: "image/*", multiple: true, className: "hidden" });
    const text = element("span", {}, element("strong", {}, "Choose pictures"), element("br"), "drop or paste them");
    this.root.append(element("label", { className: "drop" }, input, text, this.#preview));
    input.addEventListener("change", () => {
      this.#accept(input.files);
      input.value = ""; // Else choosing the same file again would be no change.
    });
    this.#listenToPage();
  }

  /**
   * Shows the picture at a URL, or none.
   * @param {string | null} url
   */
  showPreview(url) {
    this.#preview.hidden = url === null;
    if (url !== null) this.#preview.src = url;
  }

  #listenToPage() {
    /** @param {boolean} isOver */
    const mark = (isOver) => document.body.classList.toggle("dropping", isOver);
    document.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      mark(true);
    });
    // Between two elements of the page it only moves on; with no element to go to, it left the window.
    document.addEventListener("dragleave", (event) => event.relatedTarget === null && mark(false));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      mark(false);
      this.#accept(event.dataTransfer?.files);
    });
    document.addEventListener("paste", (event) => this.#accept(event.clipboardData?.files));
  }

  /** @param {FileList | null | undefined} files none where text was dropped or pasted */
  #accept(files) {
    if (files?.length) this.dispatchEvent(new CustomEvent("files", { detail: [...files] }));
  }
}
