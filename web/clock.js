// @ts-check
// What the hub's clock says, as `session::clock` of the native viewer works it out; there the rules are explained. All times
// are milliseconds.

/** Answers that are kept for each way, the quickest ones; and for how long. */
const KEPT = 8;
const LASTS = 60_000;
/** How fast two clocks part at most, as a share. */
const DRIFT = 50e-6;
/** What rounding makes of a time on its way. */
const GRAIN = 0.2;
/** Delays that differ by less are the same. */
const NEAR = 3;
/** So many answers must agree on the shortest delay of each way. */
const AGREE = 3;
/** A clock that is known as well as this, whatever the path, is known. */
const PROVEN = 2;
/** What all have agreed on was wrong if one answer alone betters it by so much. */
const STEP = 4;

/** One way of a path: the shortest delays on it, each with what the clocks' difference adds. */
class Leg {
  /** @type {{delay: number, at: number}[]} */
  #seen = [];

  /** @param {{delay: number, at: number}} seen @param {number} now */
  static #widened({ delay, at }, now) {
    return delay + (now - at) * DRIFT;
  }

  /** @param {number} delay @param {number} now */
  add(delay, now) {
    this.#seen.push({ delay, at: now });
    this.#seen = this.#seen.filter(({ at }) => now - at <= LASTS)
      .sort((a, b) => Leg.#widened(a, now) - Leg.#widened(b, now)).slice(0, KEPT);
  }

  /** @param {number} now */
  best(now) {
    return Math.min(...this.#seen.map((seen) => Leg.#widened(seen, now)));
  }

  /** @param {number} now */
  agrees(now) {
    const best = this.best(now);
    return this.#seen.filter((seen) => Leg.#widened(seen, now) <= best + NEAR).length >= AGREE;
  }
}

/** How far the hub's clock is ahead of ours. */
export class Clock {
  #there = new Leg();
  #back = new Leg();
  /** @type {{offset: number, error: number, agreed: number | null} | null} */
  #known = null;

  /**
   * An answer came: the ping left at `sent`, the hub's clock said `theirs`. Says whether it contradicts what was known, so
   * that all begins anew with it.
   * @param {number} sent
   * @param {number} theirs
   * @param {number} received
   */
  answer(sent, theirs, received) {
    const [there, back] = [theirs - sent, received - theirs];
    if (!(there + back >= 0)) return false;
    const steps = this.#known !== null && this.#isContradicted(there, back, received);
    if (steps) {
      this.#there = new Leg();
      this.#back = new Leg();
      this.#known = null;
    }
    this.#there.add(there, received);
    this.#back.add(back, received);
    const best = [this.#there.best(received), this.#back.best(received)];
    const error = Math.max(0, (best[0] + best[1]) / 2);
    const agrees = error <= PROVEN || (this.#there.agrees(received) && this.#back.agrees(received));
    const before = this.#known?.agreed ?? null;
    const still = before !== null && error <= before + STEP ? before : null;
    this.#known = { offset: best[0] - error, error, agreed: agrees ? error : still };
    return steps;
  }

  /** @param {number} there @param {number} back @param {number} now */
  #isContradicted(there, back, now) {
    const [bestThere, bestBack] = [this.#there.best(now), this.#back.best(now)];
    const betters = there < bestThere - STEP || back < bestBack - STEP;
    return there + bestBack < -GRAIN || bestThere + back < -GRAIN || (this.sure && betters);
  }

  /** Whether the offset is more than an estimate. */
  get sure() {
    return this.#known !== null && this.#known.agreed !== null;
  }

  /** How far off the offset may be, whatever the path; null before the first answer. */
  get error() {
    return this.#known ? this.#known.error : null;
  }

  /**
   * A time of the hub's clock on ours; null before the first answer.
   * @param {number} theirs
   */
  ours(theirs) {
    return this.#known ? theirs - this.#known.offset : null;
  }
}

/** How long pictures are looked at together, and which change of the quickest of them is worth a ping, how often. */
const STRETCH = 250;
const SHIFT = 3;
const SHIFTS_EVERY = 1000;
/** A picture that took longer than all of late by so much was held up, or its clock was set. */
const LATE = 100;
/** How often a doubt is asked about. */
const ASK_EVERY = 200;
/** How long it is remembered how slow pictures were. */
const REMEMBER = 10_000;

/** Watches pictures for a sign that the other clock was set, or stood still while its machine slept. */
export class Watch {
  /** @type {{quick: number, slow: number} | null} */
  #usual = null;
  #slowBefore = -Infinity;
  #turned = 0;
  #seen = { quick: Infinity, slow: -Infinity };
  #least = Infinity;
  /** @type {number | null} */
  #leastBefore = null;
  #stretch = 0;
  /** @type {number | null} */
  #doubt = null;
  #asked = -Infinity;
  #askedForShift = -Infinity;

  /** What is said of the clock is an estimate. */
  get doubts() {
    return this.#doubt !== null;
  }

  /**
   * A picture came that was sent so long ago, by a clock that may be off by `error`. Says whether a ping is wanted now.
   * @param {number} took
   * @param {number} error
   * @param {number} now
   */
  picture(took, error, now) {
    this.#seen = { quick: Math.min(this.#seen.quick, took), slow: Math.max(this.#seen.slow, took) };
    if (!this.#usual) {
      this.#usual = { quick: error, slow: error };
      this.#stretch = now;
    }
    const slow = Math.max(this.#usual.slow, this.#slowBefore);
    if (took < this.#usual.quick - STEP || took > slow + LATE) this.#doubt ??= now;
    let wanted = false;
    if (this.doubts && now - this.#asked >= ASK_EVERY) {
      this.#asked = now;
      wanted = true;
    }
    this.#least = Math.min(this.#least, took);
    if (now - this.#stretch >= STRETCH) {
      this.#stretch = now;
      wanted = this.#shifted(now) || wanted;
    }
    return wanted;
  }

  /** @param {number} now */
  #shifted(now) {
    const least = this.#least;
    this.#least = Infinity;
    const shifted = this.#leastBefore !== null && Math.abs(least - this.#leastBefore) > SHIFT;
    if (shifted && now - this.#askedForShift < SHIFTS_EVERY) return false;
    if (shifted) this.#askedForShift = now;
    this.#leastBefore = least;
    return shifted;
  }

  /**
   * A ping that left at `sent` was answered, and agrees with what was known of the clock.
   * @param {number} sent
   * @param {number} now
   */
  confirmed(sent, now) {
    if (this.#doubt !== null && sent < this.#doubt) return;
    this.#doubt = null;
    if (!this.#usual) return;
    this.#usual.quick = Math.min(this.#usual.quick, this.#seen.quick);
    this.#usual.slow = Math.max(this.#usual.slow, this.#seen.slow);
    this.#seen = { quick: Infinity, slow: -Infinity };
    if (now - this.#turned >= REMEMBER) {
      this.#turned = now;
      this.#slowBefore = this.#usual.slow;
      this.#usual.slow = this.#usual.quick;
    }
  }
}
