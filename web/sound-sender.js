// @ts-check
// The microphone of the page as the sound of its stream, off the page's main thread: encodes while somebody listens, and nothing
// else. Times are milliseconds.
import { Dating } from "./camera-frames.js";
import { now } from "./now.js";
import { Recent } from "./recent.js";
import { decibels, Speaking } from "./room-level.js";
import { RATE, Resampler } from "./sound-buffer.js";
import { encoderFor } from "./sound-encoder.js";

const PACKET = 20;
const SAMPLES = (RATE * PACKET) / 1000;
const QUIETEST = 127;
/** What is quieter for so long is a pause, in which nothing is sent (DTX). Decibels below the loudest there is; the voice is made louder. */
const QUIET = 55;
const PAUSE = 400;

/**
 * Samples that came from the microphone: how many there were before them, and of how many a second.
 * @typedef {{samples: Float32Array<ArrayBuffer>, frame: number, rate: number}} Block
 * @typedef {{captured: number, estimated: boolean, arrival: boolean, voice: boolean, level: number, begun: number}} About
 * @typedef {{listens: boolean, passesSound: boolean, dropped: number, giveSound(sound: import("./packet.js").SentSound): void,
 *   tellSound(audio: {muted: boolean, speaking: boolean}): void, forgetSound(): void}} Link
 * @typedef {{kbits: number, dropped: number, listened: boolean, passed: boolean, codec: string}} SoundStats  `passed`: the hub can
 */

/** The level of a packet: decibels below the loudest there is. @param {Float32Array} samples */
export function levelOf(samples) {
  const rms = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
  return rms > 0 ? Math.min(QUIETEST, Math.max(0, Math.round(-20 * Math.log10(rms)))) : QUIETEST;
}

export class SoundSender {
  #link;
  #make;
  /** @type {MessagePort | null} */
  #microphone = null;
  #latency = 0;
  #muted = true;
  #speaks = false;
  #listened = false;
  /** @type {Awaited<ReturnType<typeof encoderFor<About>>> | null} */
  #encoder = null;
  /** Counts what the samples are of. */
  #turn = 0;
  #dating = new Dating();
  /** @type {Resampler | null} */
  #resampler = null;
  #rate = 0;
  /** Samples of a packet that is not whole. */
  #block = new Float32Array(SAMPLES);
  #filled = 0;
  #speaking = new Speaking();
  /** When it was last loud enough to be heard. */
  #loudAt = -Infinity;
  #sequence = 0;
  #left = 0;
  #bytes = new Recent();

  /** @param {object} options @param {Link} options.link @param {typeof encoderFor<About>} [options.make] */
  constructor({ link, make = encoderFor }) {
    this.#link = link;
    this.#make = make;
    this.#tell();
  }

  /**
   * What is heard from now on.
   * @param {MessagePort | null} microphone  null: it is muted, or there is none
   * @param {number} latency  from the air to the page, as the browser says
   */
  take(microphone, latency) {
    this.#microphone?.close();
    this.#microphone = microphone;
    this.#latency = latency;
    this.#muted = microphone === null;
    this.#forget();
    if (this.#muted) this.#link.forgetSound();
    if (microphone) microphone.onmessage = ({ data }) => this.#microphone === microphone && this.#hear(data);
    this.#tell();
    this.#listened = false;
    this.demanded();
  }

  /** @param {boolean} is  somebody speaks */
  speaks(is) {
    this.#speaks = is;
    this.#tell();
  }

  /** Others listen, or nobody does. */
  demanded() {
    const listened = this.#link.listens && this.#microphone !== null;
    if (listened === this.#listened) return;
    this.#listened = listened;
    // The sound's thread gives nothing while nobody wants it.
    this.#microphone?.postMessage({ wanted: listened });
    this.#forget();
    if (listened) void this.#begin();
  }

  async #begin() {
    const turn = this.#turn;
    const encoder = await this.#make((data, of) => turn === this.#turn && this.#give(data, of), () => {
      // Begins anew with what comes next.
      if (turn === this.#turn) this.#left++;
    });
    if (turn === this.#turn) this.#encoder = encoder;
    else encoder.close();
  }

  #forget() {
    this.#turn++;
    this.#encoder?.close();
    this.#encoder = null;
    this.#dating = new Dating();
    this.#resampler = null;
    this.#filled = 0;
    this.#speaking.silence();
    this.#loudAt = -Infinity;
  }

  #tell() {
    this.#link.tellSound({ muted: this.#muted, speaking: this.#speaks && !this.#muted });
  }

  /** @param {Block} block */
  #hear({ samples, frame, rate }) {
    if (!this.#listened || !this.#encoder) return;
    const at = now();
    if (!this.#resampler || this.#rate !== rate) {
      this.#resampler = new Resampler(rate);
      this.#rate = rate;
    }
    // Nobody records what has not been yet: it came at once after its end, the quickest of them.
    const dated = this.#dating.date({ timestamp: (1000 * (frame + samples.length)) / rate, captured: null }, at);
    const all = this.#resampler.next(samples);
    for (let from = 0; from < all.length;) {
      const part = all.subarray(from, from + SAMPLES - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled < SAMPLES) break;
      this.#filled = 0;
      const behind = PACKET + (1000 * (all.length - from)) / RATE;
      this.#encode(this.#block, { ...dated, captured: dated.captured - behind - this.#latency }, at);
      this.#block = new Float32Array(SAMPLES);
    }
  }

  /** @param {Float32Array<ArrayBuffer>} samples @param {import("./camera-frames.js").Dated} dated @param {number} at */
  #encode(samples, dated, at) {
    const level = levelOf(samples);
    const voice = this.#speaking.hear(level === QUIETEST ? decibels(0) : -level, at);
    if (level < QUIET) this.#loudAt = at;
    if (at - this.#loudAt > PAUSE) return;
    try {
      if (!this.#encoder?.encode(samples, { ...dated, voice, level, begun: at })) this.#left++;
    } catch {
      this.#left++;
    }
  }

  /** @param {Uint8Array<ArrayBuffer>} data @param {About} of */
  #give(data, { captured: given, estimated, arrival, voice, level, begun }) {
    const at = now();
    const captured = given - (this.#encoder?.delay ?? 0);
    this.#bytes.add(at, data.length);
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#link.giveSound({
      codec: this.#encoder?.codec ?? "opus", sequence: this.#sequence, captured, estimated, arrival, voice, level,
      spans: { capture: begun - captured, encode: at - begun }, data,
    });
  }

  /** @returns {SoundStats} */
  stats() {
    return {
      kbits: this.#listened ? Math.round((8 * this.#bytes.sumRate(now())) / 1000) : 0,
      dropped: this.#left + this.#link.dropped,
      listened: this.#listened,
      passed: this.#link.passesSound,
      codec: this.#encoder?.codec ?? "",
    };
  }

  close() {
    this.#microphone?.close();
    this.#microphone = null;
    this.#listened = false;
    this.#forget();
  }
}
