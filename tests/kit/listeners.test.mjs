// Who listens to what.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Listeners } from "../../blueprints/kit/static/listeners.js";

test("each is told once, in order, until it listens no more", () => {
  const [listeners, heard] = [new Listeners(), []];
  const one = (detail) => heard.push(["one", detail]);
  const stop = listeners.on("constructor", one); // a page may name its events as it likes
  listeners.on("constructor", one);
  listeners.on("constructor", (detail) => heard.push(["two", detail]));
  listeners.emit("constructor", 1);
  stop();
  listeners.emit("constructor", 2);
  listeners.off("toString", one);
  listeners.emit("toString");
  assert.deepEqual(heard, [["one", 1], ["two", 1], ["two", 2]]);
});

test("what throws does not stop the others, and who comes meanwhile hears the next", (context) => {
  const [listeners, heard, reported] = [new Listeners(), [], []];
  globalThis.reportError = ({ message }) => reported.push(message);
  context.after(() => delete globalThis.reportError);
  listeners.on("odd", () => {
    listeners.on("odd", () => heard.push("late"));
    throw new Error("mine");
  });
  listeners.on("odd", () => heard.push("other"));
  listeners.emit("odd");
  assert.deepEqual([heard, reported], [["other"], ["mine"]]);
  listeners.emit("odd");
  assert.deepEqual(heard, ["other", "other", "late"]);
});
