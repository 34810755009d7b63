/** The keys of the console. */

/** What the help shows. */
export const KEYS = [
  { keys: ["J", "K"], what: "Next, previous chat" },
  { keys: ["Enter"], what: "Write to this visitor" },
  { keys: ["Esc"], what: "Leave the box, or close what is open" },
  { keys: ["Alt ↓", "Alt ↑"], what: "Next, previous chat while writing" },
  { keys: ["/"], what: "Canned replies, while writing" },
  { keys: ["E"], what: "End the chat, or put away one that is over" },
  { keys: ["U"], what: "Undo the end" },
  { keys: ["R"], what: "Ready, or away" },
  { keys: ["Ctrl K"], what: "Find" },
  { keys: ["?"], what: "This help" },
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
