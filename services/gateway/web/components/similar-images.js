/** The labelled images that are nearest to one, with who labelled each and when. */

import { messageOf } from "../api/errors.js";
import { element, setText } from "../lib/dom.js";
import { formatPercent } from "../lib/format.js";
import { ExampleImage } from "./example-image.js";

/** @import { GatewayClient } from "../api/client.js" */
/** @import { SimilarExample } from "../api/types.js" */

/** As many as fit into two rows of the dialog. */
const SHOWN = 8;
const IMAGE_SIZE = 64;

/** Its `root` is hidden while there is nothing to show. */
export class SimilarImages {
  #client;
  #list = element("ul", { className: "similar-images" });
  #note = element("p", { className: "muted" });
  #title = element("h3", {}, "Nearest with a label");
  root = element("section", { className: "similar", hidden: true }, this.#title, this.#list, this.#note);
  /** The image they belong to: an answer for another one comes too late. @type {string | null} */
  #id = null;

  /** @param {GatewayClient} client */
  constructor(client) {
    this.#client = client;
  }

  /**
   * Shows those of another image, as soon as they are known.
   * @param {string} stream
   * @param {string} id
   */
  async show(stream, id) {
    this.#id = id;
    this.root.hidden = true;
    this.#list.replaceChildren();
    setText(this.#note, "");
    try {
      const { examples, typical_distance: typical } = await this.#client.similar(stream, id, SHOWN);
      if (this.#id !== id) return;
      this.#list.replaceChildren(...examples.map((example) => this.#item(stream, example, typical)));
      this.root.hidden = examples.length === 0;
    } catch (error) {
      if (this.#id !== id) return;
      setText(this.#note, messageOf(error));
      this.root.hidden = false;
    }
  }

  /**
   * @param {string} stream
   * @param {SimilarExample} example
   * @param {number} typical the distance of two images of the stream
   */
  #item(stream, { id, label, by, labelled_at: at, distance, image: place }, typical) {
    const share = typical > 0 ? formatPercent(distance / typical, 0) : "0 %";
    const words = `${label}, labelled by ${by} at ${new Date(at).toLocaleString()}; ${share} of a usual distance away`;
    const url = place === null ? null : this.#client.imageUrl(stream, id, IMAGE_SIZE);
    const image = new ExampleImage({ alt: words, title: words, width: IMAGE_SIZE, height: IMAGE_SIZE });
    image.show(url);
    return element("li", { title: words }, image.root, element("span", {}, label));
  }
}
