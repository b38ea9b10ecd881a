// @ts-check
// What is on the canvas, how old it is, and whether the next picture is late, as `stats::on_screen` and `stats::rhythm` of
// the native viewer have it; there the rules are explained. All times are milliseconds of our clock.
import { Recent } from "./recent.js";

/** So many times as long as pictures are apart without one, and the next is late; after so much more it is lost. */
const LATE = 3;
const LOST = 2000;
/** How long it is remembered how old pictures got before the next one came. */
const HELD = 500;
/** Pictures that are further apart, or announced so, are missed as if they were not. */
const FURTHEST = 60_000;
/** Gaps that tell how far pictures are apart. */
const GAPS = 8;
/** The shortest gap that can be a beat, and how long it counts after it came last. */
const BEAT_FROM = 500;
const BEAT_LASTS = 30_000;
/** A first picture may be so old before that counts as silence. */
const GRACE = 1000;
/** As long as pictures get no older than this on the canvas, their age when they came there is what there is to say. */
const UNSEEN = 40;

/** How pictures follow each other. */
class Rhythm {
  /** The last gaps, the newest at the end. @type {number[]} */
  #gaps = [];
  /** The longest gap of late that came twice in a row, and when it did. */
  #beat = { gap: 0, at: -Infinity };

  /** @param {number} gap @param {number} now */
  add(gap, now) {
    const before = this.#gaps.at(-1) ?? 0;
    const [short, long] = [Math.min(gap, before), Math.max(gap, before)];
    if (4 * long >= 3 * this.#beatOf(now) && short >= BEAT_FROM && long <= 1.25 * short) this.#beat = { gap: long, at: now };
    if (this.#gaps.push(gap) > GAPS) this.#gaps.shift();
  }

  /** @param {number} now */
  #beatOf(now) {
    return now - this.#beat.at <= BEAT_LASTS ? this.#beat.gap : 0;
  }

  /** How far pictures are apart; 0 where nobody knows. @param {number} now @param {number} announced */
  apart(now, announced) {
    const gaps = [...this.#gaps].sort((a, b) => a - b);
    const usual = gaps.length === 1 ? (announced ? 0 : gaps[0]) : gaps.at(-2) ?? 0;
    return Math.min(FURTHEST, Math.max(usual, this.#beatOf(now), announced));
  }
}

/** How the pictures on a canvas follow each other. Only what was decoded and drawn counts. */
export class OnScreen {
  /** When the picture was captured, where that is known. @type {number | null} */
  #captured = null;
  /** Since when there was no other picture: it was drawn then, or captured a while before. @type {number | null} */
  #since = null;
  #rhythm = new Rhythm();
  #announced = 0;
  #held = new Recent(HELD);
  /** Why the newest picture is not on the canvas. */
  #broken = "";
  /** When the picture on the canvas was drawn, where it is a first one. @type {number | null} */
  #first = null;
  /** What is on the canvas is from before a break, if anything is; another has not come. */
  #isOld = true;
  /** What was captured before this time waited while the page stood still. */
  #resumed = -Infinity;
  /** Pictures are held back for so long on purpose, and as much older when they are drawn. */
  heldBack = 0;

  /**
   * @param {number | null} captured
   * @param {number} now
   */
  shown(captured, now) {
    if (this.#isOld || this.#since === null || (captured !== null && captured + this.heldBack < this.#resumed)) {
      // It may be the last one of a stream that stands still, or have waited while the page did.
      this.#first = now;
      this.#since = Math.min(now, (captured ?? now) + this.heldBack + GRACE);
    } else {
      this.#first = null;
      if (this.#isLate(now) === false && this.#captured !== null) this.#held.add(now, now - this.#captured);
      this.#rhythm.add(now - this.#since, now);
      this.#since = now;
    }
    this.#captured = captured;
    this.#broken = "";
    this.#isOld = false;
  }

  /** The picture on the canvas was captured then, as is known by now. @param {number | null} captured */
  restated(captured) {
    this.#captured = captured;
    if (this.#first !== null && captured !== null) this.#since = Math.min(this.#first, captured + this.heldBack + GRACE);
  }

  /** The newest picture cannot be decoded. @param {string} why */
  broken(why) {
    this.#broken = why;
  }

  /** Why the newest picture is not on the canvas; empty where it is. */
  get why() {
    return this.#broken;
  }

  /**
   * The longest time between pictures, as the publisher says it; 0: it does not.
   * @param {number} apart
   */
  announced(apart) {
    this.#announced = apart > 0 ? apart : 0;
  }

  /** The connection is another, or nobody watched: what is drawn is from before, and has no rhythm. */
  anew() {
    this.#isOld = true;
    this.#rhythm = new Rhythm();
    this.#broken = "";
  }

  /** The page stood still until now: what comes first may be old. @param {number} now */
  resumed(now) {
    this.#resumed = now;
  }

  /**
   * How old the picture on the canvas is; null where nobody knows.
   * @param {number} now
   */
  age(now) {
    return this.#captured === null ? null : Math.max(0, now - this.#captured);
  }

  /**
   * The age to show: `p50` of pictures when they were drawn, as long as one follows the other; otherwise how old they get.
   * @param {number | null} p50
   * @param {number} now
   */
  shownAge(p50, now) {
    const age = this.age(now);
    if (age === null) return null;
    const reached = Math.max(age, this.#held.quantile(now, 1) ?? 0);
    return p50 !== null && reached <= p50 + UNSEEN ? p50 : reached;
  }

  /** @param {number} now */
  #expected(now) {
    return this.#rhythm.apart(now, this.#announced);
  }

  /** @param {number} now */
  #isLate(now) {
    const expected = this.#expected(now);
    return this.#since !== null && expected ? now - this.#since > LATE * expected : null;
  }

  /**
   * How pictures come, and for how long none has.
   * @param {number} now
   * @returns {["none" | "in time" | "late" | "not" | "broken", number]}
   */
  coming(now) {
    const late = this.#isLate(now);
    const silence = this.#since === null ? 0 : now - this.#since;
    if (this.#broken && late !== false) return ["broken", silence];
    if (this.#since === null || (this.#isOld && late === null)) return ["none", silence];
    if (!late) return ["in time", silence];
    return [silence > LATE * this.#expected(now) + LOST ? "not" : "late", silence];
  }
}
