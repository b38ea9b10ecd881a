// @ts-check
// When the frames of a camera were taken, where the browser says it of what a `<video>` shows and not of the frames themselves: those
// have timestamps in a clock of their own. Both are the same frames, so what is between two of them is the same in both clocks, and tells
// which is which. Times are milliseconds of the page's clock.

/** Frames of each kind that are kept. */
const KEPT = 64;
/** So many must fit, and this share of those that were shown. */
const ENOUGH = 6;
const SHARE = 0.5;
/** What rounding makes of a time. */
const NEAR = 0.3;
/** Two fits that are further apart are two. */
const APART = 2;

export class Pairing {
  /** @type {{timestamp: number, at: number}[]} */
  #frames = [];
  /** @type {{captured: number, at: number}[]} */
  #shown = [];
  #near;

  /** @param {number} [grain]  what the page's clock is rounded to */
  constructor(grain = 0) {
    this.#near = NEAR + grain;
  }

  /** A frame came. @param {number} timestamp  in its own clock @param {number} at */
  came(timestamp, at) {
    this.#frames.push({ timestamp, at });
    if (this.#frames.length > KEPT) this.#frames.shift();
  }

  /** One was shown. @param {number} captured @param {number} at */
  showed(captured, at) {
    this.#shown.push({ captured, at });
    if (this.#shown.length > KEPT) this.#shown.shift();
  }

  /**
   * What is to be added to a timestamp, and whether nothing else fits; null: not known yet. Of a camera as regular as a clock several
   * fit: then a frame was shown about when it came.
   * @returns {{offset: number, sure: boolean} | null}
   */
  find() {
    /** @type {{offset: number, fits: number, lag: number}[]} */
    const found = [];
    const enough = Math.max(ENOUGH, SHARE * this.#shown.length);
    for (const { captured } of this.#shown.slice(0, 3)) {
      for (const { timestamp } of this.#frames) {
        const fit = this.#fit(captured - timestamp);
        if (fit.fits >= ENOUGH / 2 && !found.some(({ offset }) => Math.abs(offset - fit.offset) < APART)) found.push(fit);
      }
    }
    const good = found.filter(({ fits }) => fits >= enough).sort((a, b) => Math.abs(a.lag) - Math.abs(b.lag));
    if (!good.length) return null;
    const [{ offset, fits }] = good;
    return { offset, sure: found.every((other) => other.offset === offset || other.fits <= fits / 2) };
  }

  /** How many of those shown are frames, where this is added to timestamps; and how long after them they were, in the middle. @param {number} offset */
  #fit(offset) {
    const [lags, offsets] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
    for (const { captured, at } of this.#shown) {
      const frame = this.#frames.find(({ timestamp }) => Math.abs(captured - timestamp - offset) <= this.#near);
      if (!frame) continue;
      lags.push(at - frame.at);
      offsets.push(captured - frame.timestamp);
    }
    const middle = (/** @type {number[]} */ of) => of.sort((a, b) => a - b)[of.length >> 1] ?? offset;
    return { fits: lags.length, lag: middle(lags), offset: middle(offsets) };
  }
}
