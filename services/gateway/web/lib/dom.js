/** Builds the page's elements from data: every text goes in as text, so that a label may be whatever people type. */

/** An element with properties (names with a dash, and `role`, become attributes) and children (elements or text). */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** Sets the text only where it changed, so that nothing is laid out or read aloud in vain. */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export function find(selector) {
  return document.querySelector(selector);
}

/** A row of exclusive choices as real radio buttons: `choices` is [[value, text], ...]. */
export function segments(root, choices, chosen, onChoose) {
  const name = `${root.id}-choice`;
  for (const [value, text] of choices) {
    const input = element("input", { type: "radio", name, value, checked: value === chosen });
    input.addEventListener("change", () => onChoose(value));
    root.append(element("label", {}, input, element("span", {}, text)));
  }
}

/** Makes a select offer exactly these choices, touching it only where they changed. Keeps what was chosen, if it can. */
export function options(select, choices) {
  const wanted = JSON.stringify(choices);
  if (select.dataset.offered === wanted) return;
  const chosen = select.value;
  select.replaceChildren(...choices.map(([value, text]) => element("option", { value }, text)));
  select.dataset.offered = wanted;
  if (choices.some(([value]) => value === chosen)) select.value = chosen;
}
