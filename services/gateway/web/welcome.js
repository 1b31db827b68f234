/** What to type when there is no stream yet. */

import { element } from "./elements.js";

const COMMANDS = [
  ["1,797 handwritten digits, to watch it work", "prequel stream digits --stream digits"],
  ["your own pictures, in one folder a class", "prequel stream ./my-photos --stream pets --labels folder"],
];
const COPIED_MS = 1500;

export function build(root) {
  for (const [what, command] of COMMANDS) root.append(element("li", {}, element("span", {}, what), line(command)));
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
