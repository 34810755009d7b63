/** The keys of the console. */

import { composes } from "../kit/keys.js";
import { onShared, shared } from "./storage.js";

const LETTERS = "letters";

/** What the help shows: `what` is the key of a text; *letter*: it can be switched off. */
export const KEYS = [
  { keys: ["J", "K"], what: "key_step", letter: true },
  { keys: ["Enter"], what: "key_write" },
  { keys: ["Esc"], what: "key_escape" },
  { keys: ["Alt ↓", "Alt ↑"], what: "key_step_writing" },
  { keys: ["/"], what: "key_replies" },
  { keys: ["E"], what: "key_end", letter: true },
  { keys: ["U"], what: "key_undo", letter: true },
  { keys: ["T"], what: "key_transfer", letter: true },
  { keys: ["R"], what: "key_ready", letter: true },
  { keys: ["M"], what: "left", letter: true },
  { keys: ["Ctrl K"], what: "find" },
  { keys: ["?"], what: "key_help", letter: true },
];

const WRITING = "input:not([type=checkbox]), textarea, select, [contenteditable]";
const PRESSABLE = "button, a, input, summary";

/** Whether single letters are shortcuts: who dictates may not want that. */
export const lettersCount = () => shared.get(LETTERS) !== false;

/** Switch the shortcuts of single letters on or off. */
export const setLetters = (on) => shared.set(LETTERS, on);

/** Call *changed* when another tab has switched them. */
export const onLetters = (changed) => onShared(LETTERS, changed);

/** Whether to show keys: a phone has none. */
export const hasKeys = () => !matchMedia("(hover: none) and (pointer: coarse)").matches;

/** The *letter* to show beside a button; undefined if letters are no shortcuts. */
export const hint = (letter) => (hasKeys() && lettersCount() ? letter : undefined);

/**
 * Call *actions* by keys: `next` and `previous`, `write`, `end`, `undo`, `transfer`, `ready`, `inbox`, `find`,
 * `help`, `escape`; `type` before a letter that is none of these, which goes where the focus is then.
 */
export function listen(actions) {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || composes(event) || document.querySelector("dialog[open]")) return;
    if (act(event, actions)) event.preventDefault();
  });
}

/** Whether there was something to do. */
function act(event, actions) {
  const { ctrlKey, metaKey, altKey } = event;
  const key = meant(event);
  const [target] = event.composedPath();
  const writes = target.matches?.(WRITING);
  if ((ctrlKey || metaKey) && !altKey) return key.toLowerCase() === "k" && run(actions.find);
  if (altKey) return run({ ArrowDown: actions.next, ArrowUp: actions.previous }[key]);
  if (key === "Escape") {
    if (writes) target.blur();
    return run(writes ? undefined : actions.escape);
  }
  if (writes || (key === "Enter" && target.matches?.(PRESSABLE))) return false;
  if (key === "Enter") return run(actions.write);
  return lettersCount() && !event.repeat && letter(key, actions);
}

function letter(key, actions) {
  const { next: j, previous: k, end: e, undo: u, transfer: t, ready: r, inbox: m, help } = actions;
  const action = { j, k, e, u, t, r, m, "?": help }[key.toLowerCase()];
  if (!action && /^[\p{L}\p{N}/]$/u.test(key)) actions.type();
  return run(action);
}

// Enter and its like by their names, our letters and signs, letters like ours.
const PLAIN = /^(?!Unidentified$)..+|^[ -~]$|^\p{Script=Latin}$/u;

/** The key that was pressed; where a layout has none of our letters, the one in the same place. */
function meant({ key = "", code = "", shiftKey }) {
  if (PLAIN.test(key)) return key;
  if (code === "Slash") return shiftKey ? "?" : "/";
  return /^Key([A-Z])$/.exec(code)?.[1].toLowerCase() ?? key;
}

function run(action) {
  action?.();
  return action !== undefined;
}
