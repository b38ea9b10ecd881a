// @ts-check
// Sound as it is sent, in a worker: Opus by the browser's own encoder, and the samples themselves where there is none.
import { RATE } from "./sound-buffer.js";

const FRAME_US = 20_000;
/** What waits for the encoder for longer is left out. */
const MOST_WAITING = 10;
/** By so few bytes Opus says that there is nothing to say. */
const NOTHING = 2;

/**
 * Speech at 32 kbit/s that stands some loss. That nothing is said is told by whoever gives it: of an encoder that leaves packets out by
 * itself Chromium tells wrong times from then on.
 */
const OPUS = /** @type {AudioEncoderConfig} */ (/** @type {unknown} */ ({
  codec: "opus", sampleRate: RATE, numberOfChannels: 1, bitrate: 32_000, bitrateMode: "variable",
  opus: { format: "opus", frameDuration: FRAME_US, application: "voip", packetlossperc: 5, useinbandfec: true, usedtx: false },
}));

/**
 * @template T
 * @typedef {(data: Uint8Array<ArrayBuffer>, of: T) => void} Made  `of`: what was given with the samples
 */

/** @template T */
class Opus {
  codec = /** @type {const} */ ("opus");
  /** What is heard first of a packet is so much older than the first sample that was given for it: Opus looks ahead. Milliseconds. */
  delay = 6.5;
  #made;
  #broken;
  /** @type {AudioEncoder | null} */
  #encoder = null;
  #count = 0;
  /** @type {Map<number, T>} */
  #of = new Map();

  /** @param {Made<T>} made @param {() => void} broken  it works no more */
  constructor(made, broken) {
    this.#made = made;
    this.#broken = broken;
  }

  #begun() {
    const encoder = new AudioEncoder({
      output: (chunk) => this.#hear(chunk),
      error: () => {
        if (this.#encoder !== encoder) return;
        this.#encoder = null;
        this.#broken();
      },
    });
    encoder.configure(OPUS);
    return encoder;
  }

  /** Gives whether it is encoded. @param {Float32Array<ArrayBuffer>} samples  20 ms @param {T} of */
  encode(samples, of) {
    const encoder = (this.#encoder ??= this.#begun());
    if (encoder.encodeQueueSize > MOST_WAITING) return false;
    const timestamp = this.#count++ * FRAME_US;
    this.#of.set(timestamp, of);
    const data = new AudioData({ format: "f32-planar", sampleRate: RATE, numberOfFrames: samples.length, numberOfChannels: 1, timestamp, data: samples });
    encoder.encode(data);
    data.close();
    return true;
  }

  /** @param {EncodedAudioChunk} chunk */
  #hear(chunk) {
    // Encoders round.
    const at = Math.round(chunk.timestamp / FRAME_US) * FRAME_US;
    const of = this.#of.get(at);
    // Whatever gave nothing gives nothing any more.
    for (const [timestamp] of this.#of) if (timestamp <= at) this.#of.delete(timestamp);
    if (of === undefined || chunk.byteLength <= NOTHING) return;
    const data = new Uint8Array(chunk.byteLength);
    chunk.copyTo(data);
    this.#made(data, of);
  }

  /** What is not encoded yet never will be. */
  close() {
    const encoder = this.#encoder;
    this.#encoder = null;
    this.#of.clear();
    if (encoder && encoder.state !== "closed") encoder.close();
  }
}

/** @template T */
class Pcm {
  codec = /** @type {const} */ ("pcm");
  delay = 0;
  #made;

  /** @param {Made<T>} made */
  constructor(made) {
    this.#made = made;
  }

  /** @param {Float32Array} samples @param {T} of */
  encode(samples, of) {
    this.#made(pcm(samples), of);
    return true;
  }

  close() {}
}

/** Samples as 16 bits each, little-endian. @param {Float32Array} samples */
export function pcm(samples) {
  const data = new Uint8Array(2 * samples.length);
  const view = new DataView(data.buffer);
  samples.forEach((value, at) => view.setInt16(2 * at, Math.round(32767 * Math.min(1, Math.max(-1, value))), true));
  return data;
}

/**
 * The best encoder that this browser has.
 * @template T
 * @param {Made<T>} made
 * @param {() => void} broken  it works no more
 * @returns {Promise<Opus<T> | Pcm<T>>}
 */
export async function encoderFor(made, broken) {
  const answer = typeof AudioEncoder === "function" ? await AudioEncoder.isConfigSupported(OPUS).catch(() => null) : null;
  return answer?.supported ? new Opus(made, broken) : new Pcm(made);
}
