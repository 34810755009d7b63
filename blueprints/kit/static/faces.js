/** How people look: their picture, or else the letters of their name on a colour of their own. */

// white letters on each have a contrast of more than 4.5 : 1, and each one to the surfaces of both themes of 2.8 : 1
const COLOURS = [
  "#b3413a", "#a4531c", "#8a6100", "#5f7010", "#2f7a2f", "#0f7a5c",
  "#0b7580", "#1c6fa8", "#4060c4", "#6a52c0", "#9045ab", "#ab3f7c",
];

/** One or two letters for a round picture. */
export function initials(name) {
  // a word may begin with a bracket, or with a mark of direction that nobody sees
  const letters = name.split(/\s+/).flatMap((word) => word.match(/[\p{L}\p{N}]/u) ?? []);
  const ends = letters.length > 1 ? [letters[0], letters.at(-1)] : letters;
  return ends.map((letter) => letter.toUpperCase()).join("") || "?";
}

/** The colour of *name*, the same wherever and whenever it is asked for; letters on it are white. */
export function colour(name) {
  let sum = 7;
  for (const letter of name.trim().toLowerCase()) sum = (sum * 31 + letter.codePointAt(0)) % 65_521;
  return COLOURS[sum % COLOURS.length];
}

/** Where the picture *avatar* is, which the server has named (a path, or http and https); null: nowhere. */
export function pictureAt(avatar, base) {
  try {
    const { protocol, href } = new URL(avatar, base);
    return avatar && /^https?:$/.test(protocol) ? href : null;
  } catch {
    return null;
  }
}

/**
 * Make *element* the face of `{name, avatar}`: the picture, and until it is there, or if it does not
 * come, the letters. It says nothing to a screen reader, because the name stands beside it. *base*:
 * of paths, the address of the chat (a widget's page may be of another host).
 */
export function paintFace(element, { name, avatar }, base) {
  const looks = `${name}\n${avatar}`;
  if (element.dataset.looks === looks) return;
  element.dataset.looks = looks;
  element.setAttribute("aria-hidden", "true");
  element.style.background = colour(name);
  element.style.color = "#fff";
  element.textContent = initials(name);
  const src = pictureAt(avatar, base);
  if (!src) return;
  const image = new Image();
  image.alt = "";
  image.referrerPolicy = "no-referrer"; // the picture's host need not know the page
  image.onload = () => element.dataset.looks === looks && element.replaceChildren(image);
  image.src = src;
}
