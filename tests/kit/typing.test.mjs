// Keys of input methods, and how long a text is: the same in both faces.
import assert from "node:assert/strict";
import { test } from "node:test";
import { composes } from "../../blueprints/kit/static/keys.js";
import { excess } from "../../blueprints/kit/static/size.js";

test("a key that an input method has is not the page's", () => {
  assert.ok(composes({ key: "Enter", isComposing: true, keyCode: 229 }));
  assert.ok(composes({ key: "Enter", isComposing: true, keyCode: 13 }));
  assert.ok(composes({ key: "Enter", isComposing: false, keyCode: 229 }), "Safari, after compositionend");
  assert.ok(!composes({ key: "Enter", isComposing: false, keyCode: 13 }));
  assert.ok(!composes({ key: "Escape", isComposing: false, keyCode: 27 }));
});

test("too long by how many characters, as the server counts them", () => {
  assert.equal(excess("x".repeat(500), 500), 0);
  assert.equal(excess("x".repeat(600), 500), 100);
  assert.equal(excess("🙂".repeat(3000), 4096), 0, "one character each, although two for JavaScript");
  assert.equal(excess("🙂".repeat(5000), 4096), 904);
  assert.equal(excess("👩‍👩‍👧", 4), 1, "a family of five code points");
  assert.equal(excess("\ud83d".repeat(3), 2), 1, "half a pair counts, as what takes its place does");
  assert.equal(excess("", 0), 0);
  assert.equal(excess("x", 0), 1);
});

test("as long as nobody knows what fits, only what no frame holds is too long", () => {
  assert.equal(excess("x".repeat(60_000)), 0);
  assert.equal(excess("x".repeat(60_007)), 7);
});

test("what fits is also what a frame holds, in bytes of JSON", () => {
  for (const one of ["x", "é", "中", "🙂", '"', "\n", "\u0001"]) {
    const bytes = new TextEncoder().encode(JSON.stringify(one)).length - 2;
    const fitting = Math.floor(60_000 / bytes);
    assert.equal(excess(one.repeat(fitting), 100_000), 0, one);
    assert.equal(excess(one.repeat(fitting + 3), 100_000), 3, one);
  }
});
