/**
 * Keeps events of the chat from the page: the page's shortcuts would take keys from a visitor who writes,
 * and a dialog of the page that holds the focus would take the focus.
 */

/** Events that do not leave the chat. A page may still catch them before the chat does. */
const HELD = [
  ...["click", "pointerup", "mouseup", "touchend", "touchmove", "wheel"],
  ...["input", "beforeinput", "paste", "copy", "cut"],
];
const DIALOG = "dialog, [role=dialog], [role=alertdialog], [aria-modal]";

/** Guards the frame of *launcher*, and lets its `home` know which element had the focus last. */
export function guard(launcher) {
  const { frame, home } = launcher;
  let focused = null;

  // caught at the window, before anybody else, and sent again inside the chat only
  launcher.caught = (event) => {
    const path = event.composedPath();
    if (path.includes(frame)) {
      event.stopImmediatePropagation();
      if (!path[0].dispatchEvent(inner(event))) event.preventDefault();
    } else if (event.relatedTarget && event.relatedTarget === home.element && event.target.closest?.(DIALOG)) {
      event.stopImmediatePropagation(); // the dialog would take the focus back
    }
  };

  for (const type of HELD) frame.addEventListener(type, (event) => event.stopPropagation(), { passive: true });
  frame.addEventListener("focusin", ({ target }) => (focused = target));
  frame.addEventListener("focusout", () => {
    // the chat has lost the focus, unless the element has left the page with it
    queueMicrotask(() => frame.isConnected && (focused = frame.getRootNode().activeElement));
  });
  home.focused = () => focused;
}

/** The same, for the chat alone: a plain event, because a `KeyboardEvent` of Firefox is always composed. */
function inner(event) {
  const copy = new Event(event.type, { bubbles: event.bubbles, cancelable: event.cancelable });
  for (const name in event) {
    if (!(name in copy)) Object.defineProperty(copy, name, { value: event[name] });
  }
  return copy;
}
