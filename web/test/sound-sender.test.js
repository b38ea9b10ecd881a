// What the page sends of its microphone, with a microphone, an encoder and a socket that are none.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { CameraLink } from "../camera-link.js";
import { read, write, writeSound } from "../packet.js";
import { samplesOf } from "../sound-ear.js";
import { pcm } from "../sound-encoder.js";
import { SoundQueue } from "../sound-queue.js";
import { levelOf, SoundSender } from "../sound-sender.js";

const RATE = 48_000;
const settle = () => new Promise((resolve) => setImmediate(resolve));
const of = (sound) => ({ codec: "opus", sequence: 1, captured: 1, estimated: false, arrival: false, voice: false, level: 0,
  spans: { capture: 0, encode: 0 }, data: new Uint8Array(80), ...sound });

test("a packet of sound is read as it was written, and what is none is left out", () => {
  const sound = of({ codec: "pcm", sequence: 0xfffffffe, captured: 1234.5, estimated: true, arrival: true, voice: true, level: 42,
    spans: { capture: 32, encode: 1.6 }, data: new Uint8Array([1, 2, 3]) });
  const told = read(writeSound(sound).buffer);
  assert.deepEqual({ ...told, data: [...told.data] }, { ...sound, kind: "audio", sealed: false, data: [1, 2, 3], spans: { capture: 32, encode: 1.6, uplink: 0, hub: 0 } });
  const { estimated, voice } = read(writeSound(of({ estimated: true })).buffer);
  assert.deepEqual([estimated, voice], [true, false]);
  assert.equal(read(writeSound(of({ sealed: true, data: new Uint8Array(9) })).buffer).sealed, true);
  for (const [data, codec] of [[new Uint8Array(0), 1], [new Uint8Array(4097), 1], [new Uint8Array(4097), 2], [new Uint8Array(9), 9]]) {
    const packet = writeSound(of({ data }));
    packet[4] = codec;
    assert.equal(read(packet.buffer), null, `${data.length} bytes of codec ${codec}`);
  }
  assert.deepEqual([...samplesOf(pcm(new Float32Array([0, 0.5, -1, 3])))].map((value) => value.toFixed(2)), ["0.00", "0.50", "-1.00", "1.00"]);
});

test("the level is decibels below the loudest there is", () => {
  const at = (value) => levelOf(new Float32Array(960).fill(value));
  assert.deepEqual([at(1), at(0.1), at(1e-9), at(0)], [0, 20, 127, 127]);
});

test("what waits longer than 200 ms is left out, the oldest first, and counted; the rest goes in its order", () => {
  const queue = new SoundQueue();
  const packet = (n) => new Uint8Array([n]);
  for (let n = 0; n < 50; n++) queue.add(packet(n), n * 20);
  assert.equal(queue.next(980, 5000), null, "no room");
  const sent = [];
  for (let next; (next = queue.next(985, 0)); ) sent.push(next[0]);
  assert.deepEqual(sent, [40, 41, 42, 43, 44, 45, 46, 47, 48, 49]);
  assert.deepEqual([queue.dropped, queue.waits], [40, false]);
});

let sender, link, encoder, given, told, microphone;

beforeEach(() => {
  [given, told] = [[], []];
  link = { listens: true, passesSound: true, dropped: 0, forgot: 0, giveSound: (sound) => given.push(sound), tellSound: (audio) => told.push(audio),
    forgetSound: () => link.forgot++ };
  encoder = { made: 0, open: 0 };
  const make = async (give) => {
    encoder.open++;
    return { codec: "opus", encode: (samples, about) => (encoder.made++, give(Uint8Array.of(samples.length & 255, 1, 2), about), true), close: () => encoder.open-- };
  };
  sender = new SoundSender({ link, make });
  microphone = { asked: [], closed: false, postMessage: (order) => microphone.asked.push(order), close: () => (microphone.closed = true) };
});

afterEach(() => sender.close());

/** The microphone hears so many blocks. */
function hear(blocks, { loud = 0.1, rate = RATE, from = 0, to = microphone } = {}) {
  const size = rate / 50;
  for (let n = from; n < from + blocks; n++) to.onmessage({ data: { samples: new Float32Array(size).fill(loud), frame: n * size, rate } });
}

test("while nobody listens the microphone gives nothing and nothing is encoded", async () => {
  link.listens = false;
  sender.take(microphone, 10);
  await settle();
  hear(5);
  assert.deepEqual([encoder.made, encoder.open, microphone.asked.filter(({ wanted }) => wanted).length], [0, 0, 0]);
  link.listens = true;
  sender.demanded();
  await settle();
  hear(5);
  assert.deepEqual([encoder.made, given.length, microphone.asked.at(-1)], [5, 5, { wanted: true }]);
  link.listens = false;
  sender.demanded();
  hear(5);
  assert.deepEqual([encoder.made, encoder.open, microphone.asked.at(-1)], [5, 0, { wanted: false }]);
});

test("packets are numbered one after the other, with when their first sample was taken and how loud they are", async () => {
  sender.take(microphone, 10);
  await settle();
  const before = performance.now();
  hear(10, { rate: 44_100 });
  hear(1, { rate: RATE, from: 100 });
  assert.ok(given.length >= 10);
  assert.deepEqual(given.map(({ sequence }) => sequence), given.map((_, n) => n + 1));
  assert.ok(given.every(({ level, codec }) => codec === "opus" && level <= 21));
  assert.ok(given[0].captured <= before - 20 - 10 + 1, "it was taken before it came, by its length and what the microphone takes");
  assert.ok(given.every(({ estimated }) => estimated), "browsers do not say when sound was taken");
});

test("who is muted is silent at once, with all that was on its way, and others are told", async () => {
  sender.take(microphone, 10);
  sender.speaks(true);
  await settle();
  hear(3);
  sender.take(null, 0);
  hear(3);
  assert.deepEqual([given.length, link.forgot, microphone.closed, encoder.open], [3, 1, true, 0]);
  assert.deepEqual(told, [{ muted: true, speaking: false }, { muted: false, speaking: false }, { muted: false, speaking: true }, { muted: true, speaking: false }]);
});

test("in a pause nothing is sent, and numbers go on as if there were none", async (t) => {
  let at = 1000;
  t.mock.method(performance, "now", () => at);
  sender.take(microphone, 10);
  await settle();
  for (let n = 0; n < 100; n++, at += 20) hear(1, { from: n, loud: n < 10 || n >= 80 ? 0.1 : 0.001 });
  const captured = given.map((sound) => Math.round(sound.captured));
  const gaps = captured.slice(1).map((one, n) => one - captured[n]).filter((gap) => gap > 21);
  assert.deepEqual(gaps.length, 1);
  assert.ok(gaps[0] > 900 && gaps[0] < 1100, `${gaps}`);
  assert.deepEqual(given.map(({ sequence }) => sequence), given.map((_, n) => n + 1));
});

test("sound goes only to a hub that passes it on, while somebody listens, before the next picture", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const sockets = [];
  globalThis.WebSocket = class {
    static OPEN = 1;
    readyState = 1;
    bufferedAmount = 0;
    sent = [];
    constructor() {
      sockets.push(this);
    }
    send(packet) {
      this.sent.push(read(packet.slice().buffer));
    }
    close() {}
  };
  let demanded = 0;
  const link = new CameraLink({ url: "ws://hub/ws", room: "r", name: "ann", sound: true, changed() {}, demanded: () => demanded++, free() {} });
  t.after(() => link.close());
  const [socket] = sockets;
  const hears = (control) => socket.onmessage({ data: write(control).buffer });
  const kinds = () => socket.sent.map((packet) => packet.control?.type ?? packet.kind);
  socket.onopen();
  assert.deepEqual(socket.sent[0].control.can, ["rungs", "audio"]);
  link.tell({ live: false, reason: "video off" });
  link.tellSound({ muted: false, speaking: true });
  hears({ type: "welcome", can: ["seal"] });
  hears({ type: "demand", viewers: 1, rungs: [], audio: true });
  link.giveSound(of({}));
  assert.ok(!link.listens && !kinds().includes("audio"), "this one does not pass it on");
  socket.onclose({ code: 1006, reason: "" });
  t.mock.timers.tick(5000);
  const again = sockets.at(-1);
  again.onopen();
  const tells = (control) => again.onmessage({ data: write(control).buffer });
  tells({ type: "welcome", can: ["seal", "audio"] });
  assert.deepEqual(again.sent.filter(({ control }) => control?.type === "state").map(({ control }) => [control.live, control.reason, control.audio]),
    [[false, "video off", { muted: false, speaking: true }]]);
  link.giveSound(of({}));
  assert.equal(again.sent.filter(({ kind }) => kind === "audio").length, 0, "nobody listens");
  tells({ type: "demand", viewers: 0, rungs: [], audio: true });
  assert.ok(link.listens && demanded > 0);
  again.bufferedAmount = 50_000;
  for (let sequence = 0; sequence < 3; sequence++) link.giveSound(of({ sequence }));
  assert.ok(link.ask(33) > 0, "no picture goes before it");
  assert.equal(again.sent.filter(({ kind }) => kind === "audio").length, 0);
  again.bufferedAmount = 0;
  t.mock.timers.tick(10);
  assert.deepEqual(again.sent.filter(({ kind }) => kind === "audio").map(({ sequence }) => sequence), [0, 1, 2]);
  tells({ type: "demand", viewers: 1, rungs: [], audio: false });
  link.giveSound(of({ sequence: 9 }));
  assert.equal(again.sent.filter(({ kind }) => kind === "audio").length, 3);
});
