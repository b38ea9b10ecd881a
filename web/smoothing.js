// @ts-check
// Even motion for a known delay: when each picture is to be shown so that pictures follow each other as they were captured, whatever their
// ways were; as `pacing::smoothing` of the native viewer has it. All times are milliseconds of our clock.
//
// A picture is due at its capture, and the least way of the last seconds, and the delay that was asked for. One that comes later is due at
// once. So a picture waits for that delay at most, however wrong clocks are, and what waits is bounded beside that.

/** The longest delay. */
export const LONGEST = 1000;
/** For how long the least way is remembered, and in parts of which length. */
const REMEMBERED = 10_000;
const PART = 1000;
/** When all pictures of so long a time were late, their way has become longer, and is learned anew. */
const LONGER = 1000;
/** Pictures that wait at most, and their bytes. */
const MOST = 128;
const MOST_BYTES = 32 << 20;

/** A delay as it can be: 0 is none. @param {unknown} told */
export function delayOf(told) {
  const delay = Math.round(Number(told));
  return delay >= 1 ? Math.min(LONGEST, delay) : 0;
}

/**
 * What is known of a picture that came: when it was captured, whether that is a guess from when it came, when it was received, its bytes.
 * @typedef {{captured: number, isGuess: boolean, received: number, bytes: number}} Came
 */

/** The least way of the last seconds. */
class LeastWay {
  /** Of each part of that time, which began then. @type {{began: number, least: number}[]} */
  #parts = [];

  /** @param {number} way @param {number} now */
  add(way, now) {
    while (this.#parts.length && now - this.#parts[0].began > REMEMBERED) this.#parts.shift();
    const last = this.#parts.at(-1);
    if (last && now - last.began < PART) last.least = Math.min(last.least, way);
    else this.#parts.push({ began: now, least: way });
  }

  /** `Infinity`: nobody knows. */
  get least() {
    return this.#parts.reduce((least, part) => Math.min(least, part.least), Infinity);
  }
}

/** Pictures that wait until they are due, in the order in which they came. @template T */
export class Smoother {
  #delay;
  #ways = new LeastWay();
  /** Since when all pictures are late, and the least way of those. @type {{since: number, least: number} | null} */
  #late = null;
  /** @type {boolean | null} */
  #wasGuess = null;
  /** @type {{came: Came, picture: T}[]} */
  #waiting = [];
  #bytes = 0;

  /** @param {number} delay */
  constructor(delay) {
    this.#delay = delay;
  }

  /** For this delay from now on, also what waits already. @param {number} delay */
  delayBy(delay) {
    this.#delay = delay;
  }

  /** Ways are learned anew from the next picture on: it comes another way, or from somebody else. */
  beginAnew() {
    this.#wasGuess = null;
  }

  /** A picture came. @param {T} picture @param {Came} came */
  put(picture, came) {
    // The ways of guessed times and of known ones have nothing to do with each other.
    if (this.#wasGuess !== came.isGuess) [this.#ways, this.#late] = [new LeastWay(), null];
    this.#wasGuess = came.isGuess;
    this.#learn(Math.max(0, came.received - came.captured), came.received);
    this.#bytes += came.bytes;
    this.#waiting.push({ came, picture });
    while (this.#waiting.length > 1 && (this.#waiting.length > MOST || this.#bytes > MOST_BYTES)) this.#pop();
  }

  /** @param {number} way @param {number} now */
  #learn(way, now) {
    const isLate = way > this.#ways.least + this.#delay;
    if (!isLate) this.#late = null;
    else this.#late = this.#late ? { since: this.#late.since, least: Math.min(this.#late.least, way) } : { since: now, least: way };
    if (this.#late && now - this.#late.since >= LONGER) {
      this.#ways = new LeastWay();
      this.#ways.add(this.#late.least, now);
      this.#late = null;
    }
    this.#ways.add(way, now);
  }

  #pop() {
    const first = this.#waiting.shift() ?? null;
    if (first) this.#bytes -= first.came.bytes;
    return first;
  }

  /** When a picture is due, which may become earlier as long as it waits. @param {Came} came */
  #due(came) {
    const { least } = this.#ways;
    // Never later than this, also where its time of capture is of another clock than the ways.
    return Math.min(came.captured + (least === Infinity ? 0 : least) + this.#delay, came.received + this.#delay);
  }

  /** Whether one that waits is due: whoever shows them does not keep up. @param {number} now */
  isBehind(now) {
    return this.#waiting.length > 0 && this.#due(this.#waiting[0].came) <= now;
  }

  /** How long one that was taken is still to wait before it is shown; 0: it is shown now. To be asked again when another one comes. @param {Came} came @param {number} now */
  wait(came, now) {
    const isFull = this.#waiting.length >= MOST || this.#bytes >= MOST_BYTES;
    // Where a clock was set, a later one may be due earlier.
    return isFull || this.isBehind(now) ? 0 : Math.max(0, this.#due(came) - now);
  }

  /**
   * The picture that is to be shown next: the newest one that is due, or the oldest where none is. It is decoded now and shown after its
   * wait. Null: there is none.
   * @param {number} now
   */
  take(now) {
    let newest = this.#waiting.length - 1;
    while (newest > 0 && this.#due(this.#waiting[newest].came) > now) newest--;
    for (let older = 0; older < newest; older++) this.#pop();
    return this.#pop();
  }
}
