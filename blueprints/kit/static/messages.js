/** What both faces say of a list of messages: what belongs together, and how far one's own have come. */

import { sameDay } from "./times.js";

const PAUSE = 300_000; // ms of silence after which a group ends

/** Whether *next* belongs to the group of *one*: of the same side, on the same day, soon after. */
export function together(one, next) {
  return Boolean(one && next) && one.own === next.own && sameDay(one.date, next.date)
    && new Date(next.date) - new Date(one.date) < PAUSE;
}

/** The last of one's own that the other side has read, or undefined; *readTo* is a `seq`. */
export const lastRead = (messages, readTo) => messages.findLast(({ own, seq }) => own && seq && seq <= readTo);

/** The last of one's own that is stored, or undefined. */
export const lastSent = (messages) => messages.findLast(({ own, state }) => own && state === "sent");
