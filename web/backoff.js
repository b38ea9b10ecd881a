// @ts-check
// The waits between tries to connect, as docs/protocol.md, section 7, has them and `session::Backoff` of the native viewer.

/** The first waits, in milliseconds; the last one goes on, a shorter one for a hub on this machine: that costs nothing. */
const WAITS = [0, 250, 500, 1000, 2000, 4000];
const LOCAL = 1000;

/** How long to wait before each try. */
export class Backoff {
  #tries = 0;

  /**
   * Before the next try, in milliseconds.
   * @param {number} chance  0 to 1, so that a hundred pages do not come back in the same instant
   * @param {boolean} local  the hub is on this machine
   */
  next(chance, local) {
    const wait = WAITS[Math.min(this.#tries++, WAITS.length - 1)];
    return (local ? Math.min(wait, LOCAL) : wait) * (1 - chance / 4);
  }

  /** How often was tried since the last success. */
  get tries() {
    return this.#tries;
  }

  /** The connection held for a while: begin again with no wait. */
  succeeded() {
    this.#tries = 0;
  }
}
