/** Finds the words of a search in a text. */

const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const INSIDE = /[\p{L}\p{N}]/u;

/** *text* in pieces, `{text, isHit}`: hits are what words begin with (or hold, where none are spaced) of *wanted*. */
export function marked(text, wanted) {
  const letters = [...text];
  const folded = letters.map(fold);
  const hits = new Set();
  for (const word of wanted.map((one) => [...one].map(fold)).filter(({ length }) => length)) {
    for (let at = 0; at + word.length <= folded.length; at += 1) {
      if (!word.every((letter, n) => folded[at + n] === letter) || !begins(letters, at)) continue;
      word.forEach((_, n) => hits.add(at + n));
    }
  }
  return pieces(letters, hits);
}

/** *text* as names are compared: without case and accents. */
export const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

/** Without case and accents, one letter for one. */
const fold = (letter) => [...letter.normalize("NFD")][0].toLowerCase();

const begins = (letters, at) => at === 0 || !INSIDE.test(letters[at - 1]) || UNSPACED.test(letters[at]);

function pieces(letters, hits) {
  const found = [];
  letters.forEach((letter, at) => {
    const isHit = hits.has(at);
    if (found.at(-1)?.isHit === isHit) found.at(-1).text += letter;
    else found.push({ text: letter, isHit });
  });
  return found;
}
