/** Addresses in what people write: http and https only; javascript:, data: and the like stay text. */

/** For the `rel` of a link that a stranger has written. */
export const REL = "noopener noreferrer";

// Chinese and Japanese put no space between an address and the sentence's own signs.
const LINK = /\b(?:https?:\/\/|www\.)[^\s<>"`，。；：！？、（）「」『』【】《》〈〉“”‘’…]+/gi;
const BEFORE = /[\w@./-]$/; // … in the middle of a word, or of another address
const TRAILING = /[.,;:!?')\]}]$/;
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
  let end = address.length;
  while (TRAILING.test(address.slice(0, end))) {
    const close = address[end - 1];
    const open = BRACKETS[close];
    const kept = address.slice(0, end);
    if (open && kept.split(open).length >= kept.split(close).length) break;
    end -= 1;
  }
  return address.slice(0, end);
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
