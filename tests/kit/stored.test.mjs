// What outlives a page, and drafts; where nothing may be stored, as long as the page lasts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Drafts } from "../../blueprints/kit/static/drafts.js";
import { browserStorage, Stored } from "../../blueprints/kit/static/storage.js";

const A_DAY = 86_400_000;

class Storage {
  stored = new Map();
  isFull = false;
  getItem = (key) => this.stored.get(key) ?? null;
  removeItem = (key) => void this.stored.delete(key);
  setItem(key, value) {
    if (this.isFull) throw new Error("QuotaExceededError");
    this.stored.set(key, value);
  }
}

test("values come back, and go", () => {
  const storage = new Storage();
  const stored = new Stored(storage, "x:");
  assert.equal(stored.get("a"), null);
  stored.set("a", { b: [1] });
  assert.deepEqual(new Stored(storage, "x:").get("a"), { b: [1] });
  assert.deepEqual([...storage.stored.keys()], [stored.name("a")]);
  stored.set("a", undefined);
  assert.equal(stored.get("a"), null);
  stored.set("a", 1);
  stored.remove("a");
  assert.equal(storage.stored.size, 0);
});

test("what nobody can read is nothing", () => {
  const storage = new Storage();
  storage.setItem("x:a", "{");
  assert.equal(new Stored(storage, "x:").get("a"), null);
});

for (const [name, storage] of [["none", null], ["full", Object.assign(new Storage(), { isFull: true })],
  ["forbidden", new Proxy({}, { get() { throw new Error("SecurityError"); } })]]) {
  test(`storage that is ${name} holds until the page ends`, () => {
    const stored = new Stored(storage, "x:");
    stored.set("a", { b: 1 });
    assert.deepEqual(stored.get("a"), { b: 1 });
    stored.get("a").b = 2; // nobody changes it from outside
    assert.deepEqual(stored.get("a"), { b: 1 });
    stored.remove("a");
    assert.equal(stored.get("a"), null);
  });
}

test("all is cleared, also what others keep beside it", () => {
  const storage = new Storage();
  // as a browser's: its keys are its own properties
  const shown = new Proxy(storage, { ownKeys: () => [...storage.stored.keys()], getOwnPropertyDescriptor: (_, key) => ({ value: storage.getItem(key), enumerable: true, configurable: true }) });
  const stored = new Stored(shown, "x:");
  for (const key of ["x:", "x:a", "x:client:state", "y:a"]) storage.setItem(key, "1");
  stored.clear();
  assert.deepEqual([...storage.stored.keys()], ["y:a"]);
});

test("a storage whose very name is forbidden is none", () => {
  Object.defineProperty(globalThis, "forbidden", { configurable: true, get() { throw new Error("SecurityError"); } });
  assert.equal(browserStorage("forbidden"), null);
  assert.equal(browserStorage("nothing of the kind"), null);
});

test("a draft is stored for a week", () => {
  let now = 100 * A_DAY;
  const storage = new Storage();
  const drafts = () => new Drafts(new Stored(storage, "x:"), () => now);
  drafts().set("c1", "Good mor");
  now += 6 * A_DAY;
  drafts().set("c2", "Half a sen");
  assert.deepEqual([drafts().get("c1"), drafts().get("c2"), drafts().get("c3")], ["Good mor", "Half a sen", ""]);
  now += 2 * A_DAY;
  assert.deepEqual([drafts().get("c1"), drafts().get("c2")], ["", "Half a sen"]);
  drafts().set("c2", "");
  assert.equal(storage.stored.size, 0);
  drafts().set("c2", "x");
  drafts().clear();
  assert.equal(storage.stored.size, 0);
});

test("what another tab is about to say stays", () => {
  const storage = new Storage();
  const [one, two] = [1, 2].map(() => new Drafts(new Stored(storage, "x:")));
  one.set("c1", "One");
  two.set("c2", "Two");
  one.set("c1", "One more");
  assert.deepEqual([two.get("c1"), one.get("c2")], ["One more", "Two"]);
});

test("drafts as they were stored before are read", () => {
  const storage = new Storage();
  storage.setItem("x:drafts", JSON.stringify({ c1: "Old", c2: 7, c3: null, c4: { text: 5 } }));
  const drafts = new Drafts(new Stored(storage, "x:"));
  assert.deepEqual(["c1", "c2", "c3", "c4"].map((one) => drafts.get(one)), ["Old", "", "", ""]);
});

test("drafts that nobody comes back to are removed, also those of a time without a time", () => {
  let now = 100 * A_DAY;
  const storage = new Storage();
  storage.setItem("x:drafts", JSON.stringify({ c1: "Old" }));
  const drafts = () => new Drafts(new Stored(storage, "x:"), () => now);
  drafts();
  now += 6 * A_DAY;
  assert.equal(drafts().get("c1"), "Old");
  now += 2 * A_DAY;
  drafts();
  assert.equal(storage.stored.size, 0);
});

test("where there is no draft, nothing is stored", () => {
  const storage = new Storage();
  new Drafts(new Stored(storage, "x:")).set("c1", "");
  assert.equal(storage.stored.size, 0);
});
