/** Addresses in what people write: http and https only; javascript:, data: and the like stay text. */

/** For the `rel` of a link that a visitor has written. */
export const REL = "noopener noreferrer";

// Where an address ends without a space: at signs that stand in none, as many scripts write them, at
// marks that turn or hide what follows, and where the next one is glued to it.
const ENDING = "<>\"`«»‹›“”‘’„‚…，。；：！？、（）［］｛｝〔〕〖〗「」『』【】《》〈〉｡､｢｣،؛؟۔।॥։";
const TURNING = "\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u2069";
const LINK = new RegExp(`\\b(?:https?://|www\\.)(?:(?![,;|]+https?://)[^\\s${ENDING}${TURNING}])+`, "gi");
const BEFORE = /[\w@./]-?$/; // … in the middle of a word, or of another address; "-" alone begins an item
const TRAILING = /(?:&(?:[gl]t|quot|nbsp|apos|#39);|[.,;:!?')\]}–—])$/i;
const BRACKETS = { ")": "(", "]": "[", "}": "{" };

/** *text* in pieces, `{text}` or `{text, href}`. */
export function pieces(text) {
  const found = [];
  let from = 0;
  for (const { 0: match, index } of text.matchAll(LINK)) {
    const address = trimmed(match);
    const href = BEFORE.test(text.slice(0, index)) ? null : webAddress(address);
    if (!href) continue;
    if (index > from) found.push({ text: text.slice(from, index) });
    found.push({ text: address, href });
    from = index + address.length;
  }
  if (from < text.length) found.push({ text: text.slice(from) });
  return found;
}

/** An address without what the sentence puts behind it; a bracket that is opened in it stays. */
function trimmed(address) {
  let rest = address;
  for (let found; (found = TRAILING.exec(rest)); rest = rest.slice(0, found.index)) {
    const [close] = found;
    const open = BRACKETS[close];
    if (open && rest.split(open).length >= rest.split(close).length) break;
  }
  return rest;
}

/** An http or https address that may be linked to, or null. */
export function webAddress(text) {
  try {
    const { protocol, hostname, href } = new URL(/^www\./i.test(text) ? `https://${text}` : text);
    return /^https?:$/.test(protocol) && hostname.replace(/^www\./, "") ? href : null;
  } catch {
    return null;
  }
}
