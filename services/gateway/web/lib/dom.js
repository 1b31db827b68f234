/** Builds the page's elements from data: every text goes in as text, so that a label may be whatever people type. */

/**
 * An element with properties and children. Names with a dash, and `role`, become attributes; undefined ones are left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, properties = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name.includes("-") || name === "role") created.setAttribute(name, String(value));
    else Object.assign(created, { [name]: value });
  }
  created.append(...children);
  return created;
}

/**
 * A button that submits no form.
 * @param {string} text
 * @param {() => unknown} onClick
 * @param {string} [className]
 * @returns {HTMLButtonElement}
 */
export function button(text, onClick, className = "") {
  const created = element("button", { type: "button", className }, text);
  created.addEventListener("click", () => onClick());
  return created;
}

/**
 * Sets the text only where it changed, so that nothing is laid out or read aloud in vain.
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * The element of index.html that a selector names. Throws where there is none: page and script do not belong together.
 * @template {Element} [E=HTMLElement]
 * @param {string} selector
 * @param {new () => E} [type]
 * @returns {E}
 */
export function find(selector, type = /** @type {new () => any} */ (HTMLElement)) {
  const found = document.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} at ${selector}`);
  return found;
}

/**
 * The element an event came from. Its target may be a text node or the document, which have no `closest`.
 * @param {Event} event
 * @returns {Element | null}
 */
export function targetElement(event) {
  return event.target instanceof Element ? event.target : null;
}

/**
 * A row of exclusive choices as real radio buttons.
 * @template {string} Value
 * @param {HTMLElement} root
 * @param {readonly (readonly [Value, string])[]} choices value and text
 * @param {Value} initial
 * @param {(value: Value) => void} onChoose
 */
export function buildSegments(root, choices, initial, onChoose) {
  const name = `${root.id}-choice`;
  for (const [value, text] of choices) {
    const input = element("input", { type: "radio", name, value, checked: value === initial });
    input.addEventListener("change", () => onChoose(value));
    root.append(element("label", {}, input, element("span", {}, text)));
  }
}

/**
 * Checks one of the choices, without an event.
 * @param {HTMLElement} root
 * @param {string} value
 */
export function checkSegment(root, value) {
  for (const input of root.querySelectorAll("input")) input.checked = input.value === value;
}

/**
 * Makes a select offer exactly these choices and keeps what was chosen if it can. An open list would close if it were
 * touched, so it is only where the choices changed.
 * @param {HTMLSelectElement} select
 * @param {[string, string][]} choices value and text
 */
export function setOptions(select, choices) {
  const key = JSON.stringify(choices);
  if (select.dataset.choices === key) return;
  const chosen = select.value;
  select.replaceChildren(...choices.map(([value, text]) => element("option", { value }, text)));
  select.dataset.choices = key;
  if (choices.some(([value]) => value === chosen)) select.value = chosen;
}
