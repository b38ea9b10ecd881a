// @ts-check
// What is encoded of a frame of the camera for those who watch, as `adapt::Ladder` and `adapt::share` of the native sender
// have it, where the rules are explained. No bound of bytes is `Infinity`.
import { Fit } from "./camera-fit.js";

/** Rungs of a demand, at most. */
export const MOST_RUNGS = 4;
/** How much better than the next smaller rung one must be to be worth its bytes. */
const BETTER = 1.2;
/** No side of a picture is smaller. */
const SMALLEST = 16;

/**
 * What a picture is to be encoded for: `quality` 0 is the camera's own, `size` is `any`, `full` or `WIDTHxHEIGHT`.
 * @typedef {{bytes: number, quality: number, size: string}} Rung
 * @typedef {{width: number, height: number}} Size
 * @typedef {(Rung | null)[]} Supply
 * @typedef {{place: number, rung: Rung, bytes: number, size: Size, encoding: import("./camera-fit.js").Encoding, again: boolean}} Step
 * @typedef {{size: Size, rungs: Rung[], shares: number[], order: number[], next: number, own: number, pinned: number, supply: Supply}} Plan
 */

/** The camera's own quality at its full size, whatever the link carries. @type {Rung} */
export const FULL = { bytes: Infinity, quality: 0, size: "full" };

/** @param {Rung} rung */
const isOwn = ({ bytes, quality, size }) => bytes === Infinity && quality === 0 && size === "any";
/** @param {Rung} rung */
const isPinned = ({ bytes, quality, size }) => bytes === Infinity && quality === 0 && size === "full";
/** Whether it is there for viewers who want it so and not otherwise. @param {Rung} rung */
const insists = ({ quality, size }) => quality !== 0 || (size !== "any" && size !== "full");

/** A `WIDTHxHEIGHT`; null for anything else. @param {string} text @returns {Size | null} */
function readSize(text) {
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(text) ?? [];
  return Number(width) && Number(height) ? { width: Number(width), height: Number(height) } : null;
}

/** The rungs that a hub demands, as far as they make sense. @param {unknown} value @returns {Rung[]} */
export function readRungs(value) {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MOST_RUNGS).map((rung) => {
    const { bytes, quality, size } = Object(rung);
    return {
      bytes: Number.isFinite(bytes) && bytes > 0 ? bytes : Infinity,
      quality: Number.isFinite(quality) ? Math.min(100, Math.max(0, Math.floor(quality))) : 0,
      size: typeof size === "string" && (size === "full" || readSize(size)) ? size : "any",
    };
  });
}

/** What the hub is told that pictures are encoded for. @param {Supply} supply */
export function writeSupply(supply) {
  const end = supply.reduce((last, rung, place) => (rung ? place + 1 : last), 0);
  return supply.slice(0, end).map((rung) => rung && {
    ...(rung.bytes === Infinity ? {} : { bytes: Math.floor(rung.bytes) }),
    ...(rung.quality ? { quality: rung.quality } : {}),
    ...(rung.size === "any" ? {} : { size: rung.size }),
  });
}

/** The size that a rung asks for: the camera's aspect in that room, and never more than its own. @param {Rung} rung @param {Size} own @returns {Size} */
function sizeOf(rung, own) {
  const room = readSize(rung.size);
  if (!room || (own.width <= room.width && own.height <= room.height)) return own;
  const [wide, high] = [own.width * room.height, own.height * room.width];
  // Cameras have 1088 lines where others have 1080.
  if (Math.abs(wide - high) * 100 <= Math.max(wide, high)) return room;
  const side = (/** @type {number} */ n) => Math.max(2, 2 * Math.round(n / 2));
  return wide > high
    ? { width: room.width, height: Math.min(room.height, side((own.height * room.width) / own.width)) }
    : { width: Math.min(room.width, side((own.width * room.height) / own.height)), height: room.height };
}

/** In whole pairs of pixels, since colour is at half the resolution. @param {number} side */
const even = (side) => Math.max(SMALLEST, 2 * Math.floor(side / 2));

/** The size that a picture is encoded at. @param {Step} step @returns {Size} */
export function encodedSize({ size, encoding: { eighths } }) {
  if (eighths === 8) return size;
  return { width: even((size.width * eighths) / 8), height: even((size.height * eighths) / 8) };
}

/**
 * Divides the bytes that an uplink carries in one interval among the rungs: bytes that the pictures of each may have, 0 for one
 * that would be no better than the next smaller and is left out.
 * @param {Rung[]} rungs
 * @param {number[]} sizes  bytes that pictures of each rung have when nothing binds them; 0 unknown
 * @param {number} carries
 */
export function share(rungs, sizes, carries) {
  if (carries === Infinity) return rungs.map((rung) => rung.bytes);
  const shares = rungs.map(() => 0);
  const asks = (/** @type {number} */ at) => Math.min(rungs[at].bytes, sizes[at] || Infinity);
  const left = { carries, smaller: 0 };
  const places = rungs.map((_, at) => at);
  for (let group of [places.filter((at) => !insists(rungs[at])), places.filter((at) => insists(rungs[at]))]) {
    // Without one that is no better, the others have its part.
    for (let worse = 0; (worse = divide(group, rungs, asks, { ...left }, shares)) >= 0;) {
      group = group.filter((at) => at !== worse);
      shares[worse] = 0;
    }
    for (const at of group) {
      const taken = Math.min(shares[at], asks(at));
      // One that is carried whole, in every frame, is a picture for others as well.
      if (rungs[at].size === "any" || taken === asks(at)) left.smaller = Math.max(left.smaller, taken);
      left.carries = Math.max(0, left.carries - taken);
    }
  }
  return shares;
}

/**
 * Divides what is left among a group of rungs. Gives one that would be no better than what there is without it, or -1.
 * @param {number[]} group
 * @param {Rung[]} rungs
 * @param {(at: number) => number} asks
 * @param {{carries: number, smaller: number}} left
 * @param {number[]} shares
 */
function divide(group, rungs, asks, left, shares) {
  const order = [...group].sort((a, b) => asks(a) - asks(b));
  for (const [done, at] of order.entries()) {
    const part = Math.floor(left.carries / (order.length - done));
    const wanted = asks(at);
    // Where the size is pinned, no other rung takes its place.
    const anotherDoes = rungs[at].size === "any" && part < left.smaller * BETTER;
    if (part < wanted && (anotherDoes || part === 0)) return at;
    // Bound by the uplink only if it is; otherwise by its own bytes, which its pictures may yet grow to.
    shares[at] = wanted <= part ? rungs[at].bytes : part;
    if (rungs[at].size === "any") left.smaller = Math.max(left.smaller, Math.min(wanted, part));
    left.carries = Math.max(0, left.carries - Math.min(wanted, part));
  }
  return -1;
}

/** Which rungs a frame is encoded at, in which order, and how. */
export class Ladder {
  #best;
  #least;
  /** @type {Fit[]} */
  #fits;
  /** The size that each fit is for. */
  #sizes = Array.from({ length: MOST_RUNGS }, () => "");
  /** Bytes that pictures of each pinned size may still have; below 0 where they had more than their part. */
  #allowed = Array.from({ length: MOST_RUNGS }, () => 0);
  /** The uplink is so slow that pictures which may be smaller are. */
  #shrunk = false;

  /** @param {number} best  the camera's own quality @param {number} least  the same while a smaller size helps */
  constructor(best, least) {
    this.#best = best;
    this.#least = least;
    this.#fits = Array.from({ length: MOST_RUNGS }, () => new Fit(least));
  }

  /**
   * What is to be encoded of a frame of this size, where the uplink carries so many bytes in the interval.
   * @param {Rung[]} rungs
   * @param {Size} size
   * @param {number} carries
   * @returns {Plan}
   */
  plan(rungs, size, carries) {
    for (const [place, rung] of rungs.entries()) {
      const { width, height } = sizeOf(rung, size);
      // What was learned of one size says little of another.
      if (this.#sizes[place] !== `${width}x${height}`) {
        this.#sizes[place] = `${width}x${height}`;
        this.#fits[place] = new Fit(this.#least);
      }
    }
    const own = rungs.findIndex(isOwn);
    const pinned = rungs.findIndex(isPinned);
    // As long as nothing is shrunk, the pinned size costs nothing beside the other.
    const sizes = rungs.map((rung, place) => (place === pinned && own >= 0 && !this.#shrunk ? 1 : this.#expects(place, rung)));
    const shares = share(rungs, sizes, carries);
    const order = rungs.map((_, place) => place).sort((a, b) => Number(a !== own) - Number(b !== own));
    return { size, rungs, shares, order, next: 0, own, pinned, supply: rungs.map((rung, place) => (shares[place] > 0 ? rung : null)) };
  }

  /** The next rung to encode, or null. @param {Plan} plan @param {number} now @returns {Step | null} */
  next(plan, now) {
    while (plan.next < plan.order.length) {
      const place = plan.order[plan.next++];
      const rung = plan.rungs[place];
      if (!plan.supply[place]) continue;
      const bytes = plan.shares[place];
      const encoding = { quality: this.#best, eighths: 8 };
      /** @type {Step} */
      const step = { place, rung, bytes, size: sizeOf(rung, plan.size), encoding, again: true };
      if (isRationed(step) && !this.#maySend(place, bytes)) continue;
      step.encoding = this.#choose(step, now);
      return step;
    }
    return null;
  }

  /**
   * The picture came out at so many bytes. Whether it is to be encoded once more, because it is far too large.
   * @param {Step} step
   * @param {number} bytes
   * @param {number} now
   */
  again(step, bytes, now) {
    const again = this.#fits[step.place].encoded(step.encoding, bytes, step.bytes) && step.again;
    if (again) {
      step.again = false;
      step.encoding = this.#choose(step, now);
    }
    return again;
  }

  /** The picture of this rung is made. Gives what the frame's pictures are encoded for. @param {Plan} plan @param {Step} step @param {number} bytes */
  done(plan, step, bytes) {
    if (step.place === plan.own) {
      this.#shrunk = step.encoding.eighths < 8;
      if (!this.#shrunk) {
        // One does for both as long as it has its full size.
        if (plan.pinned >= 0) plan.supply[plan.pinned] = null;
        plan.supply[step.place] = FULL;
      }
    }
    if (isRationed(step)) this.#allowed[step.place] -= bytes;
    return plan.supply;
  }

  /** Bytes that all pictures of the frame together would have if nothing but what is demanded bound them. @param {Plan} plan */
  wanted({ rungs, own, pinned }) {
    return rungs.reduce((sum, rung, place) =>
      place === pinned && own >= 0 ? sum : sum + Math.min(this.#expects(place, rung), rung.bytes), 0);
  }

  /** Bytes that a picture in this place would have at the camera's own quality; 0 unknown. @param {number} place */
  expectsAtBest(place) {
    return this.#fits[place].expects(this.#best);
  }

  /** @param {number} place @param {Rung} rung */
  #expects(place, rung) {
    return this.#fits[place].expects(rung.quality || this.#best);
  }

  /** @param {Step} step @param {number} now */
  #choose({ place, rung, bytes }, now) {
    const best = rung.quality || this.#best;
    return rung.size === "any" ? this.#fits[place].choose(bytes, best, now) : this.#fits[place].chooseFull(bytes, best);
  }

  /** Whether a picture larger than its part of the uplink may be sent: as often as all of them together have that part. @param {number} place @param {number} part */
  #maySend(place, part) {
    this.#allowed[place] = Math.min(part, this.#allowed[place] + part);
    return this.#allowed[place] >= 0;
  }
}

/** Somebody insists on its size, and it has a part of the uplink only. @param {Step} step */
const isRationed = ({ bytes, rung }) => bytes !== Infinity && rung.size !== "any";
