import assert from "node:assert/strict";
import { test } from "node:test";

import { GalleryFilter } from "../../../services/gateway/web/lib/gallery-filter.js";

const NEWEST = new GalleryFilter({ kind: "recent" });
const UNCERTAIN = new GalleryFilter({ kind: "uncertain" });
const WRONG = new GalleryFilter({ kind: "wrong" });

test("only the newest ones of any truth come live", () => {
  assert.equal(NEWEST.isLive, true);
  assert.equal(new GalleryFilter({ kind: "recent", predicted: "a" }).isLive, true);
  assert.equal(new GalleryFilter({ kind: "recent", truth: "a" }).isLive, false);
  assert.equal(UNCERTAIN.isLive, false);
  assert.equal(WRONG.isLive, false);
});

test("each kind asks the gateway for its own", () => {
  const anything = { predicted: undefined, truth: undefined, wrong: undefined, model: undefined, limit: 9 };
  assert.deepEqual(NEWEST.toQuery(9), { ...anything, sort: "recent" });
  assert.deepEqual(UNCERTAIN.toQuery(9), { ...anything, sort: "uncertain", truth: "" });
  assert.deepEqual(WRONG.toQuery(9), { ...anything, sort: "recent", wrong: true });
});

test("what to look at next is asked of the models as they are now", () => {
  const anything = { predicted: undefined, truth: undefined, sample: undefined, limit: 9 };
  assert.equal(NEWEST.toQueueQuery(9), null);
  assert.equal(WRONG.toQueueQuery(9), null);
  assert.deepEqual(UNCERTAIN.toQueueQuery(9), { ...anything, by: "uncertain", sample: false });
  const disputed = new GalleryFilter({ kind: "disagreement" });
  assert.deepEqual(disputed.toQueueQuery(9), { ...anything, by: "disagreement", sample: false });
  assert.deepEqual(new GalleryFilter({ kind: "random" }).toQueueQuery(9), { ...anything, by: "random", sample: true });
  const suspect = new GalleryFilter({ kind: "suspect", predicted: "a", truth: "b" });
  assert.deepEqual(suspect.toQueueQuery(9), { ...anything, by: "suspect", predicted: "a", truth: "b" });
  assert.equal(new GalleryFilter({ kind: "uncertain", truth: "a" }).toQueueQuery(9), null);
  assert.equal(new GalleryFilter({ kind: "suspect", model: "softmax" }).toQueueQuery(9), null);
});

test("a label says why its image was listed", () => {
  assert.equal(NEWEST.reason, undefined);
  assert.equal(UNCERTAIN.reason, "uncertain");
  assert.equal(new GalleryFilter({ kind: "disagreement" }).reason, "disagreement");
  assert.equal(new GalleryFilter({ kind: "random" }).reason, "random");
  assert.equal(new GalleryFilter({ kind: "random", predicted: "a" }).reason, undefined);
  assert.equal(new GalleryFilter({ kind: "suspect" }).reason, undefined);
});

test("classes and a challenger are asked for", () => {
  const filter = new GalleryFilter({ kind: "uncertain", predicted: "a", truth: "b", model: "softmax" });
  const { predicted, truth, model } = filter.toQuery(9);
  assert.deepEqual([predicted, truth, model], ["a", "b", "softmax"]);
});

test("what comes live is of the class that the chosen model predicted", () => {
  const prediction = { label: "a", models: { nearest: "a", softmax: "b" } };
  assert.equal(NEWEST.accepts(prediction), true);
  assert.equal(new GalleryFilter({ kind: "recent", predicted: "a" }).accepts(prediction), true);
  assert.equal(new GalleryFilter({ kind: "recent", predicted: "b" }).accepts(prediction), false);
  assert.equal(new GalleryFilter({ kind: "recent", predicted: "b", model: "softmax" }).accepts(prediction), true);
  assert.equal(new GalleryFilter({ kind: "recent", predicted: "a", model: "softmax" }).accepts(prediction), false);
});

test("an empty list says why, and how to fill it", () => {
  assert.match(NEWEST.emptyText("prequel stream x"), /add it, or type: prequel stream x\.$/);
  assert.match(NEWEST.emptyText(null), /add it\.$/);
  assert.match(UNCERTAIN.emptyText("x"), /every image has its label/);
  assert.equal(WRONG.emptyText("x"), "Nothing wrong here.");
  assert.match(new GalleryFilter({ kind: "wrong", truth: "a" }).emptyText("x"), /of these classes/);
  assert.match(new GalleryFilter({ kind: "wrong", predicted: "a" }).emptyText("x"), /of these classes/);
});

test("the note names a challenger", () => {
  assert.match(new GalleryFilter({ kind: "wrong", model: "softmax" }).note, /newest first\. As softmax predicted them\.$/);
  assert.match(WRONG.note, /newest first\.$/);
});

test("images drawn at random are mixed in among all that are uncertain, and no others", () => {
  assert.equal(UNCERTAIN.mixesInRandom, true);
  assert.match(UNCERTAIN.note, /drawn at random/);
  for (const filter of [NEWEST, WRONG]) assert.equal(filter.mixesInRandom, false);
  for (const choice of [{ predicted: "a" }, { truth: "a" }, { model: "softmax" }]) {
    const narrower = new GalleryFilter({ kind: "uncertain", ...choice });
    assert.equal(narrower.mixesInRandom, false);
    assert.doesNotMatch(narrower.note, /drawn at random/);
  }
});
