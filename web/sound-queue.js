// @ts-check
// Sound that waits for its turn on a connection: all of it goes, in its order, until it is too old. Pure, with the time as an
// argument, in milliseconds.

/** What waited for so long is heard by nobody. */
const MOST = 200;
/** Bytes that the browser itself may hold: what is behind more of them waits here, where the oldest can still be left out. */
const ROOM = 3000;

export class SoundQueue {
  /** @type {{packet: Uint8Array<ArrayBuffer>, at: number}[]} */
  #waiting = [];
  /** Packets that became too old. */
  dropped = 0;

  /** @param {Uint8Array<ArrayBuffer>} packet @param {number} now */
  add(packet, now) {
    this.#waiting.push({ packet, at: now });
    this.#forget(now);
  }

  /** What goes next; null: nothing, or there is no room yet. @param {number} now @param {number} buffered  bytes that the browser holds */
  next(now, buffered) {
    this.#forget(now);
    return (buffered <= ROOM && this.#waiting.shift()?.packet) || null;
  }

  /** Whether something waits. */
  get waits() {
    return this.#waiting.length > 0;
  }

  clear() {
    this.#waiting = [];
  }

  /** @param {number} now */
  #forget(now) {
    while (this.#waiting.length && now - this.#waiting[0].at >= MOST) {
      this.#waiting.shift();
      this.dropped++;
    }
  }
}
