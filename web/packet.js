// @ts-check
// Packets of the native protocol, as docs/protocol.md has them.

/** The length of a packet's header, in bytes. */
const HEADER = 32;
const MAGIC = 0x4653;
const VERSION = 1;
const PICTURE = 1;
const CONTROL = 2;
const AUDIO = 3;
const JPEG = 1;
/** A JPEG, or sound, that is sealed end to end. */
const SEALED = 2;
/** Codecs of sound. */
const OPUS = 1;
const PCM = 3;
/** The most bytes of a packet of sound. */
const MAX_AUDIO = 4096;
/** What one unit of a span is, in milliseconds. */
const SPAN_UNIT = 0.016;

/**
 * @typedef {object} Picture
 * @property {"picture"} kind
 * @property {number} sequence
 * @property {number} captured  in the hub's clock, milliseconds
 * @property {boolean} estimated
 * @property {boolean} arrival  nobody knows when it was taken: `captured` is when it arrived at the first who saw it
 * @property {number} quality  0: unknown
 * @property {number} rung
 * @property {{capture: number, encode: number, uplink: number, hub: number}} spans  milliseconds
 * @property {string} metadata  JSON, or empty
 * @property {boolean} sealed  it has to be opened first
 * @property {Uint8Array<ArrayBuffer>} data  the JPEG
 */

/**
 * 20 ms of sound.
 * @typedef {object} Sound
 * @property {"audio"} kind
 * @property {"opus" | "pcm"} codec
 * @property {number} sequence  of those that were sent: a gap is a loss, and a pause alone is silence
 * @property {number} captured  its first sample, in the hub's clock, milliseconds
 * @property {boolean} estimated
 * @property {boolean} arrival  as of a picture
 * @property {boolean} voice  the publisher takes it for speech
 * @property {number} level  decibels below the loudest there is, 0 to 127
 * @property {boolean} sealed  it has to be opened first: codec, voice and level are inside
 * @property {Picture["spans"]} spans
 * @property {Uint8Array<ArrayBuffer>} data
 */

/**
 * A control message: an object with a `type`, and more that depends on it.
 * @typedef {{type: string} & Record<string, unknown>} Control
 */

/**
 * Reads a packet; null if it is none that this page knows.
 * @param {ArrayBuffer} buffer
 * @returns {Picture | Sound | {kind: "control", control: Control} | {kind: "skipped", sequence: number} | null}
 */
export function read(buffer) {
  if (buffer.byteLength < HEADER) return null;
  const view = new DataView(buffer);
  if (view.getUint16(0, true) !== MAGIC || view.getUint8(2) !== VERSION) return null;
  const metadataLength = view.getUint32(28, true);
  const start = HEADER + metadataLength;
  if (start > buffer.byteLength) return null;
  /** @param {number} at */
  const span = (at) => view.getUint16(at, true) * SPAN_UNIT;
  const shared = () => ({
    sequence: view.getUint32(16, true),
    captured: Number(view.getBigUint64(8, true)) / 1000,
    estimated: (view.getUint8(5) & 3) !== 0,
    arrival: (view.getUint8(5) & 2) !== 0,
    spans: { capture: span(20), encode: span(22), uplink: span(24), hub: span(26) },
    data: new Uint8Array(buffer, start),
  });
  switch (view.getUint8(3)) {
    case CONTROL: {
      const control = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, HEADER)), (key, value) =>
        typeof value === "string" && key !== "room" && key !== "name" ? plain(value) : value,
      );
      return { kind: "control", control };
    }
    case PICTURE: {
      // What a later version brings is acknowledged and left out.
      const codec = view.getUint8(4);
      if (codec !== JPEG && codec !== SEALED) return { kind: "skipped", sequence: view.getUint32(16, true) };
      if (start === buffer.byteLength) return null;
      return {
        kind: "picture",
        ...shared(),
        quality: view.getUint8(6),
        rung: view.getUint8(7),
        metadata: metadataLength ? new TextDecoder().decode(new Uint8Array(buffer, HEADER, metadataLength)) : "",
        sealed: codec === SEALED,
      };
    }
    case AUDIO: {
      const codec = view.getUint8(4);
      if (![OPUS, SEALED, PCM].includes(codec) || start === buffer.byteLength || buffer.byteLength - start > MAX_AUDIO) return null;
      return {
        kind: "audio",
        codec: codec === PCM ? "pcm" : "opus",
        sealed: codec === SEALED,
        ...shared(),
        voice: (view.getUint8(5) & 4) !== 0,
        level: Math.min(127, view.getUint8(6)),
      };
    }
    default:
      return null;
  }
}

/**
 * Words of others as they may be shown: one line, no longer than that, without what acts instead of being read, as
 * what turns the direction of writing around.
 * @param {string} text
 * @param {number} [most]  characters
 */
export function plain(text, most = 200) {
  const acts = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/gu;
  const shown = text.slice(0, 2 * most).replace(acts, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
  return shown.length > most ? `${shown.slice(0, most - 1)}…` : shown;
}

/** The most pixels of a picture that the page decodes: 16 Mpx. A browser takes four bytes for each, and more than once. */
const MAX_PIXELS = 16 * 1024 * 1024;

/**
 * Whether a JPEG may be decoded: by its frame header, which is looked for where it belongs and no further.
 * @param {Uint8Array} data
 */
export function mayDecode(data) {
  /** @param {number} at */
  const byte = (at) => data[at] ?? 0;
  /** @param {number} at */
  const number = (at) => (byte(at) << 8) | byte(at + 1);
  if (number(0) !== 0xffd8) return false;
  let at = 2;
  for (let segments = 0; segments < 256; segments++) {
    for (let fill = 0; byte(at) === 0xff && byte(at + 1) === 0xff && fill < 16; fill++) at++;
    const marker = byte(at + 1);
    if (byte(at) !== 0xff || marker < 0xc0 || (marker >= 0xd0 && marker <= 0xda) || marker === 0xff) return false;
    if (marker <= 0xcf && marker !== 0xc4) {
      const pixels = number(at + 5) * number(at + 7);
      return pixels > 0 && pixels <= MAX_PIXELS;
    }
    if (number(at + 2) < 2) return false;
    at += 2 + number(at + 2);
  }
  return false;
}

/**
 * A control packet.
 * @param {Control} control
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function write(control) {
  const text = new TextEncoder().encode(JSON.stringify(control));
  const packet = new Uint8Array(HEADER + text.length);
  const view = new DataView(packet.buffer);
  view.setUint16(0, MAGIC, true);
  view.setUint8(2, VERSION);
  view.setUint8(3, CONTROL);
  packet.set(text, HEADER);
  return packet;
}

/**
 * A picture that leaves this page: what of {@link Picture} its publisher knows. Times are milliseconds of the page's clock.
 * @typedef {Pick<Picture, "sequence" | "captured" | "estimated" | "arrival" | "quality" | "rung" | "data">
 *   & {spans: {capture: number, encode: number}, sealed?: boolean}} Sent
 */

/**
 * A packet that leaves, with what pictures and sound have in common in its header.
 * @param {number} kind
 * @param {{captured: number, estimated: boolean, arrival: boolean, sequence: number, spans: {capture: number, encode: number}, data: Uint8Array}} what
 */
function media(kind, { captured, estimated, arrival, sequence, spans, data }) {
  const packet = new Uint8Array(HEADER + data.length);
  const view = new DataView(packet.buffer);
  const units = (/** @type {number} */ ms) => Math.min(0xffff, Math.max(0, Math.floor(ms / SPAN_UNIT)));
  view.setUint16(0, MAGIC, true);
  view.setUint8(2, VERSION);
  view.setUint8(3, kind);
  view.setUint8(5, (estimated || arrival ? 1 : 0) | (arrival ? 2 : 0));
  view.setBigUint64(8, BigInt(Math.max(0, Math.round(captured * 1000))), true);
  view.setUint32(16, sequence, true);
  view.setUint16(20, units(spans.capture), true);
  view.setUint16(22, units(spans.encode), true);
  packet.set(data, HEADER);
  return { packet, view };
}

/**
 * A picture packet.
 * @param {Sent} picture
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function writePicture(picture) {
  const { packet, view } = media(PICTURE, picture);
  view.setUint8(4, picture.sealed ? SEALED : JPEG);
  view.setUint8(6, picture.quality);
  view.setUint8(7, picture.rung);
  return packet;
}

/**
 * Sound that leaves this page.
 * @typedef {Pick<Sound, "codec" | "sequence" | "captured" | "estimated" | "arrival" | "voice" | "level" | "data">
 *   & {spans: {capture: number, encode: number}, sealed?: boolean}} SentSound
 */

/**
 * A packet of sound.
 * @param {SentSound} sound
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function writeSound(sound) {
  const { packet, view } = media(AUDIO, sound);
  view.setUint8(4, sound.sealed ? SEALED : sound.codec === "opus" ? OPUS : PCM);
  view.setUint8(5, view.getUint8(5) | (sound.voice ? 4 : 0));
  view.setUint8(6, sound.level);
  return packet;
}
