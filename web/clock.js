// @ts-check

/** How many answers are remembered. */
const WINDOW = 12;
/** With fewer the offset is only an estimate. */
const SURE_AFTER = 3;

/** How far the hub's clock is ahead of ours, taken from the fastest of the last round trips. */
export class Clock {
  /** @type {{trip: number, offset: number}[]} */
  #answers = [];

  /**
   * An answer came: the ping left at `sent`, the hub's clock said `theirs`. All in milliseconds.
   * @param {number} sent
   * @param {number} theirs
   * @param {number} received
   */
  answer(sent, theirs, received) {
    const trip = received - sent;
    if (trip < 0) return;
    if (this.#answers.length === WINDOW) this.#answers.shift();
    this.#answers.push({ trip, offset: theirs - (sent + trip / 2) });
  }

  get #best() {
    return this.#answers.reduce((best, a) => (best && best.trip <= a.trip ? best : a), this.#answers[0]);
  }

  /** Whether the offset is more than an estimate. */
  get sure() {
    return this.#answers.length >= SURE_AFTER;
  }

  /**
   * A time of ours on the hub's clock; null before the first answer.
   * @param {number} ours
   */
  hub(ours) {
    const best = this.#best;
    return best ? ours + best.offset : null;
  }
}
