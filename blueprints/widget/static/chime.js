/** The sound of a message: two soft tones, made here. */

const TONES = [660, 880]; // Hz
const LENGTH = 0.16; // s of each
const LOUD = 0.08;

const context = new AudioContext();

/** Play it. */
export function chime() {
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
