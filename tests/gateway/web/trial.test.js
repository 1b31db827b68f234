import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../../services/gateway/web/api/errors.js";
import { Trial } from "../../../services/gateway/web/lib/trial.js";

const PREDICTION = { label: "a", probabilities: { a: 1 }, models: {} };

const IMAGE = new Blob();

function trial() {
  return new Trial("s", IMAGE, null);
}

function clientThat(predict) {
  return { predict: async () => predict() };
}

function failWith(status) {
  return () => {
    throw new ApiError(status, "no");
  };
}

test("nothing can be added before the gateway has answered", () => assert.equal(trial().canBeAdded, false));

test("the stream is asked about the picture, which has a name even where its file has none", async () => {
  const calls = [];
  const tried = new Trial("s", IMAGE, "blob:1");
  await tried.predict({ predict: async (...args) => (calls.push(args), PREDICTION) });
  assert.deepEqual(calls, [["s", IMAGE]]);
  assert.deepEqual([tried.url, tried.name], ["blob:1", "pasted picture"]);
  assert.equal(new Trial("s", Object.assign(new Blob(), { name: "cat.png" }), null).name, "cat.png");
});

test("the probabilities of the time before are kept to compare with", async () => {
  const tried = trial();
  await tried.predict(clientThat(() => PREDICTION));
  assert.equal(tried.previousProbabilities, null);
  await tried.predict(clientThat(() => ({ ...PREDICTION, probabilities: { a: 0.5 } })));
  assert.deepEqual(tried.previousProbabilities, { a: 1 });
  assert.deepEqual(tried.prediction.probabilities, { a: 0.5 });
});

for (const { status, canBeAdded } of [
  { status: 404, canBeAdded: true },
  { status: 0, canBeAdded: true },
  { status: 413, canBeAdded: false },
  { status: 415, canBeAdded: false },
  { status: 422, canBeAdded: false },
]) {
  test(`after ${status} a picture ${canBeAdded ? "can" : "cannot"} be added`, async () => {
    const tried = trial();
    await tried.predict(clientThat(failWith(status)));
    assert.equal(tried.canBeAdded, canBeAdded);
    assert.equal(tried.isUnanswered, status === 0);
  });
}

test("an answer ends the failure before it", async () => {
  const tried = trial();
  await tried.predict(clientThat(failWith(0)));
  await tried.predict(clientThat(() => PREDICTION));
  assert.equal(tried.failure, null);
  assert.equal(tried.isUnanswered, false);
});

test("an error of the page's own is not taken for the gateway's", async () => {
  await assert.rejects(trial().predict(clientThat(() => PREDICTION.nothing.more)), TypeError);
});

test("it is added once, however many ask", async () => {
  const tried = trial();
  assert.equal(tried.truth, null);
  let count = 0;
  const addImage = async (image) => (assert.equal(image, IMAGE), { id: `${++count}`, truth: null });
  const [first, second] = await Promise.all([tried.record(addImage), tried.record(addImage)]);
  assert.equal(first, second);
  assert.equal((await tried.record(addImage)).id, "1");
  assert.equal(count, 1);
});

test("what could not be added can be tried again", async () => {
  const tried = trial();
  await assert.rejects(tried.record(async () => failWith(503)()), ApiError);
  assert.equal(tried.recorded, null);
  await tried.record(async () => ({ id: "1", truth: "a" }));
  assert.equal(tried.truth, "a");
});
