// @ts-check
// Opens what is sealed of one stream, with the key that was given for it. Times are milliseconds.
import { InOrder } from "./in-order.js";
import { now } from "./now.js";
import { Opener, SealError, secretOf, SoundOpener, Times } from "./seal.js";
import { NEEDS_KEY } from "./words.js";

/** Packets of sound that may wait to be opened: 200 ms, as everywhere. */
const MOST_WAITING = 10;

export class Unlock {
  #room;
  #name;
  key;
  /** What opens, made when something comes. @type {Promise<{pictures: Opener, sound: SoundOpener}> | null} */
  #opener = null;
  #sound = new InOrder(MOST_WAITING);
  /** A picture was opened with this key. */
  hasOpened = false;
  /** A key is to be asked for. */
  isLocked = false;
  /** Whether the hub's times fit those inside. */
  times = new Times();

  /** @param {string} room @param {string} name @param {string} key  empty: none; else nothing is taken that has no seal */
  constructor(room, name, key) {
    this.#room = room;
    this.#name = name;
    this.key = key;
  }

  get #openers() {
    const secret = () => secretOf(this.key, this.#room, this.#name);
    return (this.#opener ??= secret().then((of) => ({ pictures: new Opener(of), sound: new SoundOpener(of) })));
  }

  /**
   * Opens a picture in its place, where it is sealed.
   * @param {import("./packet.js").Picture} picture
   * @param {() => number | null} captured  when, by the hub's word
   */
  async picture(picture, captured) {
    if (!this.key) {
      this.isLocked = picture.sealed;
      if (picture.sealed) throw new SealError("locked", NEEDS_KEY);
      return;
    }
    try {
      const { wall, behind } = await (await this.#openers).pictures.open(picture);
      this.hasOpened = true;
      this.isLocked = false;
      const at = now();
      this.times.compare(wall, (Date.now() - (at - (captured() ?? at))) * 1000, behind, at);
    } catch (error) {
      const asks = error instanceof SealError && ["closed", "key"].includes(error.why);
      if (asks && !this.hasOpened) this.isLocked = true;
      throw error;
    }
  }

  /** Gives sound on, opened where it is sealed, in its order. @param {import("./packet.js").Sound} sound @param {() => void} hear */
  sound(sound, hear) {
    if (this.key) {
      this.#sound.add(async () => {
        await (await this.#openers).sound.open(sound);
        hear();
      });
    } else if (!sound.sealed) {
      hear();
    }
  }
}
