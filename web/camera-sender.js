// @ts-check
// The page's camera as a publisher, off the page's main thread: takes the newest frame, encodes what is asked for and nothing
// while nobody watches, and gives it to the hub when there is room. Times are milliseconds.
import { encodedSize, FULL, Ladder, writeSupply } from "./camera-ladder.js";
import { limit } from "./limit.js";
import { now } from "./now.js";
import { Recent } from "./recent.js";

/** The camera's own quality, and the least while a smaller size helps: as the native sender has them unless told otherwise. */
const QUALITY = 80;
const LEAST_QUALITY = 25;
/** Between two pictures until the camera is known. */
const USUAL = 33;
/** How often what a still screen shows is said again. */
const AGAIN = 1000;
/** What a screen showed so long ago is said again. */
const OLD = 200;
/** How often viewers are told what the pictures are, and the page what is done. */
const TELL_EVERY = 1000;
const REPORT_EVERY = 500;
/** What sealing adds to a picture, at most. */
const MOST_ADDED = 53;
/** A clock that is coarser makes every age an estimate. */
const COARSE = 2;

/**
 * @typedef {import("./camera-frames.js").Frame} Frame
 * @typedef {{rungs: import("./camera-ladder.js").Rung[], viewers: number, carries: number, maxPicture: number,
 *   ask(interval: number): number, tell(state: Record<string, unknown>): void,
 *   give(picture: import("./packet.js").Sent, supply: unknown[]): void}} Link
 * @typedef {{make(image: CanvasImageSource, place: number, size: {width: number, height: number}, quality: number):
 *   Promise<Uint8Array<ArrayBuffer>>}} Encoder
 * @typedef {{fps: number, width: number, height: number, kbytesPerSecond: number, quality: number, encodeMs: number, sent: number,
 *   skipped: number, viewers: number}} Stats
 */

/** What pictures are asked for, for a person. @param {import("./camera-ladder.js").Rung[]} rungs @param {number} viewers */
export function askedInWords(rungs, viewers) {
  if (!viewers) return "";
  const words = rungs.map(({ bytes, quality, size }) =>
    [size === "any" ? "" : size === "full" ? "full size" : size, quality ? `quality ${quality}` : "",
      bytes === Infinity ? "" : `${(bytes / 1000).toFixed(bytes < 9950 ? 1 : 0)} kB`].filter(Boolean).join(" ") || "as it is");
  return [...new Set(words)].join(", ") || "as it is";
}

export class CameraSender {
  #link;
  #jpegs;
  #grain;
  #seal;
  #report;
  #ladder = new Ladder(QUALITY, LEAST_QUALITY);
  /** The newest frame that is not encoded yet. @type {Frame | null} */
  #newest = null;
  /** What a still screen shows. @type {Frame | null} */
  #kept = null;
  #still = false;
  /** What the camera says of its rate; 0: nothing. */
  #told = 0;
  #busy = false;
  /** Counts what the frames are of. */
  #turn = 0;
  #sequence = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later;
  /** Why there is no picture; empty while there is. */
  #reason = "video off";
  #fault = "";
  /** @type {{size: string, bytes: number} | null} */
  #full = null;
  #wanted = 0;
  /** Bytes that viewers were told last. */
  #announced = 0;
  #framesIn = new Recent();
  #sentOut = new Recent();
  #encode = new Recent();
  #encodedAt = -Infinity;
  #toldAt = -Infinity;
  #stats = { width: 0, height: 0, quality: 0, sent: 0, skipped: 0 };
  #reporting;

  /**
   * @param {object} options
   * @param {Link} options.link
   * @param {Encoder} options.jpegs
   * @param {number} options.grain  what the page's clock is rounded to
   * @param {(stats: Stats) => void} options.report
   * @param {(picture: import("./packet.js").Sent) => Promise<import("./packet.js").Sent>} [options.seal]  before it is given
   */
  constructor({ link, jpegs, grain, report, seal }) {
    this.#seal = seal;
    this.#link = link;
    this.#jpegs = jpegs;
    this.#grain = grain;
    this.#report = report;
    this.#reporting = setInterval(() => this.#look(), REPORT_EVERY);
    this.#tell();
  }

  /**
   * Another track, or none.
   * @param {string} reason  why there is no picture; empty: there are some
   * @param {{still?: boolean, fps?: number}} [camera]  whether frames come only when something changes, and how many a second there may be
   */
  camera(reason, { still = false, fps = 0 } = {}) {
    this.#forget();
    this.#reason = reason;
    this.#fault = "";
    this.#still = still;
    this.#told = fps;
    this.#full = null;
    this.#framesIn = new Recent();
    this.#tell();
  }

  /** Why there is no picture just now; empty where there is. @param {string} reason */
  stands(reason) {
    this.#reason = reason;
    if (reason) this.#forget();
    this.#tell();
  }

  #forget() {
    this.#turn++;
    for (const frame of [this.#newest, this.#kept]) frame?.image.close();
    this.#newest = this.#kept = null;
    clearTimeout(this.#later);
  }

  /** A frame came: whoever calls has no more to do with it. @param {Frame} frame */
  came(frame) {
    // By the time that somebody watches it is old.
    if (!this.#link.viewers && !this.#still) return frame.image.close();
    this.#framesIn.add(now(), 1);
    if (this.#newest) {
      this.#newest.image.close();
      if (this.#link.viewers) this.#stats.skipped++;
    }
    this.#newest = frame;
    this.turn();
  }

  /** Others watch, or want something else. */
  demanded() {
    if (!this.#link.viewers) {
      clearTimeout(this.#later);
      if (this.#newest && !this.#still) {
        this.#newest.image.close();
        this.#newest = null;
      }
      this.#tell();
    } else {
      this.#again();
    }
    this.turn();
  }

  /** What a still screen shows is to be said again. */
  #again() {
    if (this.#newest || !this.#kept) return;
    [this.#newest, this.#kept] = [this.#kept, null];
  }

  /** Does what can be done now. */
  turn() {
    if (this.#busy || !this.#newest || !this.#link.viewers) return;
    clearTimeout(this.#later);
    const wait = this.#link.ask(this.#interval);
    if (wait > 0) {
      this.#later = setTimeout(() => this.turn(), wait);
      return;
    }
    let frame = this.#newest;
    this.#newest = null;
    // What a still screen showed it shows now: the browser would have told otherwise.
    if (this.#still && now() - frame.captured > OLD) frame = { ...frame, captured: now(), estimated: true, arrival: true };
    void this.#send(frame);
  }

  /** Between two frames. */
  get #interval() {
    const fps = this.#framesIn.rate(now());
    return fps > 1 ? Math.min(1000, 1000 / fps) : this.#told > 0 ? 1000 / this.#told : USUAL;
  }

  /** @param {Frame} frame */
  async #send(frame) {
    this.#busy = true;
    const turn = this.#turn;
    try {
      await this.#pictures(frame, turn);
      if (this.#fault) {
        this.#fault = "";
        this.#tell();
      }
    } catch (error) {
      this.#stats.skipped++;
      const fault = error instanceof Error && error.message ? error.message : "pictures cannot be encoded";
      if (fault !== this.#fault) {
        this.#fault = fault;
        this.#tell();
      }
    }
    this.#encodedAt = now();
    if (this.#still && turn === this.#turn) {
      this.#kept?.image.close();
      this.#kept = frame;
    } else {
      frame.image.close();
    }
    this.#busy = false;
    this.turn();
  }

  /** Makes and gives the pictures of a frame, one for each rung. @param {Frame} frame @param {number} turn */
  async #pictures(frame, turn) {
    const begun = now();
    const sequence = (this.#sequence = (this.#sequence + 1) >>> 0);
    const rungs = this.#link.rungs.length ? this.#link.rungs : [FULL];
    const size = { width: frame.width, height: frame.height };
    const plan = this.#ladder.plan(rungs, size, this.#link.carries);
    let [bytes, began, first] = [0, begun, true];
    /** Of the picture that is made: its size and quality. */
    let at = { ...size, quality: 0 };
    for (let step = this.#ladder.next(plan, begun); step; step = this.#ladder.next(plan, begun)) {
      let made;
      do {
        at = { ...encodedSize(step), quality: step.encoding.quality };
        made = await this.#jpegs.make(frame.image, step.place, at, at.quality);
      } while (this.#ladder.again(step, made.length, begun));
      const supply = this.#ladder.done(plan, step, made.length);
      // They went, or the video was switched off, while it was made.
      if (!this.#link.viewers || turn !== this.#turn) break;
      const length = made.length + (this.#seal ? MOST_ADDED : 0);
      if (length > this.#link.maxPicture) {
        throw new Error(`a picture of ${length} bytes is more than the ${this.#link.maxPicture} that the hub takes`);
      }
      const done = now();
      const spans = { capture: began - frame.captured, encode: done - began };
      const coarse = this.#grain > COARSE;
      const picture = {
        sequence, captured: frame.captured, estimated: frame.estimated || coarse, arrival: frame.arrival, quality: at.quality,
        rung: step.place, spans, data: made,
      };
      const sent = this.#seal ? await this.#seal(picture) : picture;
      if (turn !== this.#turn) break;
      this.#link.give(sent, writeSupply(supply));
      if (first) Object.assign(this.#stats, at);
      if (first) this.#full = { size: `${size.width}x${size.height}`, bytes: this.#ladder.expectsAtBest(step.place) };
      bytes += made.length;
      [began, first] = [done, false];
    }
    const done = now();
    this.#wanted = this.#ladder.wanted(plan);
    this.#encode.add(done, done - begun);
    if (first) return;
    this.#stats.sent++;
    this.#sentOut.add(done, bytes);
    if (done - this.#toldAt > TELL_EVERY || this.#toldAt === -Infinity) this.#tell();
  }

  #look() {
    const at = now();
    if (this.#still && this.#link.viewers && at - this.#encodedAt >= AGAIN - REPORT_EVERY / 2) {
      this.#again();
      this.turn();
    }
    if (at - this.#toldAt >= TELL_EVERY) this.#tell();
    this.#report(this.stats());
  }

  /** @returns {Stats} */
  stats() {
    const at = now();
    const { viewers } = this.#link;
    const round = (/** @type {number} */ n) => Math.round(n * 10) / 10;
    return {
      ...this.#stats,
      fps: viewers ? round(this.#sentOut.rate(at)) : 0,
      kbytesPerSecond: viewers ? round(this.#sentOut.sumRate(at) / 1000) : 0,
      encodeMs: round(this.#encode.quantile(at, 0.5) ?? 0),
      viewers,
    };
  }

  /** Says how the stream is, and what its pictures would be if nothing limited them. */
  #tell() {
    const at = now();
    this.#toldAt = at;
    const reason = this.#reason || this.#fault;
    const measured = this.#framesIn.rate(at);
    const fps = this.#told || Math.round(measured);
    const asked = this.#full && !this.#reason
      ? { asked: { size: this.#full.size, quality: QUALITY, fps, bytes: this.#steady(this.#full.bytes), ...(this.#still ? { interval_ms: AGAIN } : {}) } }
      : {};
    const load = this.#load(measured, fps, at);
    this.#link.tell({ live: !reason, reason, ...asked, ...(limit(load) === "nothing" ? {} : { load }) });
  }

  /** Every viewer is told, so what a scene's bytes do in passing is left out. @param {number} bytes */
  #steady(bytes) {
    if (Math.abs(bytes - this.#announced) > this.#announced / 8) this.#announced = bytes;
    return this.#announced;
  }

  /**
   * @param {number} measured
   * @param {number} fps
   * @param {number} at
   * @returns {import("./limit.js").Load}
   */
  #load(measured, fps, at) {
    if (!this.#link.viewers || !fps || this.#reason) return {};
    const digits = (/** @type {number} */ n) => Number(n.toPrecision(3));
    const { carries } = this.#link;
    return {
      ...(this.#still || !measured ? {} : { camera: { needs: digits(fps), has: digits(measured) } }),
      encoder: { needs: digits(this.#encode.quantile(at, 0.5) ?? 0), has: digits(1000 / fps) },
      ...(carries === Infinity ? {} : { uplink: { needs: digits(this.#wanted), has: digits(carries) } }),
    };
  }

  close() {
    clearInterval(this.#reporting);
    this.#forget();
  }
}
