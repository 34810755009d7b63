/** Short sounds, computed here, so that no file has to be fetched. */

const QUIET = 0.0001; // an exponential fade cannot end at 0
const LOUDNESS = 0.16;
const LENGTH = 0.28; // s of one note
const STEP = 0.12; // s between two notes

/** Hz. A waiter hears: a visitor joins the queue, a conversation begins, a message comes, one is left; a visitor: an answer. */
const NOTES = { queued: [587.3, 784, 987.8], chat: [659.3, 987.8], message: [880], left: [784, 587.3], answer: [660, 880] };

let context = null;

/** Whether the browser lets this page play sounds. */
export const audible = () => context?.state === "running";

/** Call this on a click or key: before one, browsers play no sounds of a page. */
export async function enableSound() {
  context ??= new AudioContext();
  await context.resume();
  return audible();
}

/** Play the sound of *kind*, if that is possible. */
export function play(kind) {
  if (!audible()) return;
  NOTES[kind].forEach((frequency, place) => note(frequency, context.currentTime + place * STEP));
}

function note(frequency, start) {
  const [tone, volume] = [context.createOscillator(), context.createGain()];
  tone.type = "sine";
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(QUIET, start);
  volume.gain.exponentialRampToValueAtTime(LOUDNESS, start + 0.02);
  volume.gain.exponentialRampToValueAtTime(QUIET, start + LENGTH);
  tone.connect(volume).connect(context.destination);
  tone.start(start);
  tone.stop(start + LENGTH);
}
