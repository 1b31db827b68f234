/** What to type when there is no stream yet. */

import { element } from "../lib/dom.js";

const COPIED_MS = 1500;

/** `commands` say how it is typed here. */
export function build(root, commands) {
  const offered = [
    ["1,797 handwritten digits, to watch it work", commands.digits("digits")],
    ["your own pictures, in one folder a class", commands.folder("pets")],
  ];
  root.replaceChildren(...offered.map(([what, command]) => element("li", {}, element("span", {}, what), line(command))));
}

function line(command) {
  const copy = element("button", { type: "button", className: "quiet", "aria-label": `Copy: ${command}` }, "Copy");
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(command);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), COPIED_MS);
  });
  return element("div", { className: "command" }, element("code", {}, command), copy);
}
