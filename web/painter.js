// @ts-check
import { mayDecode } from "./packet.js";

/**
 * Decodes JPEG pictures and has them shown, one at a time: while one is on its way, only the newest of those that came
 * meanwhile waits. Browsers decode on a thread of their own.
 */
export class Painter {
  #show;
  #shown;
  #broken;
  #busy = false;
  /** @type {import("./packet.js").Picture | null} */
  #next = null;
  #closed = false;
  /** Of the last picture, as `640x480`; empty before the first. */
  size = "";

  /**
   * @param {(bitmap: ImageBitmap) => void | Promise<void>} show  puts a picture on the canvas, and owns it
   * @param {(picture: import("./packet.js").Picture) => void} shown  it is there
   * @param {() => void} broken  a picture could not be decoded
   */
  constructor(show, shown, broken) {
    this.#show = show;
    this.#shown = shown;
    this.#broken = broken;
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
        if (!mayDecode(picture.data)) throw new Error("no picture that may be decoded");
        const bitmap = await createImageBitmap(new Blob([picture.data], { type: "image/jpeg" }));
        this.size = `${bitmap.width}x${bitmap.height}`;
        await this.#show(bitmap);
        this.#shown(picture);
      } catch {
        this.#broken();
      }
    }
    this.#busy = false;
  }

  #take() {
    const next = this.#next;
    this.#next = null;
    return next;
  }
}
