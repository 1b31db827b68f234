import assert from "node:assert/strict";
import { test } from "node:test";

import { describeOutcome, isApplied, judge } from "../../../services/gateway/web/lib/outcome.js";

const OUTCOME = { id: "1", stream: "s", position: "0:1", label: "new", previous: "old", exact: true };

test("every status but three makes the label count", () => {
  const applied = ["learned", "corrected", "retracted", "unchanged"];
  for (const status of [...applied, "waiting", "expired", "rejected"]) {
    assert.equal(isApplied({ ...OUTCOME, status }), applied.includes(status), status);
  }
});

test("a correction names both labels, and whether it is exact", () => {
  const outcome = { ...OUTCOME, status: "corrected" };
  assert.equal(describeOutcome(outcome), "Corrected from “old” to “new”, exactly, as if it had come first.");
  assert.match(describeOutcome({ ...outcome, exact: false }), /, as far as its models can unlearn\.$/);
});

test("a label that was taken back is not named", () => {
  const outcome = { ...OUTCOME, status: "retracted", label: null };
  assert.equal(describeOutcome(outcome), "Label taken back, and forgotten exactly.");
  assert.equal(describeOutcome({ ...outcome, exact: false }), "Label taken back, as far as the models can forget.");
});

test("a label that was there already, or none that was none", () => {
  assert.equal(describeOutcome({ ...OUTCOME, status: "unchanged" }), "It already was “new”: nothing changed.");
  assert.match(describeOutcome({ ...OUTCOME, status: "unchanged", label: null }), /^It had no label/);
});

test("what did not count says so", () => {
  assert.match(describeOutcome({ ...OUTCOME, status: "waiting" }), /then learned\.$/);
  for (const status of ["expired", "rejected"]) {
    assert.match(describeOutcome({ ...OUTCOME, status }), /Nothing changed\.$/);
  }
});

test("a status that this page does not know is named", () => {
  assert.equal(describeOutcome({ ...OUTCOME, status: "adopted" }), "Outcome: adopted.");
});

test("a prediction is judged only where there are two labels to compare", () => {
  assert.deepEqual(
    [judge("a", null), judge(null, null), judge(null, "a"), judge("a", "a"), judge("a", "b")],
    ["open", "open", "none", "right", "wrong"],
  );
});
