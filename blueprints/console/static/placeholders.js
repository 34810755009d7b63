/** The placeholders of canned replies: `{visitor}`, `{waiter}` and `{page}`. Other braces stay as they are. */

import { t } from "./words.js";

const PLACEHOLDER = /\{(visitor|waiter|page)\}/g;
const MAX_CHOICE = 80; // characters that the server takes

/** *replies* (null: not known) as they are in a chat with *peer*, written by *me*. */
export function filled(replies, peer, me) {
  const values = valuesOf(peer, me);
  const fill = (text) => text.replace(PLACEHOLDER, (_, name) => values[name]);
  return replies?.map((one) => ({ ...one, text: fill(one.text), choices: offered(one.choices.map(fill)) })) ?? null;
}

/** What stands where a placeholder was; "": nothing is known. */
function valuesOf({ name, fields = {}, page = "" }, me) {
  const filledIn = typeof fields.name === "string" ? fields.name : "";
  return { visitor: name || filledIn || t("visitor_unnamed"), waiter: me?.name || "", page };
}

/** *texts* as the server takes them: a value may be empty, or too long for a choice. */
const offered = (texts) => texts.map((text) => [...text.trim()].slice(0, MAX_CHOICE).join("").trim()).filter(Boolean);
