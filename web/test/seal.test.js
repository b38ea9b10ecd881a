// Sealed pictures: the vectors of RFC 9605 and of the protocol, which the native programs are held to as well; and what is
// made of them by somebody in between.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { keysOf, openBytes, Opener, readHeader, readKey, secretOf, SoundOpener, Times } from "../seal.js";
import { header as written, Sealer, Sealing } from "../sealer.js";
import { newKey } from "../keys.js";

/** @param {string} name */
const vectors = (name) => JSON.parse(readFileSync(new URL(`../../docs/vectors/${name}.json`, import.meta.url), "utf8"));
/** @param {string} text */
const bytes = (text) => Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));

test("headers are those of the RFC", () => {
  const { header } = vectors("sframe");
  assert.ok(header.length >= 30);
  for (const { kid, ctr, encoded } of header) {
    const read = readHeader(bytes(encoded));
    assert.deepEqual([String(read.kid), String(read.ctr), read.length], [kid, ctr, encoded.length / 2]);
    assert.equal(readHeader(bytes(encoded).subarray(0, -1)), null);
    assert.deepEqual(written(BigInt(kid), BigInt(ctr)), bytes(encoded));
  }
});

test("what is opened is that of the RFC", async () => {
  const { sframe } = vectors("sframe");
  const sealed = bytes(sframe.ct);
  const keys = await keysOf(bytes(sframe.base_key), BigInt(sframe.kid));
  assert.deepEqual(keys.salt, bytes(sframe.sframe_salt));
  assert.deepEqual(await openBytes(keys, readHeader(sealed), bytes(sframe.metadata), sealed), bytes(sframe.pt));
  assert.equal(await openBytes(keys, readHeader(sealed), bytes("00"), sealed), null);
});

/** A picture as it comes from the hub. */
const sealed = ({ quality, rung, sealed }) => ({ sealed: true, quality, rung, metadata: "", data: bytes(sealed) });
const why = (picture, opener) => opener.open(picture).then(() => "open", (error) => error.why);

test("pictures are opened as every program opens them", async () => {
  const { cases } = vectors("seal");
  assert.ok(cases.length >= 4);
  for (const one of cases) {
    const secret = await secretOf(one.key, one.room, one.name);
    assert.deepEqual(await secret("send", BigInt(one.instance)), bytes(one.base_key), one.what);
    const picture = sealed(one);
    const inside = await new Opener(secret).open(picture);
    assert.deepEqual(inside, { wall: Number(one.wall), sequence: one.sequence, behind: 0 }, one.what);
    assert.deepEqual([picture.metadata, [...picture.data], picture.sealed], [one.metadata, [...bytes(one.jpeg)], false]);
  }
});

test("pictures that were repeated, changed, of another key or without a seal are not shown", async () => {
  const [first, second, passphrase] = vectors("seal").cases;
  const opener = new Opener(await secretOf(first.key, "main", "door"));
  assert.equal(await why(sealed(second), opener), "open");
  for (const one of [first, second]) assert.equal(await why(sealed(one), opener), "repeated");
  const fresh = async () => new Opener(await secretOf(first.key, "main", "door"));
  for (let bit = 0; bit < 8 * (second.sealed.length / 2); bit++) {
    const picture = sealed(second);
    picture.data[bit >> 3] ^= 1 << (bit & 7);
    assert.notEqual(await why(picture, await fresh()), "open", `bit ${bit}`);
  }
  for (const change of [{ quality: 41 }, { rung: 1 }]) {
    assert.equal(await why({ ...sealed(second), ...change }, await fresh()), "closed");
  }
  assert.equal(await why(sealed(passphrase), await fresh()), "closed");
  assert.equal(await why(sealed(first), new Opener(await secretOf(first.key, "main", "gate"))), "closed");
  assert.equal(await why({ ...sealed(first), sealed: false }, await fresh()), "bare");
  assert.equal(await why({ ...sealed(first), data: new Uint8Array(0) }, await fresh()), "closed");
});

test("a key is sixteen random bytes or a passphrase and nothing short", () => {
  for (const given of ["AAECAwQFBgcICQoLDA0ODw", " key=AAECAwQFBgcICQoLDA0ODw\n"]) {
    assert.deepEqual(readKey(given), { random: Uint8Array.from({ length: 16 }, (_, n) => n) });
  }
  // One bit too many, a character too many, one of another alphabet.
  for (const given of ["AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAA/A", "vier grüne Äpfel"]) {
    assert.deepEqual(readKey(given), { passphrase: given });
  }
  for (const given of ["", "hunter2"]) assert.throws(() => readKey(given), { why: "key" });
});

test("times that do not fit are told after a second, and no more when they do", () => {
  const times = new Times();
  times.compare(1e15, 1e15 + 12e6, 0, 0);
  assert.equal(times.apart(900), null);
  times.compare(1e15, 1e15 + 12e6, 0, 1000);
  assert.equal(times.apart(1000), 12_000);
  times.compare(1e15, 1e15 + 2e5, 0, 1033);
  assert.equal(times.apart(9000), null);
  times.compare(1e15, 1e15, 3e6, 9000);
  times.compare(1e15, 1e15 - 1e5, 3e6, 10_100);
  assert.equal(times.apart(10_100), 3000, "of a publisher from before the one that was seen");
});

const heard = ({ sealed }) => ({ sealed: true, codec: "opus", voice: false, level: 127, data: bytes(sealed) });

test("sound is opened, and sealed, as every program does", async () => {
  const { audio } = vectors("seal");
  assert.ok(audio.length >= 2);
  for (const one of audio) {
    const secret = await secretOf(one.key, one.room, one.name);
    assert.deepEqual(await secret("sound", BigInt(one.instance)), bytes(one.base_key), one.what);
    const sound = heard(one);
    const inside = await new SoundOpener(secret).open(sound);
    assert.deepEqual(inside, { wall: Number(one.wall), sequence: one.sequence, behind: 0 }, one.what);
    const { codec, voice, level, data, sealed } = sound;
    assert.deepEqual([codec, voice, level, [...data], sealed], [one.codec === 1 ? "opus" : "pcm", one.speech, one.level, [...bytes(one.packet)], false]);
    const head = new DataView(new ArrayBuffer(16));
    head.setBigUint64(0, BigInt(one.wall), true);
    head.setUint32(8, one.sequence, true);
    [one.codec, one.speech ? 4 : 0, one.level].forEach((byte, at) => head.setUint8(12 + at, byte));
    const sealing = new Sealing(secret, "sound", BigInt(one.instance), BigInt(one.ctr));
    assert.deepEqual(await sealing.seal(Uint8Array.of(2), new Uint8Array(head.buffer), bytes(one.packet)), bytes(one.sealed), one.what);
  }
});

test("what this page seals opens once, with its key, and shows nothing before", async () => {
  const key = newKey();
  assert.equal(readKey(key).random.length, 16);
  const sealer = new Sealer(key, "r", "me");
  const picture = { sequence: 5, captured: performance.now(), quality: 80, rung: 1, data: bytes("ffd8ffd9"), spans: { capture: 0, encode: 0 } };
  const packets = await Promise.all([1, 2, 3].map((sequence) => sealer.sound({ sequence, captured: performance.now(), codec: "opus", voice: true, level: 20, data: bytes("7841ff00") })));
  const sent = await sealer.picture(picture);
  assert.ok(sent.sealed && sent.data.length <= picture.data.length + 53 && !Buffer.from(sent.data).includes(Buffer.from(picture.data)));
  const opener = new Opener(await secretOf(key, "r", "me"));
  const { wall, sequence } = await opener.open({ ...sent, metadata: "" });
  assert.ok(Math.abs(wall / 1000 - Date.now()) < 5000 && sequence === 5);
  assert.equal(await why({ ...sent, data: sent.data.slice() }, opener), "repeated");
  const ears = new SoundOpener(await secretOf(key, "r", "me"));
  for (const packet of packets) {
    assert.deepEqual([packet.voice, packet.level], [false, 127]);
    const { sequence } = await ears.open(packet);
    assert.deepEqual([packet.sequence, packet.voice, packet.level], [sequence, true, 20]);
  }
  assert.equal(await why({ sealed: false, data: bytes("7841") }, ears), "bare");
});
