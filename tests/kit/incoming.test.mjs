// What is pasted or dropped: files, texts, addresses, and pictures of a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasFiles, isUseless, lacksText, receive, textOf } from "../../blueprints/kit/static/incoming.js";

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

const words = data({ "text/plain": "Hello" });
const shot = data({}, "Files");
for (const [what, type, given, target, prevented, told] of [
  ["words are pasted into a box", "paste", words, "box", false, []],
  ["words are pasted beside it", "paste", words, "page", true, ["Hello"]],
  ["a file is pasted into a box", "paste", shot, "box", true, ["files"]],
  ["words are dropped into a box", "drop", words, "box", false, []],
  ["words are dropped beside it", "drop", words, "page", true, ["Hello"]],
  ["a file is dropped beside it", "drop", shot, "page", true, ["files"]],
  ["a file is dragged over a box", "dragover", shot, "box", true, []],
  ["words are dragged over a box", "dragover", words, "box", false, []],
])
  test(`${what}: nothing opens in place of the page, and nothing is lost`, () => {
    const listeners = new Map();
    const heard = [];
    const where = { addEventListener: (name, fn) => listeners.set(name, fn) };
    const on = { text: (text) => heard.push(text), files: () => heard.push("files") };
    receive(where, (one) => one === "box", on);
    let isPrevented = false;
    const carrier = type === "paste" ? "clipboardData" : "dataTransfer";
    listeners.get(type)({ target, [carrier]: given, preventDefault: () => (isPrevented = true) });
    assert.deepEqual([isPrevented, heard], [prevented, told]);
  });
