// @ts-check
// Seals what this page publishes, as `seal.js` opens it. Times are milliseconds, but for those inside.
import { now } from "./now.js";
import { bigEndian, HEAD, joined, keysOf, nonce, OPUS, PCM, SEALED, secretOf, SOUND_HEAD, SPEECH } from "./seal.js";

/** @typedef {import("./packet.js").Sent} Sent */
/** @typedef {import("./packet.js").SentSound} SentSound */
/** The level of what says nothing of it. */
const UNKNOWN = 127;

/** A number in as few bytes as it has. @param {bigint} number */
const shortest = (number) => bigEndian(number, Math.max(1, Math.ceil(number.toString(16).length / 2)));

/** The header of what is sealed. @param {bigint} kid @param {bigint} ctr */
export function header(kid, ctr) {
  const [kidBytes, ctrBytes] = [kid, ctr].map((number) => (number < 8n ? new Uint8Array(0) : shortest(number)));
  const nibble = (/** @type {bigint} */ number, /** @type {Uint8Array} */ bytes) => (bytes.length ? 8 | (bytes.length - 1) : Number(number));
  return joined(Uint8Array.of((nibble(kid, kidBytes) << 4) | nibble(ctr, ctrBytes)), kidBytes, ctrBytes);
}

/** One track of one start of a publisher: no counter is used twice. */
export class Sealing {
  #keys;
  #instance;
  #next;

  /** @param {import("./seal.js").Secret} secret @param {import("./seal.js").Track} track @param {bigint} instance  64 random bits @param {bigint} [first] */
  constructor(secret, track, instance, first = 0n) {
    this.#instance = instance;
    this.#next = first;
    this.#keys = secret(track, instance).then((base) => keysOf(base, instance));
    this.#keys.catch(() => {});
  }

  /** @param {Uint8Array} beside @param {...Uint8Array} pieces */
  async seal(beside, ...pieces) {
    const ctr = this.#next++;
    const { key, salt } = await this.#keys;
    const head = header(this.#instance, ctr);
    const rule = { name: "AES-GCM", iv: nonce(salt, ctr), additionalData: joined(head, beside) };
    return joined(head, new Uint8Array(await crypto.subtle.encrypt(rule, key, joined(...pieces))));
  }
}

/** The first twelve bytes of everything that is sealed. @param {number} length @param {number} captured  by the page's clock @param {number} sequence */
function begun(length, captured, sequence) {
  const view = new DataView(new ArrayBuffer(length));
  view.setBigUint64(0, BigInt(Math.max(0, Math.round((Date.now() - (now() - captured)) * 1000))), true);
  view.setUint32(8, sequence, true);
  return view;
}

const random = () => crypto.getRandomValues(new BigUint64Array(1))[0];

/** Seals the pictures and the sound of a stream, from one start of its publisher to the end. */
export class Sealer {
  #made;

  /** @param {string} key @param {string} room @param {string} name */
  constructor(key, room, name) {
    this.#made = secretOf(key, room, name).then((secret) => ({
      pictures: new Sealing(secret, "send", random()),
      sound: new Sealing(secret, "sound", random()),
    }));
    this.#made.catch(() => {});
  }

  /** @param {Sent} picture @returns {Promise<Sent>} */
  async picture(picture) {
    const { pictures } = await this.#made;
    const head = begun(HEAD, picture.captured, picture.sequence);
    head.setUint8(12, picture.rung);
    const beside = Uint8Array.of(SEALED, picture.quality, picture.rung);
    return { ...picture, sealed: true, data: await pictures.seal(beside, new Uint8Array(head.buffer), picture.data) };
  }

  /** @param {SentSound} packet @returns {Promise<SentSound>} */
  async sound(packet) {
    const { sound } = await this.#made;
    const head = begun(SOUND_HEAD, packet.captured, packet.sequence);
    head.setUint8(12, packet.codec === "opus" ? OPUS : PCM);
    head.setUint8(13, packet.voice ? SPEECH : 0);
    head.setUint8(14, packet.level);
    const data = await sound.seal(Uint8Array.of(SEALED), new Uint8Array(head.buffer), packet.data);
    return { ...packet, sealed: true, voice: false, level: UNKNOWN, data };
  }
}
