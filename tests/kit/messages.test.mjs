// What both faces say of a list of messages, and whether its end is in sight.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Follow } from "../../blueprints/kit/static/follow.js";
import { lastRead, lastSent, together } from "../../blueprints/kit/static/messages.js";

const said = (date, own = true) => ({ date, own });

test("what belongs together is of one side, of one day, and soon after", () => {
  const one = said("2026-11-26T12:00:00Z");
  assert.ok(together(one, said("2026-11-26T12:04:59Z")));
  assert.ok(!together(one, said("2026-11-26T12:05:00Z")));
  assert.ok(!together(one, said("2026-11-26T12:00:01Z", false)));
  assert.ok(!together(undefined, one));
  assert.ok(!together(one, undefined));
});

test("how far one's own have come", () => {
  const messages = [
    { own: true, seq: 1, state: "sent" },
    { own: false, seq: 2, state: "sent" },
    { own: true, seq: 3, state: "sent" },
    { own: true, state: "sending" },
  ];
  assert.equal(lastSent(messages), messages[2]);
  assert.equal(lastRead(messages, 2), messages[0]);
  assert.equal(lastRead(messages, 0), undefined);
});

test("a log follows its end until somebody scrolls up", () => {
  const log = { scrollHeight: 1000, clientHeight: 200, scrollTop: 0 };
  const follow = new Follow(() => log);
  follow.toEnd();
  log.scrollTop = 800; // as far as a browser lets it
  follow.scrolled();
  assert.ok(follow.check());
  log.scrollHeight = 1300; // more has come
  assert.ok(follow.check(), "nobody has scrolled");
  log.scrollTop = 300; // the event comes later
  assert.ok(!follow.check());
  log.scrollTop = 1037;
  assert.ok(follow.scrolled(), "63 px are near");
  log.scrollTop = 1036;
  assert.ok(!follow.scrolled(), "64 px are not");
  follow.toEnd();
  assert.ok(follow.on);
  follow.on = false;
  assert.ok(!follow.on);
});

test("a log that is not there is not followed", () => {
  const follow = new Follow(() => null);
  assert.ok(!follow.check());
  follow.toEnd();
});
