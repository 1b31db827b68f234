import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { addImage } from "../../../services/gateway/web/api/add-image.js";
import { GatewayClient } from "../../../services/gateway/web/api/client.js";
import { ApiError } from "../../../services/gateway/web/api/errors.js";

const originalFetch = globalThis.fetch;
let requests;
let answers;

function answer(status, body) {
  answers.push(() => new Response(typeof body === "string" ? body : JSON.stringify(body), { status }));
}

beforeEach(() => {
  requests = [];
  answers = [];
  globalThis.fetch = async (url, request) => {
    requests.push({ url, ...request });
    return answers.shift()();
  };
});
afterEach(() => (globalThis.fetch = originalFetch));

function client(askForKey = () => assert.fail("it asks for a key")) {
  return new GatewayClient("http://host/model/", askForKey);
}

test("calls go to the folder that the page is in, names are escaped, what is undefined is left out", async () => {
  answer(200, { predictions: [] });
  await client().predictions("a/b", { sort: "recent", truth: "", limit: 3, model: undefined });
  assert.equal(requests[0].url, "http://host/model/v1/streams/a%2Fb/predictions?sort=recent&truth=&limit=3");
});

const WAIT = { wait: 8 };

for (const { name, call, method = "GET", path } of [
  { name: "installation", call: (api) => api.installation(), path: "v1/installation" },
  { name: "status", call: (api) => api.status("s"), path: "v1/streams/s" },
  { name: "curve", call: (api) => api.curve("s"), path: "v1/streams/s/curve" },
  { name: "reliability", call: (api) => api.reliability("s"), path: "v1/streams/s/reliability" },
  { name: "confusion", call: (api) => api.confusion("s", "a|b"), path: "v1/streams/s/confusion?model=a%7Cb" },
  { name: "prediction", call: (api) => api.prediction("s", "1:2", 8), path: "v1/streams/s/predictions/1%3A2?wait=8" },
  { name: "predict", call: (api) => api.predict("s", new Blob(["x"])), method: "POST", path: "v1/streams/s/predict" },
  { name: "label", call: (api) => api.sendLabel("s", "1", null, WAIT), method: "POST", path: "v1/streams/s/labels?wait=8" },
]) {
  test(`the call ${name} returns what the gateway answers`, async () => {
    answer(200, { name });
    assert.deepEqual(await call(client()), { name });
    assert.equal(requests[0].url, `http://host/model/${path}`);
    assert.equal(requests[0].method ?? "GET", method);
  });
}

test("a label is sent with its author, and with how its image was chosen", async () => {
  answer(200, {});
  await client().sendLabel("s", "1", "a", { wait: 8 });
  assert.deepEqual(JSON.parse(requests[0].body), { id: "1", label: "a", by: "page" });
  answer(200, {});
  await client().sendLabel("s", "1", "a", { wait: 8, why: "random" });
  assert.deepEqual(JSON.parse(requests.at(-1).body), { id: "1", label: "a", by: "page", why: "random" });
});

test("images and events have addresses", () => {
  assert.equal(client().imageUrl("s", "1", 96), "http://host/model/v1/streams/s/images/1?size=96");
  assert.equal(client().imageUrl("s", "1"), "http://host/model/v1/streams/s/images/1?");
  assert.equal(client().eventsUrl("s"), "http://host/model/v1/streams/s/events");
});

test("streams come with the newest activity first", async () => {
  answer(200, {
    streams: [
      { stream: "never" },
      { stream: "old", active_at: "2024-01-01T00:00:00Z" },
      { stream: "new", active_at: "2025-01-01T00:00:00Z" },
    ],
  });
  assert.deepEqual(await client().streams(), ["new", "old", "never"]);
});

for (const { status, body, message } of [
  { status: 422, body: { title: "Unprocessable", detail: "the label is empty" }, message: "the label is empty" },
  { status: 503, body: "<html>", message: /not ready yet/ },
  { status: 418, body: { title: "Teapot" }, message: "The gateway answered 418 (Teapot)." },
  { status: 418, body: "<html>", message: "The gateway answered 418." },
]) {
  test(`${status} with ${JSON.stringify(body)} says ${message}`, async () => {
    answer(status, body);
    await assert.rejects(client().status("s"), { status, message });
  });
}

test("a gateway that is not reached has status 0 and advice", async () => {
  answers.push(() => {
    throw new TypeError("network");
  });
  await assert.rejects(client().status("s"), { status: 0, message: /cannot be reached/ });
});

test("one prompt for the key serves all calls, which are then repeated", async () => {
  let prompts = 0;
  const asking = client(async (check) => {
    prompts++;
    assert.equal(await check("wrong"), "no such key");
    assert.equal(await check("right"), null);
  });
  answer(401, {});
  answer(401, {});
  answer(401, { detail: "no such key" });
  answer(200, {});
  answer(200, { stream: "a" });
  answer(200, { stream: "b" });
  const found = await Promise.all([asking.status("a"), asking.status("b")]);
  assert.deepEqual(found.map(({ stream }) => stream), ["a", "b"]);
  assert.equal(prompts, 1);
  assert.deepEqual(requests.slice(2, 4).map(({ body }) => body), ['{"key":"wrong"}', '{"key":"right"}']);
});

test("what the gateway waits for is told, though it answers 503", async () => {
  answer(503, { reasons: { learner: "it reads its log" } });
  assert.deepEqual(await client().notReadyReasons(), ["learner: it reads its log"]);
});

test("an image whose type the browser does not know is sent all the same", async () => {
  answer(202, { id: "1", position: "0:1" });
  await client().sendImage("s", new Blob(["x"]), 8);
  assert.equal(requests[0].headers["Content-Type"], "image/unknown");
});

test("an image is added, and its prediction waited for", async () => {
  answer(202, { id: "1", position: "0:1" });
  answer(404, {});
  answer(200, { id: "1", label: "a" });
  const delays = [];
  const prediction = await addImage(client(), "s", new Blob(["x"]), (text) => delays.push(text));
  assert.equal(prediction.label, "a");
  assert.equal(delays.length, 1);
});

test("a prediction that comes at once is not asked for", async () => {
  answer(200, { id: "1", position: "0:1", prediction: { id: "1", label: "a" } });
  const prediction = await addImage(client(), "s", new Blob(["x"]), () => assert.fail("it says that it waits"));
  assert.equal(prediction.label, "a");
});

test("after a minute without a prediction, people are told what to look at", async () => {
  answer(202, { id: "1", position: "0:1" });
  for (let wait = 0; wait < 4; wait++) answer(404, {});
  await assert.rejects(addImage(client(), "s", new Blob(["x"]), () => {}), (error) => {
    return error instanceof ApiError && error.status === 504 && /extractor and learner/.test(error.message);
  });
});

test("any other error than a missing prediction ends the wait", async () => {
  answer(202, { id: "1", position: "0:1" });
  answer(503, {});
  await assert.rejects(addImage(client(), "s", new Blob(["x"]), () => {}), { status: 503 });
});
