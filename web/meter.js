// @ts-check
import { OnScreen } from "./on-screen.js";
import { Recent } from "./recent.js";

/**
 * What a viewer knows of its stream, 16 times a second.
 * @typedef {object} Report
 * @property {"connecting" | "waiting" | "live" | "late" | "lost" | "refused"} state
 * @property {string} detail  the state in words; empty while live
 * @property {string} stream  `room/name`
 * @property {number} fps
 * @property {number | null} age  to show, milliseconds; null where nobody knows
 * @property {number | null} pictureAge  of the picture on the canvas, now
 * @property {number | null} arrived  how old pictures are when they come on the canvas, the median
 * @property {number | null} age99  the same, of the slowest of a hundred
 * @property {boolean} estimated
 * @property {number | null} error  how far off the age may be, whatever the path
 * @property {number} kbytes  a second
 * @property {string} size
 * @property {number} quality
 * @property {number} skipped
 * @property {number} reconnects
 * @property {string} limit  what limits the picture, with the numbers behind it
 * @property {string} asked  size and quality if nothing did; empty where nobody says
 * @property {[string, number | null][]} budget  where the age was spent, milliseconds
 * @property {[string, string][]} metadata
 * @property {boolean} locked  the pictures are sealed end to end, and do not open with what is known
 * @property {boolean} sealed  they are, and were opened
 * @property {number | null} apart  by how many milliseconds they are older than the hub says; null: its times are right
 * @property {string} denied  why the hub gives this page no right, or not any more; empty where it does
 * @property {number} denials  how often it said so
 * @property {Audible | null} audio  its sound; null: it has none
 */

/**
 * The sound of a stream: what its publisher says, and what is heard of it here; null: nobody listens.
 * @typedef {{muted: boolean, speaking: boolean, heard: import("./sound-ear.js").Heard | null}} Audible
 */

/** Counts pictures as they are shown. */
export class Meter {
  #ages = new Recent();
  #shown = new Recent();
  #bytes = new Recent();
  #spans = new Map([["capture", 0], ["encode", 0], ["uplink", 0], ["hub", 0], ["downlink", 0], ["decode", 0], ["smooth", 0]]
    .map(([name]) => [/** @type {string} */ (name), new Recent()]));
  #last = -1;
  screen = new OnScreen();
  skipped = 0;
  reconnects = 0;
  estimated = false;
  /** Nobody knows when the picture on the canvas was taken. */
  arrival = false;

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
    this.screen.anew();
  }

  /**
   * A picture is on the canvas.
   * @param {import("./packet.js").Picture} picture
   * @param {number} at
   * @param {import("./session.js").Captured} captured
   * @param {number} took  milliseconds from arrival to canvas
   * @param {number | null} [waited]  of these it was held back for even motion; null: it was not to be
   */
  shown(picture, at, { captured, estimated, arrival }, took, waited = null) {
    this.screen.shown(captured, at);
    this.estimated = estimated;
    this.arrival = arrival;
    this.#shown.add(at, 0);
    if (captured === null) return;
    const age = Math.max(0, at - captured);
    const { capture, encode, uplink, hub } = picture.spans;
    this.#ages.add(at, age);
    const decode = took - (waited ?? 0);
    const spans = { capture, encode, uplink, hub, downlink: age - capture - encode - uplink - hub - took, decode, ...(waited === null ? {} : { smooth: waited }) };
    for (const [name, value] of Object.entries(spans)) this.#spans.get(name)?.add(at, Math.max(0, value));
  }

  /** More is known by now of the picture on the canvas. @param {import("./session.js").Captured} captured */
  restated({ captured, estimated, arrival }) {
    this.screen.restated(captured);
    this.estimated = estimated;
    this.arrival = arrival;
  }

  /** @param {number} now */
  numbers(now) {
    /** @type {[string, number | null][]} */
    const budget = [...this.#spans].map(([name, recent]) => [name, recent.quantile(now, 0.5)]);
    const arrived = this.#ages.quantile(now, 0.5);
    return {
      fps: this.#shown.rate(now),
      age: this.screen.shownAge(arrived, now),
      arrived,
      pictureAge: this.screen.age(now),
      age99: this.#ages.quantile(now, 0.99),
      kbytes: this.#bytes.sumRate(now) / 1000,
      skipped: this.skipped,
      reconnects: this.reconnects,
      estimated: this.estimated,
      budget,
    };
  }
}
