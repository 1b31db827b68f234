/** The choice of a class: buttons, number keys for the first ten, a field for the others and for a new one. */

import { element } from "./elements.js";
import { likely } from "./words.js";

const MOST_BUTTONS = 40;
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"];
let fields = 0;

export class Classes {
  #buttons = element("div", { className: "choices", role: "group", "aria-label": "Classes" });
  #input;
  #list = element("datalist");
  #offered = "";
  #labels = [];
  #keys = new Map();

  /** `onChoose(label)` is called for a button, a number key or the field. */
  constructor(root, onChoose) {
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
    root.append(this.#buttons, form, this.#list);
  }

  /** `chosen`: the class that the image has now, or null; of many classes, the likeliest come first. */
  show(labels, chosen = null, probabilities = {}) {
    this.#labels = likely(labels, probabilities);
    const offered = JSON.stringify([this.#labels, chosen]);
    if (offered === this.#offered) return;
    this.#offered = offered;
    this.#list.replaceChildren(...this.#labels.slice(MOST_BUTTONS).map((value) => element("option", { value })));
    this.#keys = shortcuts(this.#labels);
    const hints = new Map([...this.#keys].map(([key, label]) => [label, key]));
    const focused = document.activeElement?.dataset?.label;
    this.#buttons.replaceChildren(...this.#labels.slice(0, MOST_BUTTONS).map((label) => this.#button(label, label === chosen, hints.get(label))));
    this.#buttons.classList.toggle("short", this.#labels.every((label) => label.length <= 2));
    if (focused !== undefined) this.focus(focused);
  }

  set disabled(off) {
    for (const control of [...this.#buttons.children, this.#input, this.#input.nextSibling]) control.disabled = off;
  }

  /** Puts the focus on the class, or else on the first thing that takes it. */
  focus(label) {
    const button = [...this.#buttons.children].find((one) => one.dataset.label === label);
    (button ?? this.#buttons.firstElementChild ?? this.#input).focus({ preventScroll: true });
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
    const button = element("button", { type: "button", className: "choice", "aria-pressed": String(pressed) }, text, ...hint);
    button.dataset.label = label;
    button.addEventListener("click", () => this.onChoose(label));
    return button;
  }

  #submit() {
    const label = this.#input.value.trim();
    if (!label) return this.#input.focus();
    this.#input.value = "";
    this.onChoose(label);
  }
}

/** Classes that are digits have their own keys; the others take, in order, the keys that are left. */
function shortcuts(labels) {
  const own = labels.filter((label) => KEYS.includes(label));
  const left = KEYS.filter((key) => !own.includes(key));
  const rest = labels.filter((label) => !own.includes(label)).slice(0, left.length);
  return new Map([...own.map((label) => [label, label]), ...rest.map((label, at) => [left[at], label])]);
}
