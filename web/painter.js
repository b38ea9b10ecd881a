// @ts-check
import { mayDecode } from "./packet.js";
import { SealError } from "./seal.js";

/** A picture that takes longer to decode, in milliseconds, is left out. Browsers cannot be told to end it. */
const STUCK = 2000;
/** So many pictures may be decoding for ever; with more nothing is decoded until one ends. */
const MOST_STUCK = 4;

/**
 * Decodes JPEG pictures and has them shown, one at a time: while one is on its way, only the newest of those that came
 * meanwhile waits. Browsers decode on a thread of their own.
 */
export class Painter {
  #show;
  #shown;
  #broken;
  #open;
  #busy = false;
  /** @type {import("./packet.js").Picture | null} */
  #next = null;
  #closed = false;
  /** Pictures that were left out and are still decoding. */
  #stuck = 0;
  /** Of the last picture, as `640x480`; empty before the first. */
  size = "";

  /**
   * @param {(bitmap: ImageBitmap) => void | Promise<void>} show  puts a picture on the canvas, and owns it
   * @param {(picture: import("./packet.js").Picture) => void} shown  it is there
   * @param {(why: string) => void} broken  a picture could not be decoded
   * @param {(picture: import("./packet.js").Picture) => Promise<void>} [open]  opens a picture in its place where it is sealed
   */
  constructor(show, shown, broken, open = async () => {}) {
    this.#show = show;
    this.#shown = shown;
    this.#broken = broken;
    this.#open = open;
  }

  /** How many pictures wait: 0 or 1. */
  get backlog() {
    return this.#next ? 1 : 0;
  }

  /** @param {import("./packet.js").Picture} picture */
  offer(picture) {
    if (this.#busy) this.#next = picture;
    else void this.#paint(picture);
  }

  /** Forgets what waits. */
  close() {
    this.#closed = true;
    this.#next = null;
  }

  /** @param {import("./packet.js").Picture} first */
  async #paint(first) {
    this.#busy = true;
    for (let picture = /** @type {typeof first | null} */ (first); picture && !this.#closed; picture = this.#take()) {
      try {
        await this.#open(picture);
        const bitmap = await this.#decode(picture);
        this.size = `${bitmap.width}x${bitmap.height}`;
        await this.#show(bitmap);
        this.#shown(picture);
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

  #take() {
    const next = this.#next;
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
