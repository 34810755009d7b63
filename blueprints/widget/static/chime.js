/** The sound of a message: two soft tones, made here, so that nothing is loaded. */

const TONES = [660, 880]; // Hz
const LENGTH = 0.16; // s of each
const LOUD = 0.08;

let context = null;

/** Play it, if the browser lets this page be heard. */
export function chime() {
  // before the first click or key on the page a browser plays nothing, and says so
  if (navigator.userActivation && !navigator.userActivation.hasBeenActive) return;
  context ??= new AudioContext();
  TONES.forEach((tone, index) => {
    const start = context.currentTime + index * LENGTH;
    const oscillator = context.createOscillator();
    const volume = context.createGain();
    oscillator.frequency.value = tone;
    volume.gain.setValueAtTime(LOUD, start);
    volume.gain.exponentialRampToValueAtTime(0.001, start + LENGTH * 2);
    oscillator.connect(volume).connect(context.destination);
    oscillator.start(start);
    oscillator.stop(start + LENGTH * 2);
  });
}
