// Letters, colours and pictures of people, and what stands below their messages.
import assert from "node:assert/strict";
import { test } from "node:test";
import { colour, initials, pictureAt } from "../../blueprints/kit/static/faces.js";
import { SIGNS, stamps } from "../../blueprints/kit/static/receipts.js";

test("letters for a face", () => {
  const found = ["Ann Berg", "maria dos santos", "李明", "Ada", "- ?", "", "Ann 2", "🙂 Eve"].map(initials);
  assert.deepEqual(found, ["AB", "MS", "李", "A", "?", "?", "A2", "E"]);
});

test("signs before a name are no letters of it, whether they can be seen or not", () => {
  const found = ["\u202ennA", "(Ann) Berg", "<img src=x>", "\u2068محمد\u2069 علي", '"Ada"'].map(initials);
  assert.deepEqual(found, ["N", "AB", "IS", "مع", "A"]);
});

test("a name has one colour, and a few names have several", () => {
  const names = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Fay", "李明", "أمينة", "🙂", ""];
  assert.deepEqual(names.map(colour), names.map(colour));
  assert.equal(colour(" ada "), colour("Ada"));
  assert.ok(new Set(names.map(colour)).size >= 5);
});

test("white letters can be read on every colour", () => {
  const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (hex) => {
    const [red, green, blue] = [1, 3, 5].map((at) => channel(parseInt(hex.slice(at, at + 2), 16) / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const dark = luminance("#1a1d22");
  const all = new Set(Array.from({ length: 500 }, (_, n) => colour(`waiter ${n}`)));
  assert.equal(all.size, 12);
  for (const one of all) {
    assert.ok(contrast(luminance(one), 1) >= 4.5, one);
    assert.ok(contrast(luminance(one), dark) >= 2.8, one);
  }
});

test("a picture is at a path of the chat's host, or at an address of the web", () => {
  const base = "https://chat.example/support/";
  assert.equal(pictureAt("/static/ada.png", base), "https://chat.example/static/ada.png");
  assert.equal(pictureAt("faces/ada.png", base), "https://chat.example/support/faces/ada.png");
  assert.equal(pictureAt("https://cdn.example/ada.png", base), "https://cdn.example/ada.png");
  const none = ["", undefined, "javascript:alert(1)", "data:image/png;base64,AA", "blob:x", "https://", "//"];
  for (const one of none) assert.equal(pictureAt(one, base), null, one);
});

const own = (seq, date, state = "sent") => ({ own: true, seq, state, date: `2026-11-26T12:${date}:00Z` });
const theirs = (seq, date) => ({ ...own(seq, date), own: false });
const shown = (messages, readTo) =>
  stamps(messages, readTo).map(({ time, receipt }) => `${time ? "time" : ""} ${receipt}`.trim());

test("a time stands once below what belongs together", () => {
  assert.deepEqual(shown([theirs(1, "00"), theirs(2, "01"), theirs(3, "30")], 0), ["", "time", "time"]);
});

test("the last that was read and the last that was sent say so", () => {
  const messages = [own(1, "00"), own(2, "10"), theirs(3, "11"), own(4, "20"), own(5, "21")];
  assert.deepEqual(shown(messages, 0), ["time", "time", "time", "", "time sent"]);
  assert.deepEqual(shown(messages, 2), ["time", "time read", "time", "", "time sent"]);
  assert.deepEqual(shown(messages, 4), ["time", "time", "time", "read", "time sent"]);
  assert.deepEqual(shown(messages, 5), ["time", "time", "time", "", "time read"]);
});

test("what is under way or has failed says so by itself, and has no time if it failed", () => {
  const messages = [own(1, "00"), own(undefined, "01", "failed"), own(undefined, "20", "sending")];
  assert.deepEqual(shown(messages, 0), ["sent", "failed", "time sending"]);
});

test("each receipt has a sign", () => {
  assert.deepEqual(Object.keys(SIGNS).sort(), ["failed", "read", "sending", "sent"]);
});
