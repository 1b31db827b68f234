import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { InteractionPause } from "../../../services/gateway/web/components/interaction-pause.js";
import { FakeClock } from "./fakes.js";

let clock;
let content;
let pause;
let resumed;
beforeEach(() => {
  clock = new FakeClock();
  content = new EventTarget();
  pause = new InteractionPause(content);
  resumed = 0;
  pause.addEventListener("resume", () => resumed++);
});
afterEach(() => clock.restore());

function send(type, properties = {}) {
  content.dispatchEvent(Object.assign(new Event(type), properties));
}

test("it goes on only when no reason is left", () => {
  send("pointerenter", { pointerType: "mouse" });
  assert.equal(pause.isPaused, true);
  send("focusin");
  send("pointerleave");
  assert.equal(pause.isPaused, true);
  assert.equal(resumed, 0);
  send("focusout");
  assert.equal(pause.isPaused, false);
  assert.equal(resumed, 1);
});

test("a finger's pointer does not pause, its touch does, for five seconds after the last one", () => {
  send("pointerenter", { pointerType: "touch" });
  assert.equal(pause.isPaused, false);
  send("touchstart");
  clock.advance(4000);
  send("touchstart");
  clock.advance(4999);
  assert.equal(pause.isPaused, true);
  clock.advance(1);
  assert.equal(pause.isPaused, false);
});

test("focus that went with its element is forgotten, other reasons stay", () => {
  send("focusin");
  pause.forgetFocus();
  assert.equal(pause.isPaused, false);
  pause.set("dialog", true);
  send("focusin");
  pause.forgetFocus();
  assert.equal(pause.isPaused, true);
});
