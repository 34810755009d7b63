/**
 * What happens in the chat is no business of the page: its shortcuts would take keys from who writes,
 * and a dialog that holds the focus would take the focus.
 */

/** Held back where they leave the chat; what a page does with them before that, it does. */
const HELD = [
  ...["click", "pointerup", "mouseup", "touchend", "touchmove", "wheel"],
  ...["input", "beforeinput", "paste", "copy", "cut"],
];
const DIALOG = "dialog, [role=dialog], [role=alertdialog], [aria-modal]";

/** Guards the frame of *launcher*, whose `home` learns what had the focus last in it. */
export function guard(launcher) {
  const { frame, home } = launcher;
  let focused = null;

  // caught at the window, before anybody else, and told again inside only
  launcher.caught = (event) => {
    const path = event.composedPath();
    if (path.includes(frame)) {
      event.stopImmediatePropagation();
      if (!path[0].dispatchEvent(inner(event))) event.preventDefault();
    } else if (event.relatedTarget && event.relatedTarget === home.element && event.target.closest?.(DIALOG)) {
      event.stopImmediatePropagation(); // it would take the focus back
    }
  };

  for (const type of HELD) frame.addEventListener(type, (event) => event.stopPropagation(), { passive: true });
  frame.addEventListener("focusin", ({ target }) => (focused = target));
  frame.addEventListener("focusout", () => {
    // it is lost, unless it has left the page with its element
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
