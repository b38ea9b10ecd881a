// @ts-check

/** Work that takes time, done one after the other, in the order in which it came. Where too much waits the oldest is left out. */
export class InOrder {
  #most;
  /** @type {(() => Promise<void>)[]} */
  #waiting = [];
  #isBusy = false;
  /** How much was left out, or failed. */
  left = 0;

  /** @param {number} most  that may wait */
  constructor(most) {
    this.#most = most;
  }

  /** @param {() => Promise<void>} work */
  add(work) {
    this.#waiting.push(work);
    if (this.#waiting.length > this.#most) {
      this.#waiting.shift();
      this.left++;
    }
    if (!this.#isBusy) void this.#run();
  }

  /** What waits is not wanted any more. */
  clear() {
    this.#waiting = [];
  }

  async #run() {
    this.#isBusy = true;
    for (let work; (work = this.#waiting.shift()); ) await work().catch(() => void this.left++);
    this.#isBusy = false;
  }
}
