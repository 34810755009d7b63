/** How times, names and texts are shown. */

import { pieces, REL, webAddress } from "../kit/links.js";
import { sameDay } from "../kit/times.js";
import { shown, t } from "./words.js";

export { pieces, REL, sameDay, webAddress };

let clock = Date.now;

/** The time (ms) by which all ages and waits are counted. */
export const now = () => clock();

/** Count by *other* from now on, the server's clock: this computer's may be wrong by hours. */
export function countBy(other) {
  clock = other;
}

export const time = (date) => shown().time(date);
export const moment = (date) => shown().moment(date);
export const day = (date) => shown().day(date, now());
export const when = (date) => shown().when(date, now());
export const brief = (date) => shown().brief(date, now());
export const duration = (ms) => shown().duration(ms);

/** A visitor's name; anonymous visitors get names by which two of them differ. */
export function visitorName({ name, sub = "" }) {
  if (name) return name;
  const anonymous = /^anonymous-(.+)$/.exec(sub);
  if (!anonymous) return sub || t("visitor");
  return t("anonymous", { mark: anonymous[1].replace(/[^a-z0-9]/gi, "").slice(-4).toUpperCase() });
}
