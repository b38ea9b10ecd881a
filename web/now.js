// @ts-check
// The page's clock. All times of the page are of it.

/** The wall clock goes on while the machine sleeps and the page's own may not; if they part by so much at once, it slept. */
const SLEPT = 1000;
/** The coarsest clock there is, in milliseconds, as Firefox has it against fingerprints. */
const COARSEST = 100;

/** A monotonic clock that counts the time that the machine slept. */
export class Clockwork {
  #monotonic;
  #wall;
  #ahead;
  #slept = 0;
  /** How often the machine slept, or its wall clock was set, which looks the same. */
  jumps = 0;

  /**
   * @param {() => number} monotonic  milliseconds
   * @param {() => number} wall  milliseconds
   */
  constructor(monotonic, wall) {
    this.#monotonic = monotonic;
    this.#wall = wall;
    this.#ahead = wall() - monotonic();
  }

  /** Milliseconds. */
  now() {
    const monotonic = this.#monotonic();
    const ahead = this.#wall() - monotonic;
    const jump = ahead - this.#ahead;
    this.#ahead = ahead;
    if (jump > SLEPT) {
      this.#slept += jump;
      this.jumps++;
    }
    return monotonic + this.#slept;
  }

  /** What the clock is rounded to, in milliseconds: the least of three steps. It waits for them, 0.3 s at worst. */
  grain() {
    let least = 0;
    let last = this.#monotonic();
    for (let steps = 0, reads = 0; steps < 3 && reads < 20_000_000; reads++) {
      const read = this.#monotonic();
      if (read === last) continue;
      // Whoever is not let run for a while has seen no step of the clock.
      least = steps ? Math.min(least, read - last) : read - last;
      last = read;
      steps++;
    }
    return least ? Math.min(least, COARSEST) : COARSEST;
  }
}

/** Notices that the page was stopped, as `time::Standstill` of the native programs does, where the numbers are explained. */
export class Standstill {
  /** @type {number | null} */
  #looked = null;
  #ended = -Infinity;
  #lasted = 0;

  /** To be called more than once a second. For how long the page stood still, if it goes on only now; else 0. @param {number} now */
  look(now) {
    const lasted = this.#looked === null ? 0 : now - this.#looked;
    this.#looked = now;
    if (lasted <= 1000) return 0;
    [this.#ended, this.#lasted] = [now, lasted];
    return lasted;
  }

  /** For how long it stood still, if that was only just; else 0. @param {number} now */
  justEnded(now) {
    return now - this.#ended <= 1000 ? this.#lasted : 0;
  }
}

const clockwork = new Clockwork(() => performance.now(), () => Date.now());

/** Milliseconds of the page's clock. */
export const now = () => clockwork.now();

/** How often the page's clock went on by more than was seen of it. */
export const jumps = () => clockwork.jumps;

/** What it is rounded to, in milliseconds. */
export const GRAIN = clockwork.grain();
