/** How much is new, in the title and on the icon of the tab. */

const TITLE = document.title;
const MOST = 9;

let shown = 0;

/** Show *count*; 0 shows none. */
export function showCount(count) {
  if (count === shown) return;
  shown = count;
  document.title = count ? `(${count}) ${TITLE}` : TITLE;
  const icon = document.querySelector("link[rel=icon]");
  icon.href = icon.dataset.folder + (count > MOST ? "more" : count) + ".svg";
}
