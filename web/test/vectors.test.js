// The rules of the page on the vectors of the protocol, which the native programs are held to as well.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Backoff } from "../backoff.js";
import { Clock } from "../clock.js";
import { limit } from "../limit.js";
import { metadataLines } from "../metadata.js";
import { read } from "../packet.js";

/** @param {string} name */
const file = (name) => readFileSync(new URL(`../../docs/vectors/${name}`, import.meta.url), "utf8");
/** @param {string} name */
const cases = (name) => JSON.parse(file(`${name}.json`)).cases;

/** A packet, without the eight bytes of its length that it has on plain TCP. @param {string} name */
function packet(name) {
  const lines = file(`${name}.hex`).split("\n").filter((line) => !line.startsWith("#"));
  const bytes = lines.join(" ").trim().split(/\s+/).map((byte) => parseInt(byte, 16));
  return read(Uint8Array.from(bytes.slice(8)).buffer);
}

test("a picture is read as every program reads it", () => {
  const picture = packet("picture");
  assert.equal(picture.kind, "picture");
  assert.deepEqual([picture.sequence, picture.quality, picture.rung, picture.estimated], [0x11223344, 80, 2, true]);
  assert.equal(picture.captured, Number(0x0102030405060708n) / 1000);
  assert.deepEqual(picture.spans, { capture: 0.016, encode: 0.032, uplink: 0.048, hub: 65535 * 0.016 });
  assert.equal(picture.metadata, '{"place":"door"}');
  assert.deepEqual([...picture.data], [0xff, 0xd8, 0xff, 0xd9]);
});

test("sound is read as every program reads it", () => {
  const { data, captured, spans, ...sound } = packet("audio");
  assert.deepEqual(sound, { kind: "audio", codec: "opus", sealed: false, sequence: 0x11223344, estimated: true, arrival: false, voice: true, level: 30 });
  assert.equal(captured, Number(0x0102030405060708n) / 1000);
  assert.deepEqual(spans, { capture: 0.016, encode: 0.032, uplink: 0.048, hub: 0.064 });
  assert.deepEqual([...data], [0x78, 0x0b, 0xe4]);
});

test("a control packet is read, and what a later version brings is left out", () => {
  assert.deepEqual(packet("ping"), { kind: "control", control: { type: "ping", time: 1_000_000 } });
  assert.deepEqual(packet("skip-codec"), { kind: "skipped", sequence: 7 }, "and acknowledged");
  for (const name of ["skip-kind", "refuse-version", "refuse-short", "bare"]) assert.equal(packet(name), null, name);
});

test("the waits between tries are those of the protocol", () => {
  for (const { local, chance, waits_ms: waits } of cases("backoff")) {
    const backoff = new Backoff();
    assert.deepEqual(waits.map(() => backoff.next(chance, local)), waits);
    assert.equal(backoff.tries, waits.length);
    backoff.succeeded();
    assert.deepEqual([backoff.tries, backoff.next(chance, local)], [0, 0]);
  }
});

test("what limits the picture is said as every program says it", () => {
  for (const { load, limit: words } of cases("limit")) assert.equal(limit(load), words);
});

test("the metadata of a picture are the lines that every program shows", () => {
  for (const { metadata, lines } of cases("metadata")) assert.deepEqual(metadataLines(metadata), lines, metadata);
});

test("the hub's clock is known as every program knows it", () => {
  for (const { what, answers } of cases("clock")) {
    const clock = new Clock();
    for (const { sent, theirs, received, ahead, error, sure } of answers) {
      clock.answer(sent, theirs, received);
      assert.ok(Math.abs(theirs - clock.ours(theirs) - ahead) < 0.1, `${what} ${theirs - clock.ours(theirs)}`);
      assert.ok(Math.abs(clock.error - error) < 0.1, `${what} ${clock.error}`);
      assert.equal(clock.sure, sure, what);
    }
  }
});
