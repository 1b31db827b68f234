/** Whether somebody is looking at moving content closely, or has paused it: then nothing may move under their pointer. */

/** A finger leaves no pointer behind: after a touch people still look for about as long. */
const TOUCH_PAUSE_MS = 5000;

/** @typedef {"pointer" | "focus" | "touch" | "button" | "dialog"} PauseReason */

/** Event: `resume` when the last reason to pause has gone. */
export class InteractionPause extends EventTarget {
  /** @type {Set<PauseReason>} */
  #reasons = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #touchTimer;

  /** @param {HTMLElement} content */
  constructor(content) {
    super();
    content.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.set("pointer", true));
    content.addEventListener("pointerleave", () => this.set("pointer", false));
    content.addEventListener("focusin", () => this.set("focus", true));
    content.addEventListener("focusout", () => this.set("focus", false));
    content.addEventListener("touchstart", () => this.#pauseForTouch(), { passive: true });
  }

  get isPaused() {
    return this.#reasons.size > 0;
  }

  /**
   * @param {PauseReason} reason
   * @param {boolean} applies
   */
  set(reason, applies) {
    if (applies) this.#reasons.add(reason);
    else this.#reasons.delete(reason);
    if (!this.isPaused) this.dispatchEvent(new Event("resume"));
  }

  /** The content was removed, and with it the element in focus: no browser tells of that by an event. */
  forgetFocus() {
    this.#reasons.delete("focus");
  }

  #pauseForTouch() {
    clearTimeout(this.#touchTimer);
    this.set("touch", true);
    this.#touchTimer = setTimeout(() => this.set("touch", false), TOUCH_PAUSE_MS);
  }
}
