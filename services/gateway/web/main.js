/** Starts the page: looks for streams until there is one, and follows the one that is chosen. */

import { Api } from "./api/client.js";
import { Commands } from "./lib/terminal-commands.js";
import { Connection } from "./components/connection-status.js";
import { find, write } from "./lib/dom.js";
import * as last from "./lib/storage.js";
import { pause } from "./lib/throttle.js";
import { Page } from "./page.js";
import { Picker } from "./components/stream-picker.js";
import { Question } from "./components/prompt-dialog.js";
import * as welcome from "./panels/welcome.js";

const LOOK_MS = { without: 3000, with: 10_000 };
const STREAM_NAME = {
  title: "Name the stream",
  text: "A stream is one learning task, such as pets or parking. It comes to life with its first image.",
  label: "Name",
  pattern: "[a-z0-9][a-z0-9._\\-]{0,62}",
  hint: "Up to 63 of a-z, 0-9, dot, dash and underscore; a letter or digit first",
};

const API_KEY = {
  title: "API key",
  text: "This gateway answers only to those who have one of its keys (PREQUEL_API_KEYS). It is kept as a cookie for 30 days.",
  label: "Key",
  secret: true,
};

const question = new Question(find("#ask"));
const picker = new Picker(find("#picker"));
const connection = new Connection(find("#connection"));
const api = new Api(document.baseURI, (check) => question.insist({ ...API_KEY, check }));
const page = new Page(api, connection);

async function nameStream() {
  const name = await question.ask(STREAM_NAME);
  if (name) picker.choose(name);
}

function begin(name) {
  find("#welcome").hidden = true;
  find("#board").hidden = false;
  last.remember(name);
  page.follow(name);
}

/** The commands as they are typed here: until the gateway says so, as they usually are. */
async function instruct() {
  show(null);
  show(await api.installation().catch(() => null));

  function show(installation) {
    const commands = new Commands(installation, document.baseURI);
    welcome.build(find("#commands"), commands);
    page.instruct(commands);
  }
}

/** Finds out which streams there are, and what the gateway waits for; without a stream, also whether it is there. */
async function look() {
  const [names, reasons] = await Promise.all([api.streams().catch(() => null), api.reasons().catch(() => [])]);
  write(find("#reasons"), reasons.length ? `Getting ready. ${reasons.join("; ")}` : "");
  if (picker.chosen === null) connection.show(names ? "ready" : "lost");
  if (!names) return;
  picker.offer(names);
  find("#welcome").hidden = picker.chosen !== null || names.length > 0;
  if (picker.chosen === null && names.length) picker.choose(last.opening(names));
}

instruct();
find("#name-stream").addEventListener("click", nameStream);
picker.addEventListener("new", nameStream);
picker.addEventListener("choose", (event) => begin(event.detail));
if (picker.chosen) begin(picker.chosen);
for (;;) {
  if (!document.hidden) await look();
  await pause(picker.chosen === null ? LOOK_MS.without : LOOK_MS.with);
}
