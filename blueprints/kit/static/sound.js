/** Short sounds, made here: no file has to be fetched, and none can be missing. */

const QUIET = 0.0001; // an exponential fade cannot end in silence
const LOUDNESS = 0.16;
const LENGTH = 0.28; // s of one note
const STEP = 0.12; // s between two notes

/** Hz. A waiter hears: somebody joins the queue, a chat begins, a message comes; a visitor: an answer. */
const NOTES = { queued: [587.3, 784, 987.8], chat: [659.3, 987.8], message: [880], answer: [660, 880] };

let context = null;

/** Whether the browser lets this page be heard. */
export const audible = () => context?.state === "running";

/** To be called on a click or key: before that, browsers let no page be heard. */
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
