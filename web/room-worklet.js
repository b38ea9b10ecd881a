// @ts-check
// What the microphone hears, on the thread of the sound: how loud it is, for timers of a page in the background come once a second;
// and the sound itself, which goes to the worker that sends it and not by way of the page.
const { AudioWorkletProcessor, registerProcessor, sampleRate } = /** @type {any} */ (globalThis);
/** Samples of one level: 21 ms of 48 kHz. */
const SAMPLES = 1024;
/** Samples that are given at once: 20 ms. */
const BLOCK = Math.round(sampleRate / 50);

class Level extends AudioWorkletProcessor {
  sum = 0;
  count = 0;

  /** Who gets the sound. @type {MessagePort | null} */
  to = null;
  wanted = false;
  block = new Float32Array(BLOCK);
  filled = 0;

  constructor() {
    super();
    this.port.onmessage = (/** @type {MessageEvent<{to?: MessagePort}>} */ { data }) => {
      const { to } = data;
      if (!to) return;
      this.to?.close();
      this.to = to;
      this.wanted = false;
      to.onmessage = (/** @type {MessageEvent<{wanted: boolean}>} */ { data }) => {
        if (this.to === to) this.wanted = data.wanted;
        this.filled = 0;
      };
    };
  }

  /** @param {Float32Array[]} channels */
  give(channels) {
    const { currentFrame } = /** @type {any} */ (globalThis);
    for (let at = 0; at < channels[0].length; at++) {
      let sum = 0;
      for (const channel of channels) sum += channel[at];
      this.block[this.filled++] = sum / channels.length;
      if (this.filled < BLOCK) continue;
      const samples = this.block;
      this.block = new Float32Array(BLOCK);
      this.filled = 0;
      this.to?.postMessage({ samples, frame: currentFrame + at + 1 - BLOCK, rate: sampleRate }, [samples.buffer]);
    }
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channel = inputs[0]?.[0];
    if (this.wanted && channel) this.give(inputs[0]);
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
