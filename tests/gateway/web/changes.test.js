import assert from "node:assert/strict";
import { test } from "node:test";

import {
  describeBacktest, describeCatchUp, describeCommand, describeLabelCounts, describeResult,
} from "../../../services/gateway/web/lib/changes.js";

const given = (name, fields = {}) => ({ id: "c1", do: name, arguments: fields, status: "applied", why: "" });

test("a command is a sentence about who gave it", () => {
  const cases = [
    ["models.add", { model: "ridge", from: "log" }, "added ridge"],
    ["models.add", { model: "ridge", from: "now" }, "added ridge, from then on"],
    ["class.merge", { from: "kitten", to: "cat" }, "merged “kitten” into “cat”"],
    ["class.delete", { label: "blur" }, "deleted the class “blur”"],
    ["example.forget", { images: 1 }, "forgot 1 image"],
    ["example.forget", { images: 2 }, "forgot 2 images"],
    ["example.forget", { images: 0 }, "forgot images"],
    ["stream.switch", { backbone: "compact-multi" }, "let it learn from compact-multi"],
    ["stream.set", { goal: 0.9, window: null }, "set goal to 0.9, window to the default"],
    ["stream.later", {}, "stream.later"],
  ];
  for (const [name, fields, text] of cases) assert.equal(describeCommand(given(name, fields)), text);
});

test("an undo says what it took back, as long as that is known", () => {
  const undo = { ...given("undo", { command: "c1" }), id: "c2" };
  assert.equal(describeCommand(undo, [undo, given("models.rebuild")]), "took back: rebuilt the models");
  assert.equal(describeCommand(undo, [undo]), "undid c1");
});

test("what became of a command is said where it is not simply done", () => {
  assert.equal(describeResult(given("models.rebuild")), "");
  assert.equal(describeResult({ ...given("models.rebuild"), catching_up: true }), "catching up");
  assert.equal(describeResult({ status: "refused", why: "no such class", catching_up: false }), "refused: no such class");
  assert.equal(describeResult({ status: "undone", why: "", catching_up: false }), "taken back");
});

test("a replay says how far it is, who joins, and why it cannot go on", () => {
  assert.equal(describeCatchUp(null), "");
  assert.equal(describeCatchUp({ progress: 0.4349, models: [], problem: "" }), "Catching up, 43 %.");
  assert.equal(
    describeCatchUp({ progress: 1, models: ["ridge", "ncm"], problem: "the log is away" }),
    "Catching up, 100 %: ridge, ncm will join. It cannot go on: the log is away",
  );
});

test("labels are counted by who gave them and why", () => {
  assert.equal(describeLabelCounts({ by: {}, why: {} }), "");
  assert.equal(
    describeLabelCounts({ by: { ann: 1200, "": 3 }, why: { random: 3, "": 1 } }),
    "Labels by ann (1,200), nobody named (3). Why: random (3), no reason given (1).",
  );
});

test("a back-test says how far it is, or why it failed", () => {
  const backtest = { status: "running", progress: 0.5, models: ["ridge", "ncm"], why: "" };
  assert.equal(describeBacktest(backtest), "ridge, ncm: running, 50 %");
  assert.equal(describeBacktest({ ...backtest, status: "failed", why: "no room" }), "ridge, ncm: failed: no room");
  assert.equal(describeBacktest({ ...backtest, status: "done", backbone: "compact" }), "ridge, ncm on compact: done");
});
