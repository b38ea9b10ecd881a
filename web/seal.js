// @ts-check
// Pictures that are sealed end to end, as `wire::seal` of the native programs has it, where the rules are explained: SFrame
// (RFC 9605, suite 4) by WebCrypto. Times are microseconds unless it is said otherwise.

/** The codec of sealed pictures. */
const SEALED = 2;
/** Bytes of a key. */
const KEY = 16;
/** Characters of a random key. */
const KEY_TEXT = 22;
/** The shortest passphrase. */
const SHORTEST = 12;
const ROUNDS = 600_000;
/** Bytes before the metadata. */
const HEAD = 20;
const MAX_METADATA = 64 * 1024;
/** Publishers that are remembered. */
const INSTANCES = 64;

/** @typedef {{kid: bigint, ctr: bigint, length: number}} Header */
/** @typedef {{key: CryptoKey, salt: Uint8Array<ArrayBuffer>}} Keys */
/** @typedef {(instance: bigint) => Promise<Uint8Array<ArrayBuffer>>} Secret  gives the base key of a publisher */

/** Why a picture is not shown. `closed` and `bare`: no other key would be right for it, or it has no seal. */
export class SealError extends Error {
  /** @param {"bare" | "closed" | "repeated" | "malformed" | "key" | "locked"} why @param {string} words */
  constructor(why, words) {
    super(words);
    this.why = why;
  }
}

const text = new TextEncoder();

/** @param {bigint} number @param {number} length */
function bigEndian(number, length) {
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
function joined(...pieces) {
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
  return { key: await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["decrypt"]), salt };
}

/**
 * Opens what was sealed; null where it was sealed by another key, with something else beside it, or was changed.
 * @param {Keys} keys
 * @param {Header} header
 * @param {Uint8Array} beside
 * @param {Uint8Array<ArrayBuffer>} sealed
 */
export async function openBytes({ key, salt }, { ctr, length }, beside, sealed) {
  const iv = bigEndian(ctr, 12);
  for (let at = 0; at < 12; at++) iv[at] = (iv[at] ?? 0) ^ (salt[at] ?? 0);
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
  return (instance) => derive(salt, shared, joined(text.encode("send"), bigEndian(instance, 8)), KEY);
}

/** Opens the pictures of one stream, each once, and never one from before another of the same publisher. */
export class Opener {
  #secret;
  /** @type {Map<bigint, {keys: Keys, ctr: bigint, latest: number}>} */
  #instances = new Map();
  /** No picture of a publisher that was not seen is from before this time. */
  #floor = 0;

  /** @param {Secret} secret */
  constructor(secret) {
    this.#secret = secret;
  }

  /**
   * Opens a picture in its place. To be called for one after the other.
   * @param {import("./packet.js").Picture} picture
   * @returns {Promise<{wall: number, sequence: number, behind: number}>}
   */
  async open(picture) {
    if (!picture.sealed) {
      throw new SealError("bare", "a picture is not encrypted end to end, and only such ones are wanted with a key");
    }
    const header = readHeader(picture.data);
    const closed = () =>
      new SealError("closed", "a picture does not open with this key: the key is another, or the picture was changed on its way");
    const repeated = () =>
      new SealError("repeated", "a picture came again that had been seen, or one from before it: somebody repeats pictures");
    if (!header) throw closed();
    const { kid, ctr } = header;
    const known = this.#instances.get(kid);
    if (known && known.ctr >= ctr) throw repeated();
    const keys = known?.keys ?? (await keysOf(await this.#secret(kid), kid));
    const beside = Uint8Array.of(SEALED, picture.quality, picture.rung);
    const inside = await openBytes(keys, header, beside, picture.data);
    if (!inside) throw closed();
    const read = contents(inside, picture.rung);
    if (!read) throw new SealError("malformed", "what is inside a sealed picture is no picture of this version");
    if (!known && read.wall <= this.#floor) throw repeated();
    let others = 0;
    for (const [other, { latest }] of this.#instances) if (other !== kid) others = Math.max(others, latest);
    this.#remember(kid, { keys, ctr, latest: Math.max(known?.latest ?? 0, read.wall) });
    picture.metadata = read.metadata;
    picture.data = read.jpeg;
    picture.sealed = false;
    return { wall: read.wall, sequence: read.sequence, behind: Math.max(0, others - read.wall) };
  }

  /** @param {bigint} kid @param {{keys: Keys, ctr: bigint, latest: number}} instance */
  #remember(kid, instance) {
    if (!this.#instances.has(kid) && this.#instances.size === INSTANCES) {
      const oldest = [...this.#instances].reduce((a, b) => (b[1].latest < a[1].latest ? b : a));
      this.#instances.delete(oldest[0]);
      this.#floor = Math.max(this.#floor, oldest[1].latest);
    }
    this.#instances.set(kid, instance);
  }
}

/** What is inside; null where it makes no sense. @param {Uint8Array<ArrayBuffer>} inside @param {number} rung */
function contents(inside, rung) {
  if (inside.length < HEAD + 2) return null;
  const view = new DataView(inside.buffer, inside.byteOffset, inside.length);
  const length = view.getUint32(16, true);
  const jpeg = HEAD + length;
  if (length > MAX_METADATA || view.getUint8(12) !== rung || inside[jpeg] !== 0xff || inside[jpeg + 1] !== 0xd8) return null;
  return {
    wall: Number(view.getBigUint64(0, true)),
    sequence: view.getUint32(8, true),
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
