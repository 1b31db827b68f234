/** What to type when there is no stream yet. */

import { button, element } from "../lib/dom.js";

/** @import { TerminalCommands } from "../lib/terminal-commands.js" */

/** Long enough to see that something happened. */
const COPIED_MS = 1500;

/**
 * Lists the commands that begin a stream.
 * @param {HTMLElement} root a list
 * @param {TerminalCommands} commands
 */
export function showWelcome(root, commands) {
  const examples = [
    ["1,797 handwritten digits, to watch it work", commands.streamDigits("digits")],
    ["your own pictures, in one folder a class", commands.streamFolder("pets")],
  ];
  const rows = examples.map(([purpose, command]) => element("li", {}, element("span", {}, purpose), commandLine(command)));
  root.replaceChildren(...rows);
}

/** @param {string} command */
function commandLine(command) {
  const copy = button(
    "Copy",
    async () => {
      await navigator.clipboard.writeText(command);
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), COPIED_MS);
    },
    "quiet",
  );
  copy.setAttribute("aria-label", `Copy: ${command}`);
  return element("div", { className: "command" }, element("code", {}, command), copy);
}
