// What a viewer asks for and hears of a stream's sound, with a socket that is none.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { newKey } from "../keys.js";
import { read, write, writePicture, writeSound } from "../packet.js";
import { Sealer } from "../sealer.js";
import { pcm } from "../sound-encoder.js";
import { Viewer } from "../viewer.js";

const settle = () => new Promise((resolve) => setTimeout(resolve, 20));
let sockets, viewer, report;

beforeEach(() => {
  sockets = [];
  globalThis.WebSocket = class {
    static OPEN = 1;
    open = true;
    sent = [];
    constructor() {
      sockets.push(this);
    }
    send(packet) {
      const { control } = read(packet.slice().buffer);
      if (control.type !== "ping") this.sent.push(control);
    }
    close() {
      this.open = false;
    }
    hears(packet) {
      this.onmessage({ data: packet.slice().buffer });
    }
    says(control) {
      this.hears(write(control));
    }
  };
  make();
});

afterEach(() => viewer.close());

function make(key = "") {
  viewer?.close();
  viewer = new Viewer({ url: "ws://hub/ws", room: "r", name: "ann", quality: null, key, show() {}, report: (told) => (report = told) });
}

function letIn(can = ["audio", "seal"]) {
  const socket = sockets.at(-1);
  socket.onopen();
  socket.says({ type: "welcome", can });
  return socket;
}

/** A mixer that keeps what it is given. */
function mixer() {
  const { port1, port2 } = new MessageChannel();
  const given = [];
  port1.onmessage = ({ data }) => given.push(data);
  return { port: port2, given, tell: (numbers) => port1.postMessage(numbers), close: () => port1.close() };
}

const sound = (sequence, more = {}) => writeSound({ codec: "pcm", sequence, captured: 5000 + 20 * sequence, estimated: false, arrival: false, voice: true,
  level: 20, spans: { capture: 0, encode: 0 }, data: pcm(new Float32Array(960).fill(0.5)), ...more });

test("sound is asked for where somebody listens, with the pictures, alone, or not any more", async () => {
  viewer.watch(true);
  const socket = letIn();
  assert.deepEqual([socket.sent[0].audio, socket.sent[0].audio_only], [undefined, undefined]);
  const to = mixer();
  viewer.listen(to.port);
  assert.deepEqual([socket.sent.at(-1).type, socket.sent.at(-1).audio, socket.sent.at(-1).audio_only], ["subscribe", true, undefined]);
  socket.says({ type: "state", live: true, audio: { muted: false } });
  viewer.watch(false);
  assert.deepEqual([socket.sent.at(-1).audio, socket.sent.at(-1).audio_only, socket.open], [true, true, true], "who is not seen is heard");
  viewer.watch(true);
  viewer.listen(null);
  assert.deepEqual([socket.sent.at(-1).audio, socket.sent.at(-1).audio_only], [undefined, undefined]);
  viewer.watch(false);
  assert.equal(socket.open, false);
  await settle();
  assert.deepEqual(to.given, [{ end: true }]);
  assert.equal(sockets.length, 1);
  to.close();
});

test("packets go to the mixer with the times of their publisher, and what is heard is told", async () => {
  const to = mixer();
  viewer.listen(to.port);
  const socket = letIn();
  assert.deepEqual([socket.sent[0].audio, socket.sent[0].audio_only], [true, true]);
  socket.says({ type: "state", live: false, reason: "video off", audio: { muted: false, speaking: true } });
  for (const n of [3, 4, 6]) socket.hears(sound(n));
  socket.hears(sound(7, { codec: "opus" }));
  await settle();
  assert.deepEqual(to.given.map(({ sequence, time, samples }) => [sequence, time, samples.length]), [[3, 5060, 960], [4, 5080, 960], [6, 5120, 960]]);
  assert.ok(Math.abs(to.given[0].samples[9] - 0.5) < 0.001);
  to.tell({ delay: 25, target: 20, lost: 1, late: 0, skipped: 0, hidden: 20, output: 10 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { muted, speaking, heard } = report.audio;
  assert.deepEqual([muted, speaking, heard.lost, heard.hidden, heard.speaks], [false, true, 1, 20, true]);
  assert.ok(heard.delay >= 35 && heard.kbits > 0);
  socket.says({ type: "state", live: true });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(report.audio, null);
  to.close();
});

test("while only the sound is wanted no connection is kept to who has none, and pictures that come all the same are acknowledged", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const to = mixer();
  viewer.listen(to.port);
  const socket = letIn();
  socket.says({ type: "state", live: true, audio: { muted: true } });
  socket.hears(writePicture({ sequence: 7, captured: 1, estimated: false, arrival: false, quality: 1, rung: 0, spans: { capture: 0, encode: 0 }, data: new Uint8Array(9) }));
  assert.deepEqual(socket.sent.at(-1), { type: "ack", sequence: 7 });
  assert.equal(socket.open, true);
  socket.says({ type: "state", live: false, published: false });
  t.mock.timers.tick(9000);
  socket.says({ type: "state", live: true, published: true });
  t.mock.timers.tick(1000);
  socket.says({ type: "state", live: true, published: true, audio: { muted: true } });
  t.mock.timers.tick(8000);
  assert.equal(socket.open, true, "who begins says a moment later that there is sound");
  socket.says({ type: "state", live: true, published: true });
  t.mock.timers.tick(6000);
  assert.equal(socket.open, false);
  viewer.watch(true);
  assert.equal(sockets.length, 2);
  const again = letIn(["seal"]);
  again.says({ type: "state", live: true, published: true, audio: { muted: false } });
  assert.equal(again.open, true);
  viewer.watch(false);
  assert.equal(again.open, false, "a hub that passes no sound on has none");
  to.close();
});

test("who has a key hears what is sealed with it, in its order, and nothing in the clear or of another key", async () => {
  const [key, another] = [newKey(), newKey()];
  make(key);
  const to = mixer();
  viewer.watch(true);
  viewer.listen(to.port);
  const socket = letIn();
  assert.equal(socket.sent[0].audio, true);
  socket.says({ type: "state", live: true, sealed: true, audio: { muted: false } });
  const sealer = new Sealer(key, "r", "ann");
  const samples = { codec: "pcm", captured: 5000, estimated: false, arrival: false, voice: true, level: 20, spans: { capture: 0, encode: 0 }, data: pcm(new Float32Array(960).fill(0.5)) };
  const sealed = (by, sequence) => by.sound({ ...samples, sequence });
  const packets = [];
  for (let n = 1; n <= 5; n++) packets.push(writeSound(await sealed(sealer, n)));
  socket.hears(sound(6));
  socket.hears(writeSound(await sealed(new Sealer(another, "r", "ann"), 7)));
  for (const packet of [...packets, packets[2]]) socket.hears(packet);
  await settle();
  await settle();
  assert.deepEqual(to.given.map(({ sequence }) => sequence), [1, 2, 3, 4, 5]);
  make();
  const clear = mixer();
  viewer.watch(true);
  viewer.listen(clear.port);
  const bare = letIn();
  bare.says({ type: "state", live: true, audio: { muted: false } });
  bare.hears(packets[0]);
  await settle();
  assert.deepEqual(clear.given, [], "and without a key nothing that is sealed");
  to.close();
  clear.close();
});
