// @ts-check
// At which quality and size the next picture of the camera comes out at so many bytes, as `adapt::Fit` of the native sender
// works it out, where the numbers are explained. Times are milliseconds; no bound is `Infinity`.

/** The sizes a picture is scaled to, in eighths of each side. */
const SCALES = [8, 6, 4, 3, 2];
/** Bytes of a JPEG that depend on nothing: markers and tables. */
const TABLES = 600;
/** What is aimed at, of the bytes allowed. */
const AIM = 0.92;
/** What may come out, of the bytes allowed, before the picture is encoded again. */
const OVER = 1.15;
/** How long a larger scale must have promised to fit before it is taken: a change of size is seen. */
const PATIENCE = 1000;
/** How much better than the least quality a larger scale must promise to look. */
const MARGIN = 10;

/**
 * How one picture is encoded: JPEG quality 1 to 100, and each side in eighths of the full one.
 * @typedef {{quality: number, eighths: number}} Encoding
 */

/** The factor on the quantisation tables, as libjpeg has it; 1 at quality 50. @param {number} quality */
function factorOf(quality) {
  const q = Math.min(99.5, Math.max(1, quality));
  return q < 50 ? 50 / q : 2 - q / 50;
}

/** @param {number} value @param {number} least @param {number} most */
const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

/** Learns how bytes follow quality on this scene. */
export class Fit {
  #least;
  /** Bytes beyond the tables at factor 1, for each scale; 0 is unknown. */
  #complexity = SCALES.map(() => 0);
  #exponent = 0.67;
  #scale = 0;
  /** Since when the next larger scale would fit. @type {number | null} */
  #largerSince = null;
  /** @type {{at: number, factor: number, content: number} | null} */
  #last = null;

  /** @param {number} least  the quality that is kept as long as a smaller size helps */
  constructor(least) {
    this.#least = clamp(least, 1, 100);
  }

  /**
   * How to encode the next picture so that it has at most so many bytes and at most this quality.
   * @param {number} bytes
   * @param {number} best
   * @param {number} now
   * @returns {Encoding}
   */
  choose(bytes, best, now) {
    best = clamp(best, 1, 100);
    if (bytes === Infinity || this.#complexity.every((c) => c === 0)) {
      if (bytes === Infinity) this.#scale = 0;
      return this.#encoding(bytes === Infinity ? best : Math.min(best, 50));
    }
    const least = Math.min(this.#least, best);
    const aim = Math.max(64, bytes * AIM - TABLES);
    while (this.#scale + 1 < SCALES.length && this.#qualityFor(this.#scale, aim) < least) {
      this.#scale++;
      this.#largerSince = null;
    }
    if (this.#scale > 0 && this.#qualityFor(this.#scale - 1, aim) >= Math.min(least + MARGIN, best)) {
      this.#largerSince ??= now;
      if (now - this.#largerSince >= PATIENCE) {
        this.#scale--;
        this.#largerSince = null;
      }
    } else {
      this.#largerSince = null;
    }
    return this.#encoding(clamp(this.#qualityFor(this.#scale, aim), least, best));
  }

  /**
   * The same at full size, whatever that costs.
   * @param {number} bytes
   * @param {number} best
   * @returns {Encoding}
   */
  chooseFull(bytes, best) {
    this.#scale = 0;
    this.#largerSince = null;
    best = clamp(best, 1, 100);
    if (bytes === Infinity) return this.#encoding(best);
    if (!this.#complexityAt(0)) return this.#encoding(Math.min(best, 50));
    const aim = Math.max(64, bytes * AIM - TABLES);
    return this.#encoding(clamp(this.#qualityFor(0, aim), Math.min(this.#least, best), best));
  }

  /**
   * Tells how many bytes came out. Whether that is far too much and can be helped: then choose and encode again, once.
   * @param {Encoding} encoding
   * @param {number} cameOut
   * @param {number} bytes
   */
  encoded({ quality, eighths }, cameOut, bytes) {
    const at = SCALES.indexOf(eighths);
    if (at < 0) return false;
    const content = Math.max(64, cameOut - TABLES);
    const factor = factorOf(quality);
    const last = this.#last;
    if (last && last.at === at && Math.abs(Math.log(last.factor / factor)) > 0.15) {
      const slope = Math.log(content / last.content) / Math.log(last.factor / factor);
      this.#exponent += (clamp(slope, 0.35, 0.95) - this.#exponent) * 0.1;
    }
    this.#last = { at, factor, content };
    const seen = content * factor ** this.#exponent;
    const known = this.#complexity[at];
    if (known > 0) {
      // A change of scene is a change at every size.
      const change = (seen / known) ** 0.7;
      this.#complexity = this.#complexity.map((c) => c * change);
    } else {
      this.#complexity[at] = seen;
    }
    const canShrink = quality > this.#least || at + 1 < SCALES.length;
    return bytes !== Infinity && cameOut > bytes * OVER && canShrink;
  }

  /** The bytes that a picture at full size and this quality would have; 0 before the first picture. @param {number} quality */
  expects(quality) {
    const complexity = this.#complexityAt(0);
    return complexity ? Math.floor(TABLES + complexity * factorOf(quality) ** -this.#exponent) : 0;
  }

  /** @param {number} quality @returns {Encoding} */
  #encoding(quality) {
    return { quality: Math.floor(quality), eighths: SCALES[this.#scale] };
  }

  /** The quality at which a picture of this scale has so many bytes beyond its tables. @param {number} scale @param {number} content */
  #qualityFor(scale, content) {
    const complexity = this.#complexityAt(scale);
    if (!complexity) return 50;
    const factor = (complexity / content) ** (1 / this.#exponent);
    return factor > 1 ? 50 / factor : 100 - 50 * factor;
  }

  /** What was seen at a scale, or what the nearest one says of it; 0 before the first picture. @param {number} scale */
  #complexityAt(scale) {
    let nearest = -1;
    for (let at = 0; at < SCALES.length; at++) {
      if (this.#complexity[at] > 0 && (nearest < 0 || Math.abs(at - scale) < Math.abs(nearest - scale))) nearest = at;
    }
    return nearest < 0 ? 0 : this.#complexity[nearest] * (SCALES[scale] / SCALES[nearest]) ** 1.5;
  }
}
