/** How much is new, in the title and on the icon of the tab. */

const MOST = 9;

let shown = "";

/** Show *count* beside the *title*; 0 shows none. */
export function showCount(count, title) {
  const wanted = count ? `(${count}) ${title}` : title;
  if (wanted === shown) return;
  document.title = shown = wanted;
  const icon = document.querySelector("link[rel=icon]");
  icon.href = icon.dataset.folder + (count > MOST ? "more" : count) + ".svg";
}
