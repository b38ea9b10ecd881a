// @ts-check
// The sound of one stream as it comes: decodes it, gives it to the mixer of the page, and counts. Times are milliseconds.
import { Recent } from "./recent.js";
import { RATE } from "./sound-buffer.js";

const FRAME_US = 20_000;
const PACKET = 20;
/** What waits for the decoder for longer is left out. */
const MOST_WAITING = 25;
/** Who was last heard to speak so long ago does not any more. */
const SPOKE = 300;
const CONFIG = { codec: "opus", sampleRate: RATE, numberOfChannels: 1 };

/**
 * What is heard of a stream: `kbits` a second; `lost`, packets that are missing; `hidden`, milliseconds that were made up for what was
 * missing or late; `delay`, from the microphone to the loudspeaker, null where nobody knows; `speaks`, by what comes.
 * @typedef {{kbits: number, lost: number, hidden: number, delay: number | null, estimated: boolean, speaks: boolean}} Heard
 */

export class Ear {
  #mixer;
  /** @type {AudioDecoder | null} */
  #decoder = null;
  /** @type {Map<number, {sequence: number, time: number}>} */
  #coming = new Map();
  #count = 0;
  /** @type {import("./sound-worklet.js").Told | null} */
  #told = null;
  #bytes = new Recent();
  #ages = new Recent();
  #estimated = false;
  #spoke = -Infinity;

  /** @param {MessagePort} mixer */
  constructor(mixer) {
    this.#mixer = mixer;
    mixer.onmessage = ({ data }) => (this.#told = data);
  }

  /**
   * A packet came.
   * @param {import("./packet.js").Sound} sound
   * @param {import("./session.js").Captured} known  when it was captured, on our clock
   * @param {number} at
   */
  take({ codec, sequence, captured: time, voice, data }, known, at) {
    this.#bytes.add(at, data.length);
    if (known.captured !== null) this.#ages.add(at, at - known.captured);
    this.#estimated = known.estimated;
    if (voice) this.#spoke = at;
    if (codec === "pcm") return this.#pass({ sequence, time }, samplesOf(data));
    const decoder = (this.#decoder ??= this.#begun());
    // What is left out here the mixer counts, by its number.
    if (!decoder || decoder.decodeQueueSize > MOST_WAITING) return;
    const timestamp = this.#count++ * FRAME_US;
    this.#coming.set(timestamp, { sequence, time });
    try {
      decoder.decode(new EncodedAudioChunk({ type: "key", timestamp, data }));
    } catch {
      this.#again();
    }
  }

  #begun() {
    if (typeof AudioDecoder !== "function") return null;
    const decoder = new AudioDecoder({
      output: (data) => {
        if (this.#decoder === decoder) this.#hear(data);
        data.close();
      },
      error: () => {
        if (this.#decoder === decoder) this.#again();
      },
    });
    decoder.configure(CONFIG);
    return decoder;
  }

  /** What came could not be decoded: begins anew with the next. */
  #again() {
    const decoder = this.#decoder;
    this.#decoder = null;
    this.#coming.clear();
    if (decoder && decoder.state !== "closed") decoder.close();
  }

  /** @param {AudioData} data */
  #hear(data) {
    const at = Math.round(data.timestamp / FRAME_US) * FRAME_US;
    const packet = this.#coming.get(at);
    for (const [timestamp] of this.#coming) if (timestamp <= at) this.#coming.delete(timestamp);
    if (!packet || data.sampleRate !== RATE) return;
    const samples = new Float32Array(data.numberOfFrames);
    data.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
    this.#pass(packet, samples);
  }

  /** @param {{sequence: number, time: number}} packet @param {Float32Array<ArrayBuffer>} samples */
  #pass({ sequence, time }, samples) {
    // A decoder that begins leaves out the first of them.
    const late = Math.max(0, PACKET - (1000 * samples.length) / RATE);
    this.#mixer.postMessage({ sequence, time: time + late, samples }, [samples.buffer]);
  }

  /** @param {number} now @returns {Heard} */
  heard(now) {
    const { lost = 0, late = 0, skipped = 0, hidden = 0, delay = 0, output = 0 } = this.#told ?? {};
    const least = this.#ages.quantile(now, 0);
    return {
      kbits: (8 * this.#bytes.sumRate(now)) / 1000,
      lost: lost + late + skipped,
      hidden,
      delay: least === null || !this.#told ? null : least + delay + output,
      estimated: this.#estimated,
      speaks: now - this.#spoke < SPOKE,
    };
  }

  close() {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    this.#mixer.postMessage({ end: true });
    this.#mixer.close();
  }
}

/** Samples of 16 bits each, little-endian. @param {Uint8Array} data */
export function samplesOf(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Float32Array.from({ length: data.byteLength >> 1 }, (_, at) => view.getInt16(2 * at, true) / 32768);
}
