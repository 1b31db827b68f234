/** The keyboard: what each key does, and the dialog that says so. */

import { button, element, targetElement } from "../lib/dom.js";

const SHORTCUTS = [
  ["?", "this list"],
  ["← → ↑ ↓", "walk through the predictions, or the confusion matrix"],
  ["Enter", "open the prediction, or the cell's images"],
  ["1 … 9 0", "choose a class: in an open prediction, or for what you drew"],
  ["← →", "in an open prediction: the previous, the next one"],
  ["u", "undo the last label, then the one before it"],
  ["c", "clear the drawing"],
  ["Esc", "close"],
];

/**
 * What keys do on the page. `press` takes a number key and tells whether it stood for anything.
 * @typedef {{undo: () => void, clear: () => void, press: (key: string) => boolean}} ShortcutActions
 */

/**
 * Listens to the page's keys, and fills the dialog that lists them.
 * @param {HTMLDialogElement} dialog
 * @param {HTMLElement} helpButton opens the dialog
 * @param {ShortcutActions} actions
 */
export function installShortcuts(dialog, helpButton, actions) {
  fillDialog(dialog);
  helpButton.addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    if (isTakenElsewhere(event)) return;
    if (event.key === "?") dialog.showModal();
    else if (event.key === "u") actions.undo();
    else if (event.key === "c") actions.clear();
    else if (!isForTrial(event) || !actions.press(event.key)) return;
    event.preventDefault();
  });
}

/**
 * Number keys label what was drawn, unless the focus is on something else; a click on a blank part leaves it on main.
 * @param {KeyboardEvent} event
 */
function isForTrial(event) {
  const target = targetElement(event);
  return target !== null && (target.matches("body, main") || target.closest(".try") !== null);
}

/**
 * Keys that are typed into a field, belong to a dialog or to the browser.
 * @param {KeyboardEvent} event
 */
function isTakenElsewhere(event) {
  const isTyping = targetElement(event)?.matches("input:not([type=radio]), textarea, select");
  const isBrowsers = event.ctrlKey || event.metaKey || event.altKey;
  return isTyping || isBrowsers || event.defaultPrevented || document.querySelector("dialog[open]") !== null;
}

/** @param {HTMLDialogElement} dialog */
function fillDialog(dialog) {
  const rows = SHORTCUTS.map(([keys, text]) => {
    const names = keys.split(" ").map((key) => element("kbd", {}, key));
    return element("div", {}, element("dt", {}, ...names), element("dd", {}, text));
  });
  const title = element("h2", { id: "shortcuts-title" }, "Keyboard");
  dialog.append(title, element("dl", { className: "keys" }, ...rows), button("Close", () => dialog.close()));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
