/** How times, names and texts are shown. */

const TIME = new Intl.DateTimeFormat([], { timeStyle: "short" });
const DAY = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });
const DATE = new Intl.DateTimeFormat([], { dateStyle: "medium" });
const FULL = new Intl.DateTimeFormat([], { dateStyle: "full", timeStyle: "medium" });

const A_DAY = 86_400_000; // ms

/** The time of day. */
export const time = (date) => TIME.format(new Date(date));

/** Everything there is to say of a moment. */
export const moment = (date) => FULL.format(new Date(date));

/** "Today", "Yesterday", or which day. */
export function day(date, now = Date.now()) {
  const then = new Date(date);
  if (sameDay(then, now)) return "Today";
  if (sameDay(then, now - A_DAY)) return "Yesterday";
  return then.getFullYear() === new Date(now).getFullYear() ? DAY.format(then) : DATE.format(then);
}

/** A day with its time, as short as it can be. */
export function when(date, now = Date.now()) {
  return sameDay(date, now) ? time(date) : `${day(date, now)}, ${time(date)}`;
}

/** Whether two moments are of one day here. */
export function sameDay(one, other) {
  return new Date(one).toDateString() === new Date(other).toDateString();
}

/** A wait: "12 s", "4 min", "1 h 5 min". */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest ? ` ${rest} min` : ""}`;
}

/** How a visitor is called: by name, or so that two strangers can be told apart. */
export function visitorName({ name, sub = "" }) {
  if (name) return name;
  const stranger = /^anonymous-(.+)$/.exec(sub);
  if (!stranger) return sub || "Visitor";
  return `Visitor ${stranger[1].replace(/[^a-z0-9]/gi, "").slice(-4).toUpperCase()}`;
}

/** One or two letters for a round picture. */
export function initials(name) {
  const words = name.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toUpperCase()).join("") || "?";
}

/** "3 chats", "1 chat". */
export const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

// Whatever else looks like an address (javascript:, data:) stays text.
const LINK = /\bhttps?:\/\/[^\s<>"'`]+/gi;
const TRAILING = /[.,;:!?…)\]}]+$/;

/** *text* in pieces, `{text}` or `{text, href}`: only http and https become links. */
export function pieces(text) {
  const found = [];
  let from = 0;
  for (const { 0: match, index } of text.matchAll(LINK)) {
    const address = trimmed(match);
    if (!URL.canParse(address)) continue;
    if (index > from) found.push({ text: text.slice(from, index) });
    found.push({ text: address, href: new URL(address).href });
    from = index + address.length;
  }
  if (from < text.length) found.push({ text: text.slice(from) });
  return found;
}

/** An address without what the sentence puts behind it; a bracket opened in it stays closed. */
function trimmed(address) {
  const end = TRAILING.exec(address)?.[0] ?? "";
  const kept = end.startsWith(")") && address.includes("(") ? ")" : "";
  return address.slice(0, address.length - end.length) + kept;
}

/** An http or https address that may be linked to, or null. */
export function webAddress(text) {
  if (!URL.canParse(text)) return null;
  const { protocol, href } = new URL(text);
  return protocol === "http:" || protocol === "https:" ? href : null;
}

/** "payload.text: the text is empty" → "The text is empty." */
export function sentence(text) {
  const plain = text.replace(/^[a-z][a-z.]*: /, "");
  return plain.charAt(0).toUpperCase() + plain.slice(1) + (/[.!?]$/.test(plain) ? "" : ".");
}
