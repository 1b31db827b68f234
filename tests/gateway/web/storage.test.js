import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import {
  chooseInitialStream, rememberStream, storeDeletedStream, takeDeletedStream,
} from "../../../services/gateway/web/lib/storage.js";
import { FakeStorage } from "./fakes.js";

function useStorage(get) {
  for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(globalThis, name, { configurable: true, get });
}

beforeEach(() => {
  const [local, session] = [new FakeStorage(), new FakeStorage()];
  useStorage(() => local);
  Object.defineProperty(globalThis, "sessionStorage", { configurable: true, value: session });
});

test("the page opens on the stream looked at last, if it still exists", () => {
  assert.equal(chooseInitialStream(["newest", "pets"]), "newest");
  rememberStream("pets");
  assert.equal(chooseInitialStream(["newest", "pets"]), "pets");
  assert.equal(chooseInitialStream(["newest"]), "newest");
  assert.equal(chooseInitialStream([]), null);
});

test("a deleted stream is told once", () => {
  assert.equal(takeDeletedStream(), null);
  storeDeletedStream("pets");
  assert.equal(takeDeletedStream(), "pets");
  assert.equal(takeDeletedStream(), null);
});

test("a browser that forbids storage remembers nothing, and nothing breaks", () => {
  useStorage(() => {
    throw new Error("forbidden");
  });
  rememberStream("pets");
  storeDeletedStream("pets");
  assert.equal(chooseInitialStream(["newest", "pets"]), "newest");
  assert.equal(takeDeletedStream(), null);
});
