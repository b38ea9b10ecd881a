// @ts-check
// Pictures and sound that are sealed end to end, as `wire::seal` of the native programs has it, where the rules are explained: SFrame
// (RFC 9605, suite 4) by WebCrypto. Times are microseconds unless it is said otherwise.

/** The codec of what is sealed. */
export const SEALED = 2;
/** Bytes of a key. */
const KEY = 16;
/** Characters of a random key. */
const KEY_TEXT = 22;
/** The shortest passphrase. */
const SHORTEST = 12;
const ROUNDS = 600_000;
/** Bytes before the metadata of a picture, and before a packet of sound. */
export const HEAD = 20;
export const SOUND_HEAD = 16;
/** Codecs of sound, as they are inside. */
export const OPUS = 1;
export const PCM = 3;
export const SPEECH = 4;
const MAX_METADATA = 64 * 1024;
/** Publishers that are remembered. */
const INSTANCES = 64;

/** @typedef {{kid: bigint, ctr: bigint, length: number}} Header */
/** @typedef {{key: CryptoKey, salt: Uint8Array<ArrayBuffer>}} Keys */
/** @typedef {"send" | "sound"} Track  pictures, or sound: one does not open as the other */
/** @typedef {(track: Track, instance: bigint) => Promise<Uint8Array<ArrayBuffer>>} Secret  gives the base key of a publisher */
/** @typedef {{wall: number, sequence: number}} When  by the publisher */

/** Why something is not shown, or not heard. `closed`: it needs another key; `bare`: it has no seal. */
export class SealError extends Error {
  /** @param {"bare" | "closed" | "repeated" | "malformed" | "key" | "locked"} why @param {string} words */
  constructor(why, words) {
    super(words);
    this.why = why;
  }
}

const text = new TextEncoder();

/** @param {bigint} number @param {number} length */
export function bigEndian(number, length) {
  const bytes = new Uint8Array(length);
  for (let at = length - 1; at >= 0; at--, number >>= 8n) bytes[at] = Number(number & 0xffn);
  return bytes;
}

/** The header of what is sealed; null where it is cut off. @param {Uint8Array} bytes @returns {Header | null} */
export function readHeader(bytes) {
  const config = bytes[0];
  if (config === undefined) return null;
  let length = 1;
  /** @param {number} nibble */
  const number = (nibble) => {
    if (!(nibble & 8)) return BigInt(nibble);
    let value = 0n;
    for (const end = length + (nibble & 7) + 1; length < end; length++) value = (value << 8n) | BigInt(bytes[length] ?? 0);
    return value;
  };
  const [kid, ctr] = [number(config >> 4), number(config & 15)];
  return length <= bytes.length ? { kid, ctr, length } : null;
}

/**
 * HKDF with SHA-256.
 * @param {Uint8Array<ArrayBuffer>} salt
 * @param {Uint8Array<ArrayBuffer>} secret
 * @param {Uint8Array<ArrayBuffer>} info
 * @param {number} length
 */
async function derive(salt, secret, info, length) {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info }, key, 8 * length));
}

/** @param {...Uint8Array} pieces */
export function joined(...pieces) {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** The keys of one sender. @param {Uint8Array<ArrayBuffer>} baseKey @param {bigint} kid @returns {Promise<Keys>} */
export async function keysOf(baseKey, kid) {
  const number = joined(bigEndian(kid, 8), bigEndian(4n, 2));
  const none = new Uint8Array(0);
  const bytes = await derive(none, baseKey, joined(text.encode("SFrame 1.0 Secret key "), number), KEY);
  const salt = await derive(none, baseKey, joined(text.encode("SFrame 1.0 Secret salt "), number), 12);
  return { key: await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]), salt };
}

/** @param {Keys["salt"]} salt @param {bigint} ctr */
export function nonce(salt, ctr) {
  const iv = bigEndian(ctr, 12);
  for (let at = 0; at < 12; at++) iv[at] = (iv[at] ?? 0) ^ (salt[at] ?? 0);
  return iv;
}

/**
 * Opens what was sealed; null where it was sealed by another key, with something else beside it, or was changed.
 * @param {Keys} keys
 * @param {Header} header
 * @param {Uint8Array} beside
 * @param {Uint8Array<ArrayBuffer>} sealed
 */
export async function openBytes({ key, salt }, { ctr, length }, beside, sealed) {
  const iv = nonce(salt, ctr);
  const additionalData = joined(sealed.subarray(0, length), beside);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, sealed.subarray(length)));
  } catch {
    return null;
  }
}

/**
 * A key as it is in a link or typed: 22 characters that stand for 16 bytes are these, everything else is a passphrase.
 * @param {string} given
 * @returns {{random: Uint8Array<ArrayBuffer>} | {passphrase: string}}
 */
export function readKey(given) {
  const key = given.trim().replace(/^key=/, "");
  if (key.length === KEY_TEXT && /^[\w-]{21}[AQgw]$/.test(key)) {
    const binary = atob(key.replaceAll("-", "+").replaceAll("_", "/"));
    return { random: Uint8Array.from(binary, (c) => c.charCodeAt(0)) };
  }
  if ([...key].length < SHORTEST) {
    throw new SealError("key", `the key is too short: it has ${KEY_TEXT} characters, a passphrase ${SHORTEST} or more`);
  }
  return { passphrase: key };
}

/** The secret of one stream. @param {string} given @param {string} room @param {string} name @returns {Promise<Secret>} */
export async function secretOf(given, room, name) {
  const key = readKey(given);
  const salt = text.encode(`streamflow 1|${room}|${name}`);
  if (!globalThis.crypto?.subtle) {
    throw new SealError("locked", "this browser opens encrypted streams only on a page that comes by https");
  }
  let shared;
  if ("random" in key) {
    shared = key.random;
  } else {
    const words = await crypto.subtle.importKey("raw", text.encode(key.passphrase), "PBKDF2", false, ["deriveBits"]);
    const rule = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS };
    shared = new Uint8Array(await crypto.subtle.deriveBits(rule, words, 8 * KEY));
  }
  return (track, instance) => derive(salt, shared, joined(text.encode(track), bigEndian(instance, 8)), KEY);
}

/** The starts of a stream's publishers: everything of them opens once, and nothing of before another start goes unnoticed. */
class Instances {
  #secret;
  #track;
  #noun;
  /** @type {Map<bigint, {keys: Keys, ctr: bigint, latest: number}>} */
  #known = new Map();
  /** Of a publisher that was not seen nothing is from before this time. */
  #floor = 0;

  /** @param {Secret} secret @param {Track} track @param {string} noun  what is opened */
  constructor(secret, track, noun) {
    this.#secret = secret;
    this.#track = track;
    this.#noun = noun;
  }

  /** @param {SealError["why"]} why @param {string} words */
  error(why, words) {
    return new SealError(why, `${this.#noun} ${words}`);
  }

  /** It has no seal. */
  bare() {
    return this.error("bare", "is not encrypted end to end, and with a key nothing else is wanted");
  }

  /**
   * Opens a payload. To be called for one after the other.
   * @template {When} T
   * @param {Uint8Array<ArrayBuffer>} payload
   * @param {Uint8Array} beside
   * @param {(inside: Uint8Array<ArrayBuffer>) => T | null} read  null: it makes no sense
   * @returns {Promise<T & {behind: number}>}
   */
  async open(payload, beside, read) {
    const header = readHeader(payload);
    const closed = () => this.error("closed", "does not open with this key: the key is another, or it was changed on its way");
    const repeated = () => this.error("repeated", "came again, or is from before what was seen: somebody repeats what was sent");
    if (!header) throw closed();
    const { kid, ctr } = header;
    const known = this.#known.get(kid);
    if (known && known.ctr >= ctr) throw repeated();
    const keys = known?.keys ?? (await keysOf(await this.#secret(this.#track, kid), kid));
    const inside = await openBytes(keys, header, beside, payload);
    if (!inside) throw closed();
    const found = read(inside);
    if (!found) throw this.error("malformed", "holds what this version does not know");
    if (!known && found.wall <= this.#floor) throw repeated();
    let others = 0;
    for (const [other, { latest }] of this.#known) if (other !== kid) others = Math.max(others, latest);
    this.#remember(kid, { keys, ctr, latest: Math.max(known?.latest ?? 0, found.wall) });
    return { ...found, behind: Math.max(0, others - found.wall) };
  }

  /** @param {bigint} kid @param {{keys: Keys, ctr: bigint, latest: number}} instance */
  #remember(kid, instance) {
    if (!this.#known.has(kid) && this.#known.size === INSTANCES) {
      const oldest = [...this.#known].reduce((a, b) => (b[1].latest < a[1].latest ? b : a));
      this.#known.delete(oldest[0]);
      this.#floor = Math.max(this.#floor, oldest[1].latest);
    }
    this.#known.set(kid, instance);
  }
}

/** Opens the pictures of one stream, each once, and never one from before another of the same publisher. */
export class Opener {
  #instances;

  /** @param {Secret} secret */
  constructor(secret) {
    this.#instances = new Instances(secret, "send", "a picture");
  }

  /**
   * Opens a picture in its place. To be called for one after the other.
   * @param {import("./packet.js").Picture} picture
   * @returns {Promise<When & {behind: number}>}
   */
  async open(picture) {
    if (!picture.sealed) throw this.#instances.bare();
    const beside = Uint8Array.of(SEALED, picture.quality, picture.rung);
    const { metadata, jpeg, ...when } = await this.#instances.open(picture.data, beside, (inside) => contents(inside, picture.rung));
    picture.metadata = metadata;
    picture.data = jpeg;
    picture.sealed = false;
    return when;
  }
}

/** Opens the sound of one stream in the same way. */
export class SoundOpener {
  #instances;

  /** @param {Secret} secret */
  constructor(secret) {
    this.#instances = new Instances(secret, "sound", "sound");
  }

  /** @param {import("./packet.js").Sound} sound @returns {Promise<When & {behind: number}>} */
  async open(sound) {
    if (!sound.sealed) throw this.#instances.bare();
    const { packet, ...when } = await this.#instances.open(sound.data, Uint8Array.of(SEALED), spoken);
    Object.assign(sound, packet, { sealed: false });
    return when;
  }
}

/** The first twelve bytes of everything that is sealed. @param {DataView} view @returns {When} */
const whenOf = (view) => ({ wall: Number(view.getBigUint64(0, true)), sequence: view.getUint32(8, true) });

/** What is inside a packet of sound; null where it makes no sense. @param {Uint8Array<ArrayBuffer>} inside */
function spoken(inside) {
  if (inside.length <= SOUND_HEAD) return null;
  const view = new DataView(inside.buffer, inside.byteOffset, inside.length);
  const number = view.getUint8(12);
  if (number !== OPUS && number !== PCM) return null;
  const codec = /** @type {"opus" | "pcm"} */ (number === OPUS ? "opus" : "pcm");
  const voice = (view.getUint8(13) & SPEECH) !== 0;
  return { ...whenOf(view), packet: { codec, voice, level: Math.min(127, view.getUint8(14)), data: inside.subarray(SOUND_HEAD) } };
}

/** What is inside a picture; null where it makes no sense. @param {Uint8Array<ArrayBuffer>} inside @param {number} rung */
function contents(inside, rung) {
  if (inside.length < HEAD + 2) return null;
  const view = new DataView(inside.buffer, inside.byteOffset, inside.length);
  const length = view.getUint32(16, true);
  const jpeg = HEAD + length;
  if (length > MAX_METADATA || view.getUint8(12) !== rung || inside[jpeg] !== 0xff || inside[jpeg + 1] !== 0xd8) return null;
  return {
    ...whenOf(view),
    metadata: length ? new TextDecoder().decode(inside.subarray(HEAD, jpeg)) : "",
    jpeg: inside.subarray(jpeg),
  };
}

/** Times that differ by so little fit. */
const FIT = 250_000;
/** For so long they must have differed before it is said, in milliseconds. */
const LASTS = 1000;

/** Compares the hub's times with those inside, as `wire::seal::Times` does. */
export class Times {
  /** @type {{since: number, by: number} | null} */
  #apart = null;

  /** @param {number} inside @param {number} outside @param {number} behind @param {number} now  milliseconds */
  compare(inside, outside, behind, now) {
    const differ = outside - inside;
    const isBehind = behind > FIT && behind > Math.abs(differ);
    if (!isBehind && Math.abs(differ) <= FIT) this.#apart = null;
    else this.#apart = { since: this.#apart?.since ?? now, by: isBehind ? behind : differ };
  }

  /** By how many milliseconds pictures are older than the hub says, once they have been for a second; null: they fit. @param {number} now */
  apart(now) {
    return this.#apart && now - this.#apart.since >= LASTS ? this.#apart.by / 1000 : null;
  }
}
