// @ts-check
// Whether somebody speaks, by how loud it is: pure, with the time as an argument. Levels are decibels below the loudest there is.

/** What is quieter is silence, whatever the room is like. */
const LEAST = -50;
/** Speech is so much louder than what is heard without it; a little less keeps it going. */
const ABOVE = 12;
const STAYS = 8;
/** It is loud for so long before it counts, in milliseconds: a click does not. Gaps count against it by a part. */
const STARTS = 50;
const GAP = 0.25;
/** Pauses between words are shorter. */
const ENDS = 500;
/** What is heard without speech is not louder than this: a voice that never pauses is not taken for it. */
const NOISIEST = -35;
const QUIETEST = -70;
/** How fast the idea of it follows a louder room, in decibels a second, and while somebody speaks; a quieter one at once. */
const RISES = 4;
const CREEPS = 1;
/** The quietest that a meter shows. */
const SHOWN = -60;

/** @param {number} rms  0 to 1 */
export const decibels = (rms) => (rms > 0 ? Math.max(-100, 20 * Math.log10(rms)) : -100);

/** How far a meter goes, 0 to 1. @param {number} level */
export const share = (level) => Math.min(1, Math.max(0, 1 - level / SHOWN));

/** Says whether somebody speaks. */
export class Speaking {
  #noise = NOISIEST;
  /** @type {number | null} */
  #before = null;
  /** For how long it was loud of late. */
  #loud = 0;
  #loudAt = -Infinity;
  #speaks = false;

  /** @param {number} level @param {number} now */
  hear(level, now) {
    const passed = this.#before === null ? 0 : Math.max(0, now - this.#before);
    this.#before = now;
    const asLoud = this.#noise + (this.#speaks ? STAYS : ABOVE);
    const isLoud = level > Math.max(LEAST, asLoud);
    this.#loud = Math.min(STARTS, Math.max(0, this.#loud + passed * (isLoud ? 1 : -GAP)));
    if (isLoud) this.#loudAt = now;
    if (isLoud && this.#loud >= STARTS) this.#speaks = true;
    if (now - this.#loudAt >= ENDS) this.#speaks = false;
    const louder = this.#noise + ((this.#speaks ? CREEPS : RISES) * passed) / 1000;
    this.#noise = Math.min(NOISIEST, Math.max(QUIETEST, Math.min(level, louder)));
    return this.#speaks;
  }

  /** Nothing is heard any more. */
  silence() {
    this.#speaks = false;
    this.#loud = 0;
    this.#before = null;
    this.#loudAt = -Infinity;
  }
}

/** At most so often somebody is told that somebody speaks, in milliseconds. */
const TELLS = 300;

/** Lets through what changed, and not too often; what was held back is said as soon as it may be. */
export class Seldom {
  #told = false;
  #at = -Infinity;

  /** What is to be told now; null: nothing. @param {boolean} value @param {number} now @returns {boolean | null} */
  next(value, now) {
    if (value === this.#told || now - this.#at < TELLS) return null;
    this.#told = value;
    this.#at = now;
    return value;
  }

  /** Whoever is told has forgotten all of it. */
  anew() {
    this.#told = false;
    this.#at = -Infinity;
  }
}
