/** What widget and console show of a list of messages: which ones form a group, and which own ones have arrived. */

import { sameDay } from "./times.js";

const PAUSE = 300_000; // ms of silence after which a group ends

/** Whether *next* belongs to the group of *one*: of the same side, on the same day, soon after. */
export function together(one, next) {
  return Boolean(one && next) && one.own === next.own && sameDay(one.date, next.date)
    && new Date(next.date) - new Date(one.date) < PAUSE;
}

/** The last own message that the other side has read, or undefined; *readTo* is a `seq`. */
export const lastRead = (messages, readTo) => messages.findLast(({ own, seq }) => own && seq && seq <= readTo);

/** The last own message that is stored, or undefined. */
export const lastSent = (messages) => messages.findLast(({ own, state }) => own && state === "sent");
