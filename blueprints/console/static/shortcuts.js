/** The keys of the console. */

/** What the help shows: `what` is the key of a text. */
export const KEYS = [
  { keys: ["J", "K"], what: "key_step" },
  { keys: ["Enter"], what: "key_write" },
  { keys: ["Esc"], what: "key_escape" },
  { keys: ["Alt ↓", "Alt ↑"], what: "key_step_writing" },
  { keys: ["/"], what: "key_replies" },
  { keys: ["E"], what: "key_end" },
  { keys: ["U"], what: "key_undo" },
  { keys: ["R"], what: "key_ready" },
  { keys: ["Ctrl K"], what: "find" },
  { keys: ["?"], what: "key_help" },
];

const WRITING = "input:not([type=checkbox]), textarea, select, [contenteditable]";
const PRESSABLE = "button, a, input, summary";

/**
 * Call *actions* by keys: `next` and `previous` (with `{write}`), `write`, `end`,
 * `undo`, `ready`, `find`, `help`, `escape`.
 */
export function listen(actions) {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    if (act(event, actions)) event.preventDefault();
  });
}

/** Whether there was something to do. */
function act({ key, target, ctrlKey, metaKey, altKey }, actions) {
  const writes = target.matches?.(WRITING);
  if ((ctrlKey || metaKey) && !altKey) return key.toLowerCase() === "k" && run(actions.find);
  if (altKey) {
    const move = { ArrowDown: actions.next, ArrowUp: actions.previous }[key];
    return move ? run(move, { write: true }) : false;
  }
  if (key === "Escape") {
    if (writes) target.blur();
    return run(writes ? undefined : actions.escape);
  }
  if (writes || (key === "Enter" && target.matches?.(PRESSABLE))) return false;
  const { next: j, previous: k, write: enter, end: e, undo: u, ready: r, help } = actions;
  return run({ j, k, enter, e, u, r, "?": help }[key.toLowerCase()]);
}

function run(action, ...how) {
  action?.(...how);
  return action !== undefined;
}
