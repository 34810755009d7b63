/** What a text is for the server: how long, and whether it is one. */

import { asText } from "./as-text.js";

const MOST = 60_000; // bytes of a text in JSON that a frame surely holds (CSAPP_MAX_FRAME, 65,536)

/**
 * By how many characters *text* is too long; 0: it fits. *most*: how many the server takes
 * (`auth_success.max_text`), undefined before it has said so: then only what no frame can hold is too
 * long. A character is a code point, as the server counts: an emoji is one, for which JavaScript's
 * `length` says two.
 */
export function excess(text, most = Infinity) {
  if (text.length <= most && text.length * 6 <= MOST) return 0; // none takes more than 6 bytes
  let [count, bytes, fitting] = [0, 0, 0];
  for (const character of text) {
    count += 1;
    bytes += size(character);
    if (count <= most && bytes <= MOST) fitting = count;
  }
  return count - fitting;
}

/** Bytes of *character* in JSON. */
function size(character) {
  const code = character.codePointAt(0);
  if (code < 0x80) return JSON.stringify(character).length - 2;
  return code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** *text* as the server takes it, at most *most* characters: half a pair would spoil the frame, and NUL is refused. */
export const whole = (text, most) => text && asText(text).slice(0, most).replace(/\p{Surrogate}|\0/gu, "\ufffd");
