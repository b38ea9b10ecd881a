// @ts-check
// All sound of the page, on the thread of the sound: each stream waits in a buffer of its own, and what is to be heard now is added up.
import { SoundBuffer } from "./sound-buffer.js";

/**
 * What comes for a stream. @typedef {import("./sound-buffer.js").Packet | {end: true}} Given
 * What is told of it. @typedef {import("./sound-buffer.js").Numbers & {output: number}} Told  `output`: until it is in the air
 */
const scope = /** @type {any} */ (globalThis);
/** How often somebody is told, in milliseconds. */
const TELL_EVERY = 250;

class Mixer extends scope.AudioWorkletProcessor {
  /** @type {Map<MessagePort, SoundBuffer>} */
  streams = new Map();
  output = 0;
  told = 0;

  constructor() {
    super();
    this.port.onmessage = (/** @type {MessageEvent<{stream?: MessagePort, output?: number}>} */ { data }) => {
      if (data.stream) this.take(data.stream);
      this.output = data.output ?? this.output;
    };
  }

  /** @param {MessagePort} port */
  take(port) {
    const buffer = new SoundBuffer();
    this.streams.set(port, buffer);
    port.onmessage = (/** @type {MessageEvent<Given>} */ { data }) => {
      if ("end" in data) {
        this.streams.delete(port);
        port.close();
      } else {
        buffer.put(data, 1000 * scope.currentTime);
      }
    };
  }

  /** @param {Float32Array[][]} inputs @param {Float32Array[][]} outputs */
  process(inputs, [[out]]) {
    const now = 1000 * scope.currentTime;
    for (const buffer of this.streams.values()) buffer.take(out, now);
    for (let at = 0; at < out.length; at++) out[at] = Math.min(1, Math.max(-1, out[at]));
    if (now - this.told >= TELL_EVERY) {
      this.told = now;
      for (const [port, { numbers }] of this.streams) port.postMessage({ ...numbers, output: this.output });
    }
    return true;
  }
}

scope.registerProcessor("mixer", Mixer);
