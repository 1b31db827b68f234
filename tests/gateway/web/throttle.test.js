import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { delay, throttle, untilVisible } from "../../../services/gateway/web/lib/throttle.js";
import { FakeClock, settle } from "./fakes.js";

let clock;
beforeEach(() => {
  clock = new FakeClock();
  globalThis.window = new EventTarget();
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
});
afterEach(() => {
  clock.restore();
  delete globalThis.window;
  delete globalThis.document;
});

test("a burst is one call, with the newest arguments", () => {
  const calls = [];
  const work = throttle((...args) => calls.push(args), 200);
  work("a", 1);
  work("b", 2);
  assert.deepEqual(calls, []);
  clock.advance(1000);
  assert.deepEqual(calls, [["b", 2]]);
});

test("calls that go on are let through once in an interval", () => {
  let count = 0;
  const work = throttle(() => count++, 200);
  for (let turn = 0; turn < 100; turn++) {
    work();
    clock.advance(10);
  }
  assert.ok(count >= 4 && count <= 6, `${count} calls in a second`);
});

test("after an interval of rest the next call does not wait", () => {
  let count = 0;
  const work = throttle(() => count++, 200);
  work();
  clock.advance(1000);
  work();
  clock.advance(16);
  assert.equal(count, 2);
});

test("work that asks for itself again is called again", () => {
  let count = 0;
  const work = throttle(() => ++count < 3 && work(), 200);
  work();
  clock.advance(5000);
  assert.equal(count, 3);
});

test("a delay ends with its time, the network's return or the signal", async () => {
  const ended = [];
  const aborter = new AbortController();
  void delay(1000).then(() => ended.push("time"));
  void delay(5000, aborter.signal).then(() => ended.push("signal"));
  clock.advance(999);
  await settle();
  assert.deepEqual(ended, []);
  clock.advance(1);
  await settle();
  assert.deepEqual(ended, ["time"]);
  aborter.abort();
  await settle();
  assert.deepEqual(ended, ["time", "signal"]);
  void delay(5000).then(() => ended.push("network"));
  window.dispatchEvent(new Event("online"));
  await settle();
  assert.deepEqual(ended, ["time", "signal", "network"]);
});

test("a hidden page is waited for", async () => {
  document.hidden = true;
  let isShown = false;
  void untilVisible(new AbortController().signal).then(() => (isShown = true));
  document.dispatchEvent(new Event("visibilitychange"));
  await settle();
  assert.equal(isShown, false);
  document.hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  await settle();
  assert.equal(isShown, true);
});

test("a page that people see is not waited for", () => untilVisible(new AbortController().signal));

test("nobody waits for a page to be seen once the signal has aborted", async () => {
  document.hidden = true;
  const aborter = new AbortController();
  const waiting = untilVisible(aborter.signal);
  aborter.abort();
  await waiting;
});
