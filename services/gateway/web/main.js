/** Starts the page: looks for streams until there is one, and follows the one that is chosen. */

import { GatewayClient } from "./api/client.js";
import { ConnectionStatus } from "./components/connection-status.js";
import { PromptDialog } from "./components/prompt-dialog.js";
import { StreamPicker } from "./components/stream-picker.js";
import { find, setText } from "./lib/dom.js";
import { chooseInitialStream, rememberStream } from "./lib/storage.js";
import { TerminalCommands } from "./lib/terminal-commands.js";
import { delay } from "./lib/throttle.js";
import { Page } from "./page.js";
import { showWelcome } from "./panels/welcome.js";

/** @import { Installation } from "./api/types.js" */

/** People who wait for their first stream look at the page; later it is only a list that may grow. */
const POLL_MS = { withoutStream: 3000, withStream: 10_000 };

const NAME_PROMPT = {
  title: "Name the stream",
  text: "A stream is one learning task, such as pets or parking. It comes to life with its first image.",
  label: "Name",
  pattern: "[a-z0-9][a-z0-9._\\-]{0,62}",
  hint: "Up to 63 of a-z, 0-9, dot, dash and underscore; a letter or digit first",
};

const KEY_PROMPT = {
  title: "API key",
  text: "This gateway answers only to those who have one of its keys (PREQUEL_API_KEYS). It is kept as a cookie for 30 days.",
  label: "Key",
  secret: true,
  required: true,
};

const prompt = new PromptDialog(find("#ask", HTMLDialogElement));
const picker = new StreamPicker(find("#picker", HTMLSelectElement));
const connection = new ConnectionStatus(find("#connection"));
const client = new GatewayClient(document.baseURI, (check) => prompt.ask({ ...KEY_PROMPT, check }));
const page = new Page(client, connection);

async function nameStream() {
  const name = await prompt.ask(NAME_PROMPT);
  if (name) picker.choose(name);
}

/** @param {string} name */
function follow(name) {
  find("#welcome").hidden = true;
  find("#board").hidden = false;
  rememberStream(name);
  page.follow(name);
}

/** @param {Installation | null} installation null until the gateway has told it */
function showCommands(installation) {
  const commands = new TerminalCommands(installation, document.baseURI);
  showWelcome(find("#commands"), commands);
  page.commands = commands;
}

/** Asks which streams there are, and what the gateway waits for; without a stream, also whether it is there. */
async function poll() {
  const [names, reasons] = await Promise.all([
    client.streams().catch(() => null),
    client.notReadyReasons().catch(() => []),
  ]);
  setText(find("#reasons"), reasons.length > 0 ? `Getting ready. ${reasons.join("; ")}` : "");
  // With a stream, it is the stream's own connection that is shown.
  if (picker.chosen === null) connection.update(names ? "ready" : "lost");
  if (!names) return;
  picker.update(names);
  find("#welcome").hidden = picker.chosen !== null || names.length > 0;
  const initial = picker.chosen === null ? chooseInitialStream(names) : null;
  if (initial !== null) picker.choose(initial);
}

/** For as long as the page is open; while it is hidden, nobody would see what has changed. */
async function keepPolling() {
  for (;;) {
    if (!document.hidden) await poll();
    await delay(picker.chosen === null ? POLL_MS.withoutStream : POLL_MS.withStream);
  }
}

find("#name-stream").addEventListener("click", () => nameStream());
picker.addEventListener("new", () => nameStream());
picker.addEventListener("choose", (event) => follow(/** @type {CustomEvent} */ (event).detail));
showCommands(null);
client.installation().then(showCommands, () => {}); // An old gateway does not know it: the commands stay as they usually are.
if (picker.chosen !== null) follow(picker.chosen);
void keepPolling();
