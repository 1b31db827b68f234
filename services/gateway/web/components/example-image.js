/** The image of an example, or words in its place where it has none, or none that can be shown. */

import { element, setText } from "../lib/dom.js";

const NONE = "no image";
const NOT_SHOWN = "image not available";

/** Its `root` holds the image and the words, of which one is shown. */
export class ExampleImage {
  #other;
  #words = element("span", { className: "no-image", hidden: true });
  image;
  root;

  /**
   * @param {Record<string, unknown>} properties of the image element
   * @param {() => string | null} [other] another address to try once the first one fails
   */
  constructor(properties, other = () => null) {
    this.#other = other;
    this.image = element("img", properties);
    this.root = element("span", { className: "example-image" }, this.image, this.#words);
    this.image.addEventListener("error", () => this.#failed());
  }

  /** @param {string | null} url null: the example came as features, without an image */
  show(url) {
    this.#say(url === null ? NONE : "");
    if (url === null) this.image.removeAttribute("src");
    else this.image.src = url;
  }

  #failed() {
    if (!this.image.hasAttribute("src")) return;
    const url = this.#other();
    if (url === null || this.image.src === url) this.#say(NOT_SHOWN);
    else this.image.src = url;
  }

  /** @param {string} words in place of the image; empty: the image is shown */
  #say(words) {
    setText(this.#words, words);
    this.#words.hidden = words === "";
    this.image.hidden = words !== "";
  }
}
