/** The choice of a class: buttons, number keys for ten of them, a field for the others and for a new one. */

import { element } from "../lib/dom.js";
import { NO_CLASSES, keysOf } from "../lib/class-order.js";
import { likely } from "../lib/format.js";

const MOST_BUTTONS = 40;
let fields = 0;

export class Classes {
  #root;
  #buttons = element("div", { className: "choices", role: "group", "aria-label": "Classes", tabIndex: -1 });
  #input;
  #list = element("datalist");
  #offered = "";
  #labels = [];
  #keys = new Map();

  /** `onChoose(label)` is called for a button, a number key or the field. */
  constructor(root, onChoose) {
    this.#root = root;
    this.onChoose = onChoose;
    const id = `new-class-${++fields}`;
    this.#input = element("input", { id, type: "text", maxLength: 128, autocomplete: "off", placeholder: "another class" });
    const form = element("form", { className: "new-class" }, element("label", { htmlFor: id, className: "hidden" }, "Another or a new class"), this.#input, element("button", { type: "submit" }, "Teach"));
    this.#list.id = `${id}-others`;
    this.#input.setAttribute("list", this.#list.id);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    // Enter that is held down since it opened an image must not label it too.
    this.#buttons.addEventListener("keydown", (event) => event.repeat && event.key === "Enter" && event.preventDefault());
    root.append(this.#buttons, form, this.#list);
  }

  /** `classes` as ClassOrder gives them; `chosen`: the class that the image has now, or null. */
  show(classes = NO_CLASSES, chosen = null, probabilities = {}) {
    const labels = classes.keys ? together(classes.labels, probabilities) : likely(classes.labels, probabilities);
    const keys = classes.keys ?? keysOf(labels);
    const offered = JSON.stringify([labels, [...keys], chosen]);
    if (offered === this.#offered) return;
    this.#offered = offered;
    [this.#labels, this.#keys] = [labels, new Map([...keys].filter(([label]) => labels.includes(label)).map(([label, key]) => [key, label]))];
    this.#list.replaceChildren(...labels.slice(MOST_BUTTONS).map((value) => element("option", { value })));
    const focused = this.#buttons.contains(document.activeElement) ? document.activeElement.dataset.label : undefined;
    this.#buttons.replaceChildren(...labels.slice(0, MOST_BUTTONS).map((label) => this.#button(label, label === chosen, keys.get(label))));
    this.#buttons.classList.toggle("short", labels.every((label) => label.length <= 2));
    if (focused !== undefined) this.focus(focused);
  }

  set disabled(off) {
    for (const control of [...this.#buttons.children, this.#input, this.#input.nextSibling]) control.disabled = off;
  }

  /** Whether somebody is about to choose here. */
  get focused() {
    return this.#root.contains(document.activeElement);
  }

  /** Whether the focus is in the field only because there is no class yet, and nobody has typed there. */
  get waiting() {
    return !this.#labels.length && document.activeElement === this.#input && !this.#input.value;
  }

  /** Another image: what was typed for the one before, or had the focus there, is not for this one. */
  turn() {
    this.#input.value = "";
    if (this.focused) this.rest();
  }

  /** Puts the focus on the class; where it has no button, on none of them, so that Enter chooses nothing. */
  focus(label) {
    const button = [...this.#buttons.children].find((one) => one.dataset.label === label);
    if (button) button.focus({ preventScroll: true });
    else this.rest();
  }

  /** The focus stays here, so that the keys work, and on no class; where there is none yet, on the field. */
  rest() {
    (this.#labels.length ? this.#buttons : this.#input).focus({ preventScroll: true });
  }

  /** Takes a number key; false where it stands for no class. */
  press(key) {
    const label = this.#keys.get(key);
    if (label !== undefined) this.onChoose(label);
    return label !== undefined;
  }

  #button(label, pressed, key) {
    const text = element("span", {}, label);
    const hint = key === undefined || key === label ? [] : [element("kbd", { "aria-hidden": "true" }, key)];
    const button = element("button", { type: "button", className: "choice", title: label, "aria-pressed": String(pressed) }, text, ...hint);
    button.dataset.label = label;
    button.addEventListener("click", () => this.onChoose(label));
    return button;
  }

  /** What was typed is done with: the focus goes, and with it the keys are for choosing again. */
  #submit() {
    const label = this.#input.value.trim();
    if (!label) return this.#input.focus();
    this.#input.value = "";
    this.#buttons.focus({ preventScroll: true });
    this.onChoose(label);
  }
}

/** The classes in their order, and behind them what a prediction names that is none of them any more. */
function together(labels, probabilities) {
  return [...labels, ...Object.keys(probabilities).filter((label) => !labels.includes(label))];
}
