/** Whether files are dragged over an element. */

import { hasFiles } from "./incoming.js";

const STILL = 700; // ms without `dragover`, which browsers send at least every 550 ms: they are somewhere else

/** Call `show(on)` when files come over *where* (a window or an element), and when they are not there any more. */
export function watchFiles(where, show) {
  let timer = 0;
  const end = () => {
    clearTimeout(timer);
    if (timer) show(false);
    timer = 0;
  };
  where.addEventListener("dragover", ({ dataTransfer }) => {
    if (!hasFiles(dataTransfer)) return;
    if (!timer) show(true);
    clearTimeout(timer);
    timer = setTimeout(end, STILL);
  });
  where.addEventListener("drop", end);
}
