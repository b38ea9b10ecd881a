// @ts-check
// The last minute of a number, as a small curve.

/** Samples, one a second. */
export const LENGTH = 60;
const EVERY = 1000;

/** What a number was, second by second; null where nobody knew. */
export class Minute {
  /** The newest at the end. @type {(number | null)[]} */
  #samples = [];
  #next = -Infinity;

  /** Takes a number once a second; a page that stood still has gaps. @param {number} now @param {number | null} value */
  add(now, value) {
    if (now < this.#next) return false;
    const missed = this.#samples.length ? Math.min(LENGTH, Math.floor((now - this.#next) / EVERY)) : 0;
    for (let n = 0; n < missed; n++) this.#samples.push(null);
    this.#next = this.#samples.length && missed < LENGTH ? this.#next + (missed + 1) * EVERY : now + EVERY;
    this.#samples.push(value);
    this.#samples.splice(0, this.#samples.length - LENGTH);
    return true;
  }

  /** The largest of them; null without any. */
  get most() {
    const known = this.#samples.filter((value) => value !== null);
    return known.length ? Math.max(...known) : null;
  }

  /**
   * As lines of an SVG path, the newest at the right; what nobody knew is left out.
   * @param {number} width
   * @param {number} height
   */
  path(width, height) {
    const most = this.most || 1;
    const first = LENGTH - this.#samples.length;
    let pen = "M";
    return this.#samples.map((value, at) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const [x, y] = [((first + at) * width) / (LENGTH - 1), height - (value / most) * height];
      const point = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      // A number that stands alone is a dot.
      const dot = pen === "M" ? "h.01" : "";
      pen = "L";
      return point + dot;
    }).join("");
  }
}
