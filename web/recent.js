// @ts-check

/** How far back numbers count, in milliseconds. */
const SPAN = 3000;
const MOST = 1024;

/** Numbers of the last seconds, for medians and rates. */
export class Recent {
  /** @type {{at: number, value: number}[]} */
  #samples = [];
  #span;

  /** @param {number} [span]  how far back they count */
  constructor(span = SPAN) {
    this.#span = span;
  }

  /**
   * @param {number} at
   * @param {number} value
   */
  add(at, value) {
    this.#samples.push({ at, value });
    if (this.#samples.length > MOST) this.#samples.shift();
  }

  /** @param {number} now */
  #trim(now) {
    while (this.#samples.length && now - this.#samples[0].at > this.#span) this.#samples.shift();
  }

  /**
   * The value that this share of the last seconds' lies under; null without any.
   * @param {number} now
   * @param {number} share  0 to 1
   */
  quantile(now, share) {
    this.#trim(now);
    const values = this.#samples.map((s) => s.value).sort((a, b) => a - b);
    return values.length ? values[Math.round((values.length - 1) * share)] : null;
  }

  /**
   * Samples a second.
   * @param {number} now
   */
  rate(now) {
    this.#trim(now);
    const n = this.#samples.length;
    if (n < 2) return 0;
    const span = Math.max(this.#samples[n - 1].at - this.#samples[0].at, now - this.#samples[0].at - 200);
    return ((n - 1) * 1000) / span;
  }

  /**
   * Sum of the values a second.
   * @param {number} now
   */
  sumRate(now) {
    this.#trim(now);
    const n = this.#samples.length;
    if (n < 2) return 0;
    const sum = this.#samples.reduce((s, x) => s + x.value, 0) - this.#samples[0].value;
    return (sum * 1000) / (this.#samples[n - 1].at - this.#samples[0].at || 1);
  }
}
