// @ts-check

/** Work that takes time, done one after the other, in the order in which it came. */
export class InOrder {
  #most;
  #last = Promise.resolve();
  #waiting = 0;
  /** What failed, or came while too much waited. */
  left = 0;

  /** @param {number} most  that may wait: what comes beyond is left out */
  constructor(most) {
    this.#most = most;
  }

  /** @param {() => Promise<void>} work */
  add(work) {
    if (this.#waiting >= this.#most) {
      this.left++;
      return;
    }
    this.#waiting++;
    this.#last = this.#last.then(work).catch(() => void this.left++).then(() => void this.#waiting--);
  }
}
