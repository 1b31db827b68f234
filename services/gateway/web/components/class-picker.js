/** The choice of a class: buttons, number keys for ten of them, a field for the others and for a new one. */

import { assignKeys } from "../lib/class-order.js";
import { element } from "../lib/dom.js";
import { rankLabels } from "../lib/labels.js";

/** @import { ClassChoices } from "../lib/class-order.js" */

/** About what fits without scrolling far; the field completes the names of the others. */
const MAX_BUTTONS = 40;
/** The gateway's limit for a label. */
const MAX_LABEL_LENGTH = 128;
/** Up to so many characters, buttons of one width stand in a grid, as digits do. */
const SHORT_LABEL = 2;

/** Makes the ids of the fields unique. */
let pickerCount = 0;

/** Offers the classes of a stream, once they are known: what stands here can be clicked and has its key at once. */
export class ClassPicker {
  #onChoose;
  #buttons = element("div", { className: "choices", role: "group", "aria-label": "Classes", tabIndex: -1 });
  #input;
  #submitButton = element("button", { type: "submit" }, "Teach");
  #datalist = element("datalist");
  root = element("div", { className: "class-picker" });
  /** What is shown now, to leave the buttons alone where nothing has changed. */
  #shownKey = "";
  #isKnown = false;
  /** @type {string[]} */
  #labels = [];
  /** @type {Map<string, string>} */
  #labelOfKey = new Map();

  /** @param {(label: string) => unknown} onChoose called for a button, a number key or the field */
  constructor(onChoose) {
    this.#onChoose = onChoose;
    const id = `new-class-${++pickerCount}`;
    this.#input = element("input", {
      id, type: "text", maxLength: MAX_LABEL_LENGTH, autocomplete: "off", placeholder: "another class",
    });
    this.#datalist.id = `${id}-others`;
    this.#input.setAttribute("list", this.#datalist.id);
    const name = element("label", { htmlFor: id, className: "hidden" }, "Another or a new class");
    const form = element("form", { className: "new-class" }, name, this.#input, this.#submitButton);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    // Enter that is still down since it opened an image must not label it too.
    this.#buttons.addEventListener("keydown", (event) => event.repeat && event.key === "Enter" && event.preventDefault());
    this.root.append(this.#buttons, form, this.#datalist);
  }

  /**
   * @param {ClassChoices | null} classes null until the stream's status is known: then no class is offered, for one that
   *   the probabilities name would have no key yet, and keys given to these would change as the others come
   * @param {string | null} chosen the class that the image has now
   * @param {Record<string, number>} [probabilities]
   */
  update(classes, chosen, probabilities = {}) {
    this.#isKnown = classes !== null;
    const labels = classes === null ? [] : offeredLabels(classes, probabilities);
    const keys = classes?.keys ?? assignKeys(labels);
    const key = JSON.stringify([labels, [...keys], chosen]);
    if (key === this.#shownKey) return;
    this.#shownKey = key;
    this.#labels = labels;
    this.#labelOfKey = new Map(labels.flatMap((label) => (keys.has(label) ? [[keys.get(label) ?? "", label]] : [])));
    this.#rebuild(keys, chosen);
  }

  /** @param {boolean} isDisabled */
  set disabled(isDisabled) {
    for (const control of [...this.#choiceButtons, this.#input, this.#submitButton]) control.disabled = isDisabled;
  }

  /** Whether somebody is about to choose here. */
  get hasFocus() {
    return this.root.contains(document.activeElement);
  }

  /** Whether the focus is here for want of a class to put it on, and nobody has typed anything. */
  get awaitsClasses() {
    const focused = document.activeElement;
    const isWaiting = focused === this.#buttons || (focused === this.#input && this.#input.value === "");
    return this.#labels.length === 0 && isWaiting;
  }

  /** Begins with another image: what was typed for the one before, or had the focus there, is not for this one. */
  clear() {
    this.#input.value = "";
    if (this.hasFocus) this.#focusNone();
  }

  /**
   * Puts the focus on a class; where it has no button, on none of them, so that Enter chooses nothing.
   * @param {string | null} label
   */
  focus(label) {
    const button = this.#choiceButtons.find((candidate) => candidate.dataset.label === label);
    if (button) button.focus({ preventScroll: true });
    else this.#focusNone();
  }

  /**
   * Chooses the class of a number key; false where the key stands for none.
   * @param {string} key
   * @returns {boolean}
   */
  press(key) {
    const label = this.#labelOfKey.get(key);
    if (label === undefined) return false;
    this.#onChoose(label);
    return true;
  }

  get #choiceButtons() {
    return [...this.#buttons.querySelectorAll("button")];
  }

  /**
   * The focus stays here, so that the number keys work, and on no class. On the field only where the stream has no class:
   * a number key that is pressed while they are being loaded must not become the name of a new one.
   */
  #focusNone() {
    const target = this.#isKnown && this.#labels.length === 0 ? this.#input : this.#buttons;
    target.focus({ preventScroll: true });
  }

  /**
   * @param {Map<string, string>} keys
   * @param {string | null} chosen
   */
  #rebuild(keys, chosen) {
    const focused = document.activeElement;
    const focusedLabel = this.#choiceButtons.find((button) => button === focused)?.dataset.label;
    const labels = this.#labels;
    const buttons = labels.slice(0, MAX_BUTTONS).map((label) => this.#createButton(label, label === chosen, keys.get(label)));
    this.#buttons.replaceChildren(...buttons);
    this.#buttons.classList.toggle("short", labels.every((label) => label.length <= SHORT_LABEL));
    this.#datalist.replaceChildren(...labels.slice(MAX_BUTTONS).map((value) => element("option", { value })));
    if (focusedLabel !== undefined) this.focus(focusedLabel);
  }

  /**
   * @param {string} label
   * @param {boolean} isChosen
   * @param {string | undefined} key
   */
  #createButton(label, isChosen, key) {
    // A digit's key is on the button already: its name.
    const hint = key === undefined || key === label ? [] : [element("kbd", { "aria-hidden": "true" }, key)];
    const properties = { type: "button", className: "choice", title: label, "aria-pressed": String(isChosen) };
    const button = element("button", properties, element("span", {}, label), ...hint);
    button.dataset.label = label;
    button.addEventListener("click", () => this.#onChoose(label));
    return button;
  }

  /** What was typed is done with: the focus leaves the field, so that number keys choose again. */
  #submit() {
    const label = this.#input.value.trim();
    if (!label) return this.#input.focus();
    this.#input.value = "";
    this.#buttons.focus({ preventScroll: true });
    this.#onChoose(label);
  }
}

/**
 * With keys of their own the classes stand in their order, and behind them what a prediction names that is none of them
 * any more; without, the most probable come first.
 * @param {ClassChoices} classes
 * @param {Record<string, number>} probabilities
 */
function offeredLabels({ labels, keys }, probabilities) {
  if (keys === null) return rankLabels(labels, probabilities);
  return [...labels, ...Object.keys(probabilities).filter((label) => !labels.includes(label))];
}
