/** The keyboard: what each key does, and the dialog that says so. */

import { element } from "../lib/dom.js";

const KEYS = [
  ["?", "this list"],
  ["← → ↑ ↓", "walk through the predictions, or the confusion matrix"],
  ["Enter", "open the prediction, or the cell's images"],
  ["1 … 9 0", "choose a class: in an open prediction, or for what you drew"],
  ["← →", "in an open prediction: the previous, the next one"],
  ["u", "undo the last label, then the one before it"],
  ["c", "clear the drawing"],
  ["Esc", "close"],
];

/** Listens on the page; `actions` are {undo, clear, press(key)}. */
export function listen(dialog, button, actions) {
  build(dialog);
  button.addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    if (busy(event)) return;
    if (event.key === "?") dialog.showModal();
    else if (event.key === "u") actions.undo();
    else if (event.key === "c") actions.clear();
    else if (!ofTrial(event.target) || !actions.press(event.key)) return;
    event.preventDefault();
  });
}

/** Number keys name what was drawn, unless the focus is on something else; a click on blank paper leaves it on main. */
function ofTrial(target) {
  return target.matches("body, main") || target.closest(".try") !== null;
}

function busy(event) {
  const typing = event.target.matches("input:not([type=radio]), textarea, select");
  return typing || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]");
}

function build(dialog) {
  const rows = KEYS.map(([keys, text]) => element("div", {}, element("dt", {}, ...keys.split(" ").map((key) => element("kbd", {}, key))), element("dd", {}, text)));
  const close = element("button", { type: "button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  dialog.append(element("h2", { id: "shortcuts-title" }, "Keyboard"), element("dl", { className: "keys" }, ...rows), close);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
