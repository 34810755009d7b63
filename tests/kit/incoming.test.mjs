// What is pasted or dropped: files, texts, addresses, and pictures of a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasFiles, isUseless, lacksText, textOf } from "../../blueprints/kit/static/incoming.js";

const data = (texts, ...more) => ({
  types: [...Object.keys(texts), ...more],
  getData: (type) => texts[type] ?? "",
});

for (const [what, given, files, lacks, useless, text] of [
  ["nothing", undefined, false, false, false, ""],
  ["an empty one", data({}), false, false, false, ""],
  ["a screen shot", data({}, "Files"), true, true, true, ""],
  ["a picture of a page", data({ "text/html": "<img src=a.png>" }), false, true, true, ""],
  ["a table", data({ "text/plain": "1\t2", "text/html": "<table>" }, "Files"), true, false, true, "1\t2"],
  ["words", data({ "text/plain": "Hello" }), false, false, false, "Hello"],
  ["a link", data({ "text/uri-list": "https://shop.example/" }), false, false, false, "https://shop.example/"],
])
  test(what, () => {
    assert.deepEqual(
      [hasFiles(given), lacksText(given), isUseless(given), textOf(given)],
      [files, lacks, useless, text],
    );
  });
