/** Short messages that are read aloud, with an action where there is one (undo), and go by themselves. */

import { element } from "../lib/dom.js";

const SHOWN_MS = 9000;

export class Notices {
  #root;

  constructor(root) {
    this.#root = root;
  }

  /**
   * `action` is [text, function], `picture` the URL of what it is about. Over an open dialog, the message is part of it: nothing
   * else can be seen or heard.
   */
  say(text, action = null, kind = "plain", picture = null) {
    const card = element("div", { className: `notice ${kind}` }, ...(picture ? [thumbnail(picture)] : []), element("p", {}, text));
    const dismiss = () => card.remove();
    if (action) card.append(this.#button(action[0], () => (dismiss(), action[1]())));
    card.append(this.#button("Dismiss", dismiss, "quiet"));
    (document.querySelector("dialog[open]") ?? document.body).append(this.#root);
    this.#root.replaceChildren(card);
    this.#expire(card, dismiss);
  }

  #button(text, act, look = "") {
    const button = element("button", { type: "button", className: look }, text);
    button.addEventListener("click", act);
    return button;
  }

  /** Nobody loses a message that they are about to act on. */
  #expire(card, dismiss) {
    setTimeout(() => {
      if (card.matches(":hover, :focus-within")) this.#expire(card, dismiss);
      else dismiss();
    }, SHOWN_MS);
  }
}

/** Of an image that retention took, nothing is shown. */
function thumbnail(url) {
  const image = element("img", { src: url, alt: "", width: 40, height: 40 });
  image.addEventListener("error", () => image.remove());
  return image;
}
