// @ts-check
// How loud the microphone is, on the thread of the sound: timers of a page in the background come once a second.
const { AudioWorkletProcessor, registerProcessor } = /** @type {any} */ (globalThis);
/** Samples of one level: 21 ms of 48 kHz. */
const SAMPLES = 1024;

class Level extends AudioWorkletProcessor {
  sum = 0;
  count = 0;

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channel = inputs[0]?.[0];
    for (const sample of channel ?? []) this.sum += sample * sample;
    this.count += channel?.length ?? 128;
    if (this.count >= SAMPLES) {
      this.port.postMessage(Math.sqrt(this.sum / this.count));
      this.sum = this.count = 0;
    }
    return true;
  }
}

registerProcessor("level", Level);
