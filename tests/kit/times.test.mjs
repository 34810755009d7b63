// Days of the calendar here, also where one of them has 23 or 25 hours.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dayStamp, sameDay, Times } from "../../blueprints/kit/static/times.js";

process.env.TZ = "America/New_York";

const times = new Times("en-US");
const day = (said, now) => times.day(new Date(said), new Date(now).getTime());

for (const [said, now, expected] of [
  ["2026-03-08T12:00", "2026-03-09T00:30", "Yesterday"], // the day had 23 hours
  ["2026-03-08T00:30", "2026-03-09T00:30", "Yesterday"],
  ["2026-03-07T23:30", "2026-03-09T00:30", "Saturday, March 7"],
  ["2026-10-31T12:00", "2026-11-01T23:30", "Yesterday"], // the day has 25 hours
  ["2026-10-31T00:00", "2026-11-01T23:59", "Yesterday"],
  ["2026-11-01T00:30", "2026-11-01T23:30", "Today"],
  ["2026-12-31T23:59", "2027-01-01T00:00", "Yesterday"],
  ["2026-11-26T23:59", "2026-11-26T00:01", "Today"], // a clock that is wrong
  ["2026-11-27T00:01", "2026-11-26T23:59", "Friday, November 27"],
  ["2025-11-26T12:00", "2026-11-26T12:00", "Nov 26, 2025"],
]) {
  test(`${said} seen on ${now}`, () => assert.equal(day(said, now), expected));
}

test("the day in the name of a file is that of the calendar here", () => {
  const here = new Date(2026, 2, 7, 0, 30); // in most zones UTC has another one
  assert.equal(dayStamp(here.toISOString()), "2026-03-07");
  assert.equal(dayStamp(new Date(2026, 10, 27, 23, 30)), "2026-11-27");
});

test("a day ends at midnight here", () => {
  assert.ok(sameDay("2026-11-26T05:00:00Z", "2026-11-27T04:59:59Z"));
  assert.ok(!sameDay("2026-11-26T04:59:59Z", "2026-11-26T05:00:00Z"));
});

test("a day with its time, in each language", () => {
  const [said, now] = [new Date("2026-11-25T16:05"), new Date("2026-11-26T12:00").getTime()];
  assert.equal(new Times("de").when(said, now), "Gestern, 16:05");
  assert.equal(new Times("zh-CN").when(said, now), "昨天, 16:05");
  assert.equal(new Times("de").when(said, said.getTime()), "16:05");
});

test("a moment in one word", () => {
  const now = new Date("2026-11-26T12:00").getTime();
  assert.match(times.brief(new Date("2026-11-26T09:05"), now), /^9:05/);
  assert.equal(times.brief(new Date("2026-11-25T09:05"), now), "Nov 25");
});

test("waits", () => {
  const waits = [-5, 0, 59_999, 60_000, 3_599_999, 3_600_000, 3_900_000, 90_000_000];
  assert.deepEqual(waits.map((ms) => times.duration(ms)),
    ["0 sec", "0 sec", "59 sec", "1 min", "59 min", "1 hr", "1 hr 5 min", "25 hr"]);
  assert.equal(new Times("zh").duration(3_900_000), "1小时 5分钟");
});
