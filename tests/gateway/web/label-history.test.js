import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../../services/gateway/web/api/errors.js";
import { LabelHistory, OUTCOME_PENDING } from "../../../services/gateway/web/api/label-history.js";

/** A gateway with one stream, whose learner answers at once unless it `isSlow`. */
class FakeGateway {
  truths = new Map();
  reasons = [];
  isSlow = false;
  failure = null;
  #position = 0;

  async sendLabel(stream, id, label, { why } = {}) {
    if (this.failure) throw this.failure;
    this.reasons.push(why);
    const previous = this.truths.get(id) ?? null;
    this.truths.set(id, label);
    const position = `0:${this.#position++}`;
    if (this.isSlow) return { id, position };
    const status = label === previous ? "unchanged" : label === null ? "retracted" : previous === null ? "learned" : "corrected";
    return { id, stream, position, status, label, previous, exact: true };
  }

  async prediction(stream, id) {
    return { id, truth: this.truths.get(id) ?? null };
  }

  imageUrl(stream, id) {
    return `/${stream}/${id}`;
  }
}

function begin() {
  const gateway = new FakeGateway();
  const shown = [];
  const history = new LabelHistory(gateway, { show: (text, options = {}) => shown.push({ text, ...options }) });
  return { gateway, history, shown };
}

test("labels are undone one after the other, the newest first", async () => {
  const { gateway, history, shown } = begin();
  await history.submit("s", "1", "a");
  await history.submit("s", "1", "b");
  await history.submit("s", "2", "c");
  assert.equal(history.describeUndo("s"), "Image 2: from “c” back to no label");
  await Promise.all([history.undo("s"), history.undo("s")]);
  assert.deepEqual([...gateway.truths], [["1", "a"], ["2", null]]);
  assert.equal(shown[1].text, "Image 1: Undone. Corrected from “b” to “a”, exactly, as if it had come first.");
  await history.undo("s");
  await history.undo("s");
  assert.deepEqual([...gateway.truths], [["1", null], ["2", null]]);
  assert.equal(shown.at(-1).text, "Nothing to undo.");
});

test("an undo waits for the answer to the label that it undoes", async () => {
  const { gateway, history, shown } = begin();
  let answer = () => {};
  const asked = new Promise((resolve) => (answer = resolve));
  const sendLabel = gateway.sendLabel.bind(gateway);
  gateway.sendLabel = async (...args) => (await asked, sendLabel(...args));
  const submitting = history.submit("s", "1", "a");
  const undoing = history.undo("s");
  answer();
  await Promise.all([submitting, undoing]);
  assert.equal(shown[0].text, "Image 1: Undone. Label taken back, and forgotten exactly.");
});

test("an undo that is refused stays to be tried again", async () => {
  const { gateway, history, shown } = begin();
  await history.submit("s", "1", "a");
  const expired = { id: "1", stream: "s", position: "0:9", status: "expired", label: null, previous: null, exact: true };
  gateway.sendLabel = async () => expired;
  await history.undo("s");
  assert.match(shown[0].text, /^Image 1: Not undone\. Too late/);
  assert.equal(shown[0].kind, "bad");
  assert.match(history.describeUndo("s"), /^Image 1/);
});

test("streams have histories of their own", async () => {
  const { gateway, history, shown } = begin();
  await history.submit("s", "1", "a");
  assert.equal(history.describeUndo("other"), null);
  await history.undo("other");
  assert.equal(shown[0].text, "Nothing to undo.");
  assert.equal(gateway.truths.get("1"), "a");
});

test("a label that changes nothing is nothing to undo", async () => {
  const { history } = begin();
  await history.submit("s", "1", "a");
  await history.submit("s", "1", "a");
  assert.match(history.describeUndo("s"), /back to no label$/);
});

test("what somebody else has labelled since is overwritten only when people say so", async () => {
  const { gateway, history, shown } = begin();
  await history.submit("s", "1", "a");
  gateway.truths.set("1", "b");
  await history.undo("s");
  assert.equal(gateway.truths.get("1"), "b");
  assert.match(shown[0].text, /after you labelled it “a”, somebody else changed it to “b”/);
  assert.equal(history.describeUndo("s"), null);
  await shown[0].action.run();
  assert.equal(gateway.truths.get("1"), null);
});

test("a label without an outcome yet can be undone once that comes", async () => {
  const { gateway, history, shown } = begin();
  gateway.isSlow = true;
  assert.equal(await history.submit("s", "1", "a"), null);
  assert.match(history.describeUndo("s"), /is on its way$/);
  await history.undo("s");
  assert.match(shown[0].text, /^Image 1: Not undone yet/);
  history.applyOutcome({ id: "1", stream: "s", position: "0:0", status: "corrected", label: "a", previous: "z", exact: true });
  assert.equal(history.describeUndo("s"), "Image 1: from “a” back to “z”");
  await history.undo("s");
  assert.equal(gateway.truths.get("1"), "z");
  assert.ok(shown[1].text.includes(OUTCOME_PENDING));
});

test("an outcome of another label says nothing of this one", async () => {
  const { gateway, history } = begin();
  gateway.isSlow = true;
  await history.submit("s", "1", "a");
  history.applyOutcome({ id: "1", stream: "s", position: "0:99", status: "learned", label: "a", previous: null, exact: true });
  assert.match(history.describeUndo("s"), /is on its way$/);
});

test("a label that could not be sent is nothing to undo", async () => {
  const { gateway, history } = begin();
  gateway.failure = new ApiError(0, "away");
  await assert.rejects(history.submit("s", "1", "a"), { message: "away" });
  assert.equal(history.describeUndo("s"), null);
});

test("an undo that could not be sent can be tried again", async () => {
  const { gateway, history, shown } = begin();
  await history.submit("s", "1", "a");
  gateway.failure = new ApiError(0, "away");
  await history.undo("s");
  assert.equal(shown[0].text, "Image 1: Not undone. away");
  gateway.failure = null;
  await shown[0].action.run();
  assert.equal(gateway.truths.get("1"), null);
});

test("outcomes and changes are told", async () => {
  const { history } = begin();
  const told = [];
  history.addEventListener("outcome", (event) => told.push(event.detail.status));
  history.addEventListener("change", () => told.push("change"));
  await history.submit("s", "1", "a");
  assert.deepEqual(told.sort(), ["change", "learned"]);
});

test("a label says how its image was chosen, and one that an undo restores is a correction", async () => {
  const { gateway, history } = begin();
  await history.submit("s", "1", "a", "random");
  await history.submit("s", "1", "b", "correction");
  await history.undo("s");
  await history.undo("s");
  assert.deepEqual(gateway.reasons, ["random", "correction", "correction", undefined]);
});
