/** Short messages that are read aloud, may offer an action such as undo, and go by themselves. */

import { button, element } from "../lib/dom.js";

/** @typedef {"plain" | "good" | "bad"} NotificationKind */
/** @typedef {{text: string, run: () => unknown}} NotificationAction */

/** Long enough to read two lines and reach for the button. */
const SHOWN_MS = 9000;
/** Pixels; style.css sets the same size. */
const THUMBNAIL_SIZE = 40;

/** Shows one message at a time, the newest. */
export class Notifications {
  #root;

  /** @param {HTMLElement} root a live region */
  constructor(root) {
    this.#root = root;
  }

  /**
   * @param {string} text
   * @param {object} [options]
   * @param {NotificationKind} [options.kind]
   * @param {NotificationAction} [options.action]
   * @param {string} [options.thumbnail] the URL of the image it is about
   */
  show(text, { kind = "plain", action, thumbnail } = {}) {
    const card = element("div", { className: `notice ${kind}` });
    const dismiss = () => card.remove();
    if (thumbnail) card.append(createThumbnail(thumbnail));
    card.append(element("p", {}, text));
    if (action) card.append(button(action.text, () => (dismiss(), action.run())));
    card.append(button("Dismiss", dismiss, "quiet"));
    // Beside an open modal dialog nothing can be seen, clicked or heard: the message has to be inside it.
    (document.querySelector("dialog[open]") ?? document.body).append(this.#root);
    this.#root.replaceChildren(card);
    this.#expire(card);
  }

  /**
   * A message that somebody points at or is about to act on stays.
   * @param {HTMLElement} card
   */
  #expire(card) {
    setTimeout(() => {
      if (card.matches(":hover, :focus-within")) this.#expire(card);
      else card.remove();
    }, SHOWN_MS);
  }
}

/**
 * Removed where retention has taken the image.
 * @param {string} url
 */
function createThumbnail(url) {
  const image = element("img", { src: url, alt: "", width: THUMBNAIL_SIZE, height: THUMBNAIL_SIZE });
  image.addEventListener("error", () => image.remove());
  return image;
}
