import assert from "node:assert/strict";
import { test } from "node:test";

import { TerminalCommands } from "../../../services/gateway/web/lib/terminal-commands.js";

const HERE = "http://127.0.0.1:8000/";
const LOCAL = { program: "prequel", container: false, url: "http://127.0.0.1:8000", keys: false };

test("the address is left out where the program would use it anyway", () => {
  const commands = new TerminalCommands(LOCAL, `${HERE}#/pets`);
  assert.equal(commands.streamDigits("digits"), "prequel stream digits --stream digits");
  assert.equal(commands.streamFolder("pets"), "prequel stream ./my-photos --stream pets --labels folder");
});

test("another address and a key are named", () => {
  const commands = new TerminalCommands({ ...LOCAL, program: ".venv/bin/prequel", keys: true }, "https://host/model/");
  assert.equal(
    commands.streamDigits("digits"),
    ".venv/bin/prequel stream digits --stream digits --url https://host/model --api-key YOUR_KEY",
  );
});

test("until the gateway has answered, the page's own address is named", () => {
  assert.equal(
    new TerminalCommands(null, HERE).streamDigits("digits"),
    "prequel stream digits --stream digits --url http://127.0.0.1:8000",
  );
});

test("in containers the demo's service runs them, with the pictures as a volume", () => {
  const commands = new TerminalCommands({ program: "prequel", container: true, url: "http://gateway:8000", keys: true }, HERE);
  assert.equal(
    commands.streamDigits("digits"),
    "docker compose run --rm demo stream digits --stream digits --url http://gateway:8000",
  );
  assert.equal(
    commands.streamFolder("pets"),
    "docker compose run --rm --volume ./my-photos:/my-photos demo stream /my-photos --stream pets --labels folder " +
      "--url http://gateway:8000",
  );
});
