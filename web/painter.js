// @ts-check
import { now } from "./now.js";
import { mayDecode } from "./packet.js";
import { SealError } from "./seal.js";
import { Smoother } from "./smoothing.js";

/** A picture that takes longer to decode, in milliseconds, is left out. Browsers cannot be told to end it. */
const STUCK = 2000;
/** So many pictures may be decoding for ever; with more nothing is decoded until one ends. */
const MOST_STUCK = 4;

/**
 * Decodes JPEG pictures and has them shown, one at a time: while one is on its way, only the newest of those that came
 * meanwhile waits. Browsers decode on a thread of their own. For even motion more of them wait, each until it is due: as they came, but for
 * one that is decoded when the one before is shown.
 *
 * @typedef {{picture: import("./packet.js").Picture, came: import("./smoothing.js").Came | null}} Offered
 */
export class Painter {
  #show;
  #shown;
  #broken;
  #open;
  #busy = false;
  /** @type {Offered | null} */
  #next = null;
  /** What waits for even motion; null: pictures are shown at once. @type {Smoother<import("./packet.js").Picture> | null} */
  #smoother = null;
  /** Ends a wait, to look again. */
  #look = () => {};
  #closed = false;
  /** Pictures that were left out and are still decoding. */
  #stuck = 0;
  /** Of the last picture, as `640x480`; empty before the first. */
  size = "";

  /**
   * @param {(bitmap: ImageBitmap) => void | Promise<void>} show  puts a picture on the canvas, and owns it
   * @param {(picture: import("./packet.js").Picture, waited: number | null) => void} shown  it is there, and was held back for so long; null: not at all
   * @param {(why: string) => void} broken  a picture could not be decoded
   * @param {(picture: import("./packet.js").Picture) => Promise<void>} [open]  opens a picture in its place where it is sealed
   */
  constructor(show, shown, broken, open = async () => {}) {
    this.#show = show;
    this.#shown = shown;
    this.#broken = broken;
    this.#open = open;
  }

  /** How many pictures wait that should not: 0 or 1. */
  get backlog() {
    return Number(this.#smoother ? this.#smoother.isBehind(now()) : this.#next !== null);
  }

  /** Shows pictures evenly from now on. @param {number} delay  milliseconds; 0: as soon as they are there */
  smooth(delay) {
    if (delay && this.#smoother) this.#smoother.delayBy(delay);
    else if (delay) this.#smoother = new Smoother(delay);
    else if (this.#smoother) [this.#next, this.#smoother] = [this.#smoother.take(Infinity), null];
    this.#look();
  }

  /** What comes from now on comes another way, or from somebody else. */
  anew() {
    this.#smoother?.beginAnew();
  }

  /** @param {import("./packet.js").Picture} picture @param {import("./smoothing.js").Came | null} [came] */
  offer(picture, came = null) {
    if (this.#smoother && came) this.#smoother.put(picture, came);
    else this.#next = { picture, came };
    if (!this.#busy) void this.#paint();
    else this.#look();
  }

  /** Forgets what waits. */
  close() {
    this.#closed = true;
    this.#next = this.#smoother = null;
    this.#look();
  }

  async #paint() {
    this.#busy = true;
    for (let one = this.#take(); one && !this.#closed; one = this.#take()) {
      const { picture, came } = one;
      const before = this.#smoother && came ? now() - came.received : null;
      try {
        await this.#open(picture);
        const bitmap = await this.#decode(picture);
        const waited = before === null || !came ? null : before + (await this.#hold(came));
        this.size = `${bitmap.width}x${bitmap.height}`;
        await this.#show(bitmap);
        this.#shown(picture, waited);
      } catch (error) {
        this.#broken(error instanceof Stuck || error instanceof SealError ? error.message : "pictures cannot be decoded");
      }
    }
    this.#busy = false;
  }

  /** @param {import("./packet.js").Picture} picture @returns {Promise<ImageBitmap>} */
  async #decode({ data }) {
    if (this.#stuck >= MOST_STUCK) throw new Stuck();
    if (!mayDecode(data)) throw new Error("no picture that may be decoded");
    const decoding = createImageBitmap(new Blob([data], { type: "image/jpeg" }));
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    /** @type {Promise<never>} */
    const stuck = new Promise((_, reject) => (timer = setTimeout(() => reject(new Stuck()), STUCK)));
    try {
      return await Promise.race([decoding, stuck]);
    } catch (error) {
      if (error instanceof Stuck) {
        this.#stuck++;
        decoding.then((bitmap) => bitmap.close(), () => {}).finally(() => this.#stuck--);
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until a picture is due; gives for how long. @param {import("./smoothing.js").Came} came */
  async #hold(came) {
    const decoded = now();
    for (let left = 1; left > 0; ) {
      left = this.#smoother?.wait(came, now()) ?? 0;
      if (left > 0) await this.#changes(left);
    }
    return now() - decoded;
  }

  /** Waits so long, or until there is something else to wait for. @param {number} wait */
  async #changes(wait) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    await new Promise((resolve) => {
      timer = setTimeout(resolve, wait);
      this.#look = () => resolve(undefined);
    });
    clearTimeout(timer);
    this.#look = () => {};
  }

  /** @returns {Offered | null} */
  #take() {
    const next = this.#next ?? this.#smoother?.take(now()) ?? null;
    this.#next = null;
    return next;
  }
}

/** A picture takes too long to decode. */
class Stuck extends Error {
  constructor() {
    super(`a picture takes longer than ${STUCK / 1000} s to decode`);
  }
}
