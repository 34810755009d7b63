/**
 * What is pasted or dropped on the page. A browser opens a file or a link that is dropped beside a
 * box in place of the page, with all that was being written; what is pasted beside one is lost.
 */

import { isUseless, lacksText, textOf } from "../kit/incoming.js";

const TEXT_FIELD = "input:not([type=checkbox]), textarea";

const isField = ({ target }) => Boolean(target.closest?.(TEXT_FIELD));
const isFree = () => !document.querySelector("dialog[open]");

/** Call *actions*: `text(text)` for what belongs into the box of the chat, `files()` for what nothing is done with. */
export function receive(actions) {
  addEventListener("dragover", (event) => {
    if (isUseless(event.dataTransfer) || !isField(event)) event.preventDefault(); // it is ours to take
  });
  addEventListener("drop", (event) => {
    const { dataTransfer: data } = event;
    const useless = isUseless(data);
    if (!useless && isField(event)) return;
    event.preventDefault();
    if (useless) actions.files();
    else put(textOf(data));
  });
  addEventListener("paste", (event) => {
    const { clipboardData: data } = event;
    if (lacksText(data)) {
      event.preventDefault();
      actions.files();
    } else if (!isField(event)) {
      put(textOf(data));
    }
  });

  function put(text) {
    if (text && isFree()) actions.text(text);
  }
}
