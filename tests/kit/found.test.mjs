// Where the words that a waiter looks for stand in a text.
import assert from "node:assert/strict";
import { test } from "node:test";
import { marked, plain } from "../../blueprints/console/static/found.js";

const shown = (text, query) =>
  marked(text, query.split(/\s+/)).map(({ text: part, isHit }) => (isHit ? `[${part}]` : part)).join("");

for (const [text, query, expected] of [
  ["Blue plates, a template", "plate", "Blue [plate]s, a template"],
  ["Blue plates", "PLA blu", "[Blu]e [pla]tes"],
  ["NÈEDLE", "need", "[NÈED]LE"],
  ["我的订单在哪里", "订单", "我的[订单]在哪里"],
  ["A b(c", "b(c", "A [b(c]"],
  ["😀 smile", "smile", "😀 [smile]"],
  ["plain", "", "plain"],
  ["plain", "  ", "plain"],
  ["", "word", ""],
]) {
  test(`${query} in ${text}`, () => assert.equal(shown(text, query), expected));
}

test("names are found without case and accents", () => {
  assert.ok(plain("Zoë MÜLLER").includes(plain("zoe mull")));
  assert.ok(plain("Zoë").includes(plain("ZOË")));
  assert.ok(plain("김영희").includes(plain("영희")));
  assert.ok(!plain("Zoë").includes(plain("zoa")));
});
