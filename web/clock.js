// @ts-check
// What the hub's clock says, as `session::clock` of the native viewer works it out; there the rules are explained. All times
// are milliseconds.

/** Answers that are kept, the newest ones and the best; and for how long. */
const KEPT = 32;
const LASTS = 60_000;
/** How fast two clocks part at most, as a share. */
const DRIFT = 50e-6;
/** What rounding makes of a time on its way, beside that of this page's clock. */
const GRAIN = 0.2;
/** Delays that differ by less are the same. */
const NEAR = 3;
/** So many answers must agree. */
const AGREE = 3;
/** An answer whose two bounds are as near as this to their middle proves the clock, whatever the path. */
const PROVEN = 2;
/** An answer that won so much on one way and lost as much on the other is of a clock that is slewed, or chance. */
const CREEP = 1;
/** What all have agreed on was wrong if one answer alone betters it by so much. */
const STEP = 4;

/**
 * The hub's clock is ahead by `there` at most, and behind by `back` at most.
 * @typedef {{there: number, back: number, at: number}} Answer
 */

/**
 * What an answer says of the clock: nothing, for it cannot be; it is as it was known; the same, or the answer was held up on
 * one way by as much as the clock was set; the clock may be slewed; nothing, for it was held up on both ways; the clock was
 * set or stood still.
 * @typedef {"void" | "agrees" | "agrees one way" | "creeps" | "slow" | "steps"} Verdict
 */

/**
 * An answer's bounds, with what the clocks may have parted since.
 * @param {Answer} answer
 * @param {number} now
 */
function bounds({ there, back, at }, now) {
  const parted = (now - at) * DRIFT;
  return { there: there + parted, back: back + parted };
}

/** @param {Answer[]} answers @param {number} now */
function best(answers, now) {
  const all = answers.map((answer) => bounds(answer, now));
  return { there: Math.min(...all.map((a) => a.there)), back: Math.min(...all.map((a) => a.back)) };
}

/** @param {Answer} a @param {Answer} b @param {number} by */
function isNear(a, b, by) {
  return Math.abs(a.there - b.there) <= by && Math.abs(a.back - b.back) <= by;
}

/** How far the hub's clock is ahead of ours. */
export class Clock {
  #grain;
  #near;
  #step;
  /** In the order in which they came. @type {Answer[]} */
  #answers = [];
  /** @type {{offset: number, error: number, agreed: number | null} | null} */
  #known = null;

  /** @param {number} [grain]  what this page's clock is rounded to */
  constructor(grain = 0) {
    this.#grain = grain;
    this.#near = NEAR + grain;
    this.#step = STEP + grain;
  }

  /**
   * An answer came: the ping left at `sent`, the hub's clock said `theirs`.
   * @param {number} sent
   * @param {number} theirs
   * @param {number} received
   * @returns {Verdict}
   */
  answer(sent, theirs, received) {
    const answer = { there: theirs - sent, back: received - theirs, at: received };
    if (!Number.isFinite(theirs) || !(answer.there + answer.back >= 0)) return "void";
    this.#answers = this.#answers.filter(({ at }) => received - at <= LASTS);
    let verdict = this.#judge(answer);
    if (verdict === "steps") {
      this.#answers = [];
      this.#known = null;
    }
    this.#keep(answer);
    const first = this.#firstOfAnotherClock(received);
    if (first > 0) {
      this.#answers = this.#answers.slice(first);
      this.#known = null;
      verdict = "steps";
    }
    // The path is longer than it was.
    if (verdict === "slow" && this.#answers.filter((old) => isNear(old, answer, this.#near)).length >= AGREE) verdict = "agrees";
    this.#known = this.#settle(received);
    return verdict;
  }

  /** @param {Answer} answer @returns {Verdict} */
  #judge(answer) {
    if (!this.#answers.length) return "agrees";
    const { there, back } = best(this.#answers, answer.at);
    const grain = GRAIN + this.#grain;
    if (answer.there + back < -grain || there + answer.back < -grain) return "steps";
    const slow = [answer.there - there, answer.back - back];
    if (this.#agreed !== null && Math.min(...slow) < -this.#step) return "steps";
    const creep = CREEP + this.#grain;
    if (this.settled && Math.min(...slow) < -creep && Math.max(...slow) > creep) return "creeps";
    if (Math.max(...slow) <= this.#near) return "agrees";
    return Math.min(...slow) <= this.#near ? "agrees one way" : "slow";
  }

  /** @param {Answer} answer */
  #keep(answer) {
    if (this.#answers.length >= KEPT) {
      const { there, back } = best(this.#answers, answer.at);
      const isBest = (/** @type {Answer} */ old) => {
        const its = bounds(old, answer.at);
        return its.there === there || its.back === back;
      };
      this.#answers.splice(Math.max(0, this.#answers.findIndex((old) => !isBest(old))), 1);
    }
    this.#answers.push(answer);
  }

  /** Where the answers begin that are of another clock than those before; 0 where there are none. @param {number} now */
  #firstOfAnotherClock(now) {
    for (let first = this.#answers.length - 1; first > 0; first--) {
      const after = this.#answers.slice(first);
      const [was, is] = [best(this.#answers.slice(0, first), now), best(after, now)];
      const [lost, won] = [is.there - was.there, was.back - is.back];
      const shift = Math.max(Math.min(lost, won), -Math.max(lost, won));
      if (shift <= CREEP + this.#grain) continue;
      const by = Math.min(shift, this.#near);
      if (after.some((a) => after.filter((b) => isNear(a, b, by)).length >= AGREE)) return first;
    }
    return 0;
  }

  /** @param {{there: number, back: number}} best @param {number} now */
  #allAgree(best, now) {
    const near = (/** @type {"there" | "back"} */ way) =>
      this.#answers.flatMap((answer, at) => (bounds(answer, now)[way] <= best[way] + this.#near ? [at] : []));
    const [there, back] = [near("there"), near("back")];
    return there.length >= AGREE && back.length >= AGREE
      && there[0] <= back[back.length - 1] && back[0] <= there[there.length - 1];
  }

  /** @param {number} now */
  #settle(now) {
    const bounds = best(this.#answers, now);
    const half = Math.max(0, (bounds.there + bounds.back) / 2);
    const quickest = Math.min(...this.#answers.map(({ there, back }) => there + back)) / 2;
    const before = this.#agreed;
    const still = before !== null && half <= before + this.#step ? before : null;
    const agreed = quickest <= PROVEN || this.#allAgree(bounds, now) ? half : still;
    return { offset: bounds.there - half, error: agreed === null ? quickest : half, agreed };
  }

  get #agreed() {
    return this.#known ? this.#known.agreed : null;
  }

  /** Whether as much is known of the offset as this page's clock allows. */
  get settled() {
    return this.#agreed !== null;
  }

  /** Whether the offset is more than an estimate. What a coarse clock says always is one. */
  get sure() {
    return this.settled && this.#grain <= PROVEN;
  }

  /** How far off the offset may be, whatever the path; null before the first answer. */
  get error() {
    return this.#known ? this.#known.error + this.#grain : null;
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
/** So many pictures that follow each other and took equally long, and longer than those before, were not held up. */
const STEADY = 3;
/** How often a doubt is asked about. */
const ASK_EVERY = 200;
/** How long it is remembered how slow pictures were. */
const REMEMBER = 10_000;

/** Watches pictures for a sign that the other clock was set, or stood still while its machine slept. */
export class Watch {
  #grain;
  /** @type {{quick: number, slow: number} | null} */
  #usual = null;
  #slowBefore = -Infinity;
  #turned = 0;
  #seen = { quick: Infinity, slow: -Infinity };
  #least = Infinity;
  /** The least of the stretch that was asked about last. @type {number | null} */
  #reference = null;
  #stretch = 0;
  /** The least of this second and of the one before, and when this one began. */
  #floor = Infinity;
  #floorBefore = Infinity;
  #second = -Infinity;
  /** How long the last picture took, and how many before it as long. */
  #last = 0;
  #steady = 0;
  /** @type {number | null} */
  #doubt = null;
  /** One answer since then was as quick as the best on one way. */
  #halfConfirmed = false;
  #asked = -Infinity;
  #askedForShift = -Infinity;

  /** @param {number} [grain]  what this page's clock is rounded to */
  constructor(grain = 0) {
    this.#grain = grain;
  }

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
    const margin = Math.max(error, STEP + this.#grain);
    this.#steady = Math.abs(took - this.#last) <= SHIFT + this.#grain ? this.#steady + 1 : 1;
    this.#last = took;
    if (now - this.#second >= SHIFTS_EVERY) {
      this.#floorBefore = this.#floor;
      this.#floor = took;
      this.#second = now;
    }
    this.#floor = Math.min(this.#floor, took);
    const isSteady = this.#steady === STEADY && took > Math.min(this.#floor, this.#floorBefore) + margin;
    if (took < this.#usual.quick - STEP - this.#grain || took > slow + margin || isSteady) this.#doubt ??= now;
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

  /** The clock is in doubt until a ping says that it is as it was known. @param {number} now */
  suspect(now) {
    this.#doubt ??= now;
  }

  /** @param {number} now */
  #shifted(now) {
    const least = this.#least;
    this.#least = Infinity;
    this.#reference ??= least;
    const shifted = Math.abs(least - this.#reference) > SHIFT + this.#grain && now - this.#askedForShift >= SHIFTS_EVERY;
    if (shifted) {
      this.#askedForShift = now;
      this.#reference = least;
    }
    return shifted;
  }

  /**
   * Such a ping was answered by what was held up on one way: one more must say the same.
   * @param {number} sent
   * @param {number} now
   */
  confirmedOneWay(sent, now) {
    if (this.#doubt !== null && sent < this.#doubt) return;
    if (this.#doubt === null || this.#halfConfirmed) this.confirmed(sent, now);
    else this.#halfConfirmed = true;
  }

  /**
   * A ping that left at `sent` was answered, and says that the clock is as it was known.
   * @param {number} sent
   * @param {number} now
   */
  confirmed(sent, now) {
    if (this.#doubt !== null && sent < this.#doubt) return;
    this.#doubt = null;
    this.#halfConfirmed = false;
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
