// @ts-check
// What is on the canvas, how old it is, and whether the next picture is late, as `stats::on_screen` of the native viewer has
// it. All times are milliseconds of our clock.
import { Recent } from "./recent.js";

/** So many times as long as pictures are apart without one, and the next is late; after so much more it is lost. */
const LATE = 3;
const LOST = 2000;
/** How long it is remembered how old pictures got before the next one came. */
const HELD = 500;
/** Nobody announces pictures that are further apart. */
const FURTHEST = 60_000;
/** As long as pictures get no older than this on the canvas, their age when they came there is what there is to say. */
const UNSEEN = 40;

/** How the pictures on a canvas follow each other. Only what was decoded and drawn counts. */
export class OnScreen {
  /** When the picture was captured, where that is known, and when it was drawn. @type {{captured: number | null, at: number} | null} */
  #picture = null;
  #apart = 0;
  #announced = 0;
  #held = new Recent(HELD);
  #isBroken = false;
  /** It is from before a break; another has not come. */
  #isOld = false;

  /**
   * @param {number | null} captured
   * @param {number} now
   */
  shown(captured, now) {
    const before = this.#picture;
    if (before && !this.#isOld) {
      const inTime = this.#isLate(now) === false;
      const gap = now - before.at;
      const most = this.#expected ? Math.min(gap, this.#expected * (LATE + 1)) : gap;
      if (!this.#apart) this.#apart = gap;
      else this.#apart = gap < this.#apart / 2 ? (this.#apart + gap) / 2 : (7 * this.#apart + most) / 8;
      if (inTime && before.captured !== null) this.#held.add(now, now - before.captured);
    }
    this.#picture = { captured, at: now };
    this.#isBroken = this.#isOld = false;
  }

  /** The newest picture cannot be decoded. */
  broken() {
    this.#isBroken = true;
  }

  /**
   * The longest time between pictures, as the publisher says it; 0: it does not.
   * @param {number} apart
   */
  announced(apart) {
    this.#announced = apart > 0 ? Math.min(apart, FURTHEST) : 0;
  }

  /** The connection is another, or nobody watched: what is drawn is from before, and has no rhythm. */
  anew() {
    this.#isOld = this.#picture !== null;
    this.#apart = 0;
    this.#isBroken = false;
  }

  /**
   * How old the picture on the canvas is; null where nobody knows.
   * @param {number} now
   */
  age(now) {
    const captured = this.#picture?.captured ?? null;
    return captured === null ? null : Math.max(0, now - captured);
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

  get #expected() {
    return Math.max(this.#announced, this.#apart);
  }

  /** @param {number} now */
  #isLate(now) {
    return this.#picture && this.#expected ? now - this.#picture.at > LATE * this.#expected : null;
  }

  /**
   * How pictures come, and for how long none has.
   * @param {number} now
   * @returns {["none" | "in time" | "late" | "not" | "broken", number]}
   */
  coming(now) {
    const late = this.#isLate(now);
    const silence = this.#picture ? now - this.#picture.at : 0;
    if (this.#isBroken && late !== false) return ["broken", silence];
    if (!this.#picture || (this.#isOld && late === null)) return ["none", silence];
    if (!late) return ["in time", silence];
    return [silence > LATE * this.#expected + LOST ? "not" : "late", silence];
  }
}
