// @ts-check

/** How far back numbers count, in milliseconds. */
const SPAN = 3000;
const MOST = 1024;

/** Numbers of the last seconds, for medians and rates. */
export class Recent {
  /** @type {{at: number, value: number}[]} */
  #samples = [];

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
    while (this.#samples.length && now - this.#samples[0].at > SPAN) this.#samples.shift();
  }

  /**
   * The value that this share of the last seconds' lies under.
   * @param {number} now
   * @param {number} share  0 to 1
   */
  quantile(now, share) {
    this.#trim(now);
    const values = this.#samples.map((s) => s.value).sort((a, b) => a - b);
    return values.length ? values[Math.round((values.length - 1) * share)] : 0;
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

/**
 * What a viewer knows of its stream, four times a second.
 * @typedef {object} Report
 * @property {"connecting" | "waiting" | "live" | "lost" | "refused"} state
 * @property {string} detail  the state in words; empty while live
 * @property {string} stream  `room/name`
 * @property {number} fps
 * @property {number} age  median, milliseconds
 * @property {number} age99
 * @property {boolean} estimated
 * @property {number} kbytes  a second
 * @property {string} size
 * @property {number} quality
 * @property {number} skipped
 * @property {number} reconnects
 * @property {string} limit  what limits the picture, with the numbers behind it
 * @property {string} asked  size and quality if nothing did; empty where nobody says
 * @property {[string, number][]} budget  where the age was spent, milliseconds
 * @property {[string, string][]} metadata
 */

/** Counts pictures as they are shown. */
export class Meter {
  #ages = new Recent();
  #bytes = new Recent();
  #spans = new Map([["capture", 0], ["encode", 0], ["uplink", 0], ["hub", 0], ["downlink", 0], ["decode", 0]]
    .map(([name]) => [/** @type {string} */ (name), new Recent()]));
  #last = -1;
  skipped = 0;
  reconnects = 0;
  estimated = false;

  /**
   * A picture has arrived whole.
   * @param {import("./packet.js").Picture} picture
   * @param {number} at
   */
  received(picture, at) {
    this.#bytes.add(at, picture.data.length);
    const gap = picture.sequence - this.#last - 1;
    if (this.#last >= 0 && gap > 0 && gap < 10_000) this.skipped += gap;
    this.#last = picture.sequence;
  }

  /** The numbers start anew, as after a reconnect. */
  anew() {
    this.#last = -1;
  }

  /**
   * A picture is on the canvas.
   * @param {import("./packet.js").Picture} picture
   * @param {number} at  our clock
   * @param {number | null} hubNow  the hub's
   * @param {number} decode  milliseconds from arrival to canvas
   */
  shown(picture, at, hubNow, decode) {
    if (hubNow === null) return;
    const age = Math.max(0, hubNow - picture.captured);
    const { capture, encode, uplink, hub } = picture.spans;
    this.#ages.add(at, age);
    const spans = { capture, encode, uplink, hub, downlink: age - capture - encode - uplink - hub - decode, decode };
    for (const [name, value] of Object.entries(spans)) this.#spans.get(name)?.add(at, Math.max(0, value));
    this.estimated = picture.estimated;
  }

  /** @param {number} now */
  numbers(now) {
    /** @type {[string, number][]} */
    const budget = [...this.#spans].map(([name, recent]) => [name, recent.quantile(now, 0.5)]);
    return {
      fps: this.#ages.rate(now),
      age: this.#ages.quantile(now, 0.5),
      age99: this.#ages.quantile(now, 0.99),
      kbytes: this.#bytes.sumRate(now) / 1000,
      skipped: this.skipped,
      reconnects: this.reconnects,
      budget,
    };
  }
}
