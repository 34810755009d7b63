/** Which keys are the page's, and which an input method's. */

/**
 * Whether an input method has the key of this `keydown`: it picks or ends what is being composed, and
 * sends or closes nothing. Safari ends the composing before the event of the key that did it; then
 * only the number that all browsers give to such keys (229) says so.
 */
export const composes = (event) => event.isComposing || event.keyCode === 229;

/** Whether this `keydown` in a box sends what is in it. */
export const sends = (event) => event.key === "Enter" && !event.shiftKey && !composes(event);
