// @ts-check

/**
 * Decodes JPEG pictures and puts them on a canvas, one at a time: while one is being decoded, only the newest of those
 * that came meanwhile waits.
 */
export class Painter {
  #canvas;
  #context;
  #busy = false;
  /** @type {import("./packet.js").Picture | null} */
  #next = null;
  #closed = false;

  /**
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas
   * @param {(picture: import("./packet.js").Picture) => void} shown
   * @param {() => void} broken  a picture could not be decoded
   */
  constructor(canvas, shown, broken) {
    this.#canvas = canvas;
    // Not shown in step with the rest of the page: the picture is on the screen earlier where a browser can do that.
    this.#context = /** @type {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null} */ (
      canvas.getContext("2d", { alpha: false, desynchronized: true })
    );
    this.shown = shown;
    this.broken = broken;
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
        const bitmap = await createImageBitmap(new Blob([picture.data], { type: "image/jpeg" }));
        if (this.#canvas.width !== bitmap.width || this.#canvas.height !== bitmap.height) {
          this.#canvas.width = bitmap.width;
          this.#canvas.height = bitmap.height;
        }
        this.#context?.drawImage(bitmap, 0, 0);
        bitmap.close();
        this.shown(picture);
      } catch {
        this.broken();
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
