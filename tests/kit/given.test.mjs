// What a page's own code gives us, which may be anything.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asText } from "../../blueprints/kit/static/as-text.js";
import { asTag } from "../../blueprints/kit/static/catalogues.js";
import { apart } from "../../blueprints/kit/static/words.js";

const fails = () => {
  throw new Error("odd");
};

test("whatever it is, it is a text, or none", () => {
  assert.deepEqual([undefined, null, "", "a", 7, 7n, false].map(asText), ["", "", "", "a", "7", "7", "false"]);
  assert.equal(asText(Symbol("x")), "Symbol(x)");
  for (const odd of [Object.create(null), { toString: fails }, new Proxy({}, { get: fails })]) {
    assert.equal(asText(odd), "");
    assert.equal(asTag(odd), "", "and no language");
  }
});

test("a name by itself does not turn round what stands beside it", () => {
  assert.equal(apart("Ada"), "Ada");
  assert.equal(apart("Ada", true), "\u2068Ada\u2069");
  assert.equal(apart("\u202eadA"), "adA");
  assert.equal(apart("דנה"), "\u2068דנה\u2069");
});
