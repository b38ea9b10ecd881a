// @ts-check
// When the hub is asked for its clock, and what it makes of a picture's time, as `session` of the native viewer has it. All
// times are milliseconds.
import { Clock, Watch } from "./clock.js";

/** Waits between pings while the hub's clock is not known well: all are different. */
const CLOCK_EVERY = [37, 61, 43, 89, 53, 71, 47];
const EARLY_PINGS = 4;
/** So many at once tell whether a clock is slewed. */
const CREEP_PINGS = 3;
const MANY_PINGS = 60;
const TOO_MANY_PINGS = 100;
/** How often the hub is asked once the clock is known. */
const PING_EVERY = 5000;
/** Clocks that are a little off may take a picture for one of the future. */
const FUTURE = 20;
/** Nobody shows older pictures: a clock that says so is not to be believed. */
const OLDEST = 30 * 24 * 3_600_000;

/**
 * When a picture was captured, on our clock; whether that is an estimate, and whether nobody knows how far off it may be.
 * @typedef {{captured: number | null, estimated: boolean, arrival: boolean}} Captured
 * @typedef {Pick<import("./packet.js").Picture, "captured" | "estimated" | "arrival" | "spans">} Told
 */

/** What is known of the hub's clock since a connection opened. */
export class Session {
  #grain;
  #clock;
  #watch;
  /** Pings since the connection opened, or since the hub's clock was set. */
  #pings = 0;
  /** Pings that are to follow quickly, for the hub's clock may be slewed. */
  #quick = 0;
  /** The newest picture, as long as its time is an estimate. @type {{picture: Told, spent: number, at: number, known: Captured} | null} */
  #newest = null;

  /** @param {number} [grain]  what this page's clock is rounded to */
  constructor(grain = 0) {
    this.#grain = grain;
    this.#clock = new Clock(grain);
    this.#watch = new Watch(grain);
  }

  /** How far off the hub's clock may be; null where nobody knows. */
  get error() {
    return this.#clock.error;
  }

  /** A ping leaves. Gives the wait until the next. */
  pinged() {
    const quick = CLOCK_EVERY[this.#pings % CLOCK_EVERY.length];
    this.#pings++;
    this.#quick = Math.max(0, this.#quick - 1);
    if (this.#quick > 0) return quick;
    if (this.#clock.settled && this.#pings >= EARLY_PINGS) return PING_EVERY;
    return quick * (this.#pings < MANY_PINGS ? 1 : this.#pings < TOO_MANY_PINGS ? 5 : 20);
  }

  /**
   * A pong came. Says whether the hub's clock was set or is slewed, and the hub is to be asked at once.
   * @param {number} sent
   * @param {number} theirs
   * @param {number} at
   */
  learn(sent, theirs, at) {
    const was = this.#clock.ours(theirs);
    const verdict = this.#clock.answer(sent, theirs, at);
    const is = this.#clock.ours(theirs);
    const moved = was !== null && is !== null && Math.abs(was - is) > 1 + this.#grain;
    if (verdict === "steps" || moved) this.#watch = new Watch(this.#grain);
    if (verdict === "steps") this.#pings = 0;
    else if (verdict === "agrees") this.#watch.confirmed(sent, at);
    else if (verdict === "agrees one way") this.#watch.confirmedOneWay(sent, at);
    const creeps = verdict === "creeps" && this.#quick === 0;
    if (creeps) this.#quick = CREEP_PINGS;
    return verdict === "steps" || creeps;
  }

  /** Whether one of the clocks may have jumped. */
  get doubts() {
    return this.#watch.doubts;
  }

  /** One of the clocks may have jumped. @param {number} at */
  suspect(at) {
    this.#watch.suspect(at);
  }

  /**
   * A picture came: when it was captured, and whether the hub is to be asked at once.
   * @param {Told} picture
   * @param {number} at  when it was received
   */
  came(picture, at) {
    const { capture, encode, uplink, hub } = picture.spans;
    const spent = capture + encode + uplink + hub;
    const ours = this.#clock.ours(picture.captured);
    const ask = ours !== null && this.#watch.picture(at - ours - spent, this.#clock.error ?? 0, at);
    const known = this.#captured(picture, spent, at);
    this.#newest = known.estimated ? { picture, spent, at, known } : null;
    return { ...known, ask };
  }

  /** When sound was captured that came. @param {Told} sound @param {number} at  when it was received */
  heard(sound, at) {
    const { capture, encode, uplink, hub } = sound.spans;
    return this.#captured(sound, capture + encode + uplink + hub, at);
  }

  /**
   * What is known by now of the newest picture, where that is more than when it came: the first one comes before the first
   * answer, and may be the only one.
   * @returns {{picture: Told, known: Captured} | null}
   */
  restated() {
    if (!this.#newest) return null;
    const { picture, spent, at, known: before } = this.#newest;
    const known = this.#captured(picture, spent, at);
    if (known.captured === before.captured && known.estimated === before.estimated && known.arrival === before.arrival) return null;
    this.#newest = known.estimated ? { picture, spent, at, known } : null;
    return { picture, known };
  }

  /** @param {Told} picture @param {number} spent @param {number} at @returns {Captured} */
  #captured(picture, spent, at) {
    const ours = this.#clock.ours(picture.captured);
    const age = ours === null ? null : at - ours;
    if (age === null || age < -FUTURE - this.#grain || age > OLDEST) {
      return { captured: at - spent, estimated: true, arrival: true };
    }
    const doubts = this.#watch.doubts;
    return {
      captured: at - Math.max(0, age),
      estimated: picture.estimated || !this.#clock.sure || doubts,
      arrival: picture.arrival || doubts,
    };
  }
}
