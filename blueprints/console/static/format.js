/** How times, names and texts are shown. */

import { initials } from "../kit/faces.js";
import { pieces, REL, webAddress } from "../kit/links.js";
import { sameDay } from "../kit/times.js";
import { shown, t } from "./words.js";

export { initials, pieces, REL, sameDay, webAddress };

export const time = (date) => shown().time(date);
export const moment = (date) => shown().moment(date);
export const day = (date, now) => shown().day(date, now);
export const when = (date, now) => shown().when(date, now);
export const duration = (ms) => shown().duration(ms);

/** How a visitor is called: by name, or so that two strangers can be told apart. */
export function visitorName({ name, sub = "" }) {
  if (name) return name;
  const stranger = /^anonymous-(.+)$/.exec(sub);
  if (!stranger) return sub || t("visitor");
  return t("stranger", { mark: stranger[1].replace(/[^a-z0-9]/gi, "").slice(-4).toUpperCase() });
}
