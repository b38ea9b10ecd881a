// What is heard of packets that come early, late, at once or not at all, on a virtual clock and without a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RATE, Resampler, SoundBuffer } from "../sound-buffer.js";

const PACKET = 20;
const QUANTUM = 128;
const tone = (n, hertz = 300) => 0.5 * Math.sin((2 * Math.PI * hertz * n) / RATE);

/** What somebody sends: 20 ms each, numbered; `silent` says of which moments nothing is sent. */
function sent({ seconds, clock = 1, silent = () => false, from = 5000 }) {
  const packets = [];
  for (let n = 0, sequence = 7; n < (seconds * 1000) / PACKET; n++) {
    if (silent(n * PACKET)) continue;
    const samples = Float32Array.from({ length: (RATE * PACKET) / 1000 }, (_, at) => tone(n * 960 + at));
    packets.push({ sequence: sequence++, time: from + n * PACKET, at: (n + 1) * PACKET * clock, samples });
  }
  return packets;
}

/** Plays what comes after `way` milliseconds each; null: it is lost. Gives what was heard, and the delay from time to time. */
function heard(packets, way, { seconds, each = () => {} }) {
  const buffer = new SoundBuffer();
  let free = 0;
  // The bytes of a connection come in their order.
  const coming = packets.flatMap((packet) => {
    const takes = way(packet);
    if (takes === null) return [];
    free = Math.max(free, packet.at + takes);
    return [{ ...packet, comes: free }];
  });
  const out = new Float32Array(Math.floor((seconds * RATE) / QUANTUM) * QUANTUM);
  for (let at = 0; at < out.length; at += QUANTUM) {
    const now = (1000 * at) / RATE;
    while (coming[0]?.comes <= now) buffer.put(coming.shift(), now);
    buffer.take(out.subarray(at, at + QUANTUM), now);
    each(now, buffer.numbers);
  }
  return { out, numbers: buffer.numbers };
}

/** Of the sound the strength of each 10 ms from a moment on, or up to one. */
function strengths(out, from = 0, to = Infinity) {
  const all = [];
  for (let at = 0; at + 480 <= out.length; at += 480) {
    const ms = (1000 * at) / RATE;
    if (ms < from || ms >= to) continue;
    all.push(Math.sqrt(out.subarray(at, at + 480).reduce((sum, value) => sum + value * value, 0) / 480));
  }
  return all;
}
function steps(out) {
  let most = 0;
  for (let at = 1; at < out.length; at++) {
    most = Math.max(most, Math.abs(out[at] - out[at - 1]));
  }
  return most;
}
/** What a tone has at most between two samples. */
const SMOOTH = 0.5 * ((2 * Math.PI * 300) / RATE) * 1.5;

/** Chance that is the same each time. */
function chance(seed = 1) {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

test("on a steady way sound is heard without a gap, and waits no longer than is needful", () => {
  const { out, numbers } = heard(sent({ seconds: 10 }), () => 30, { seconds: 10 });
  assert.ok(Math.min(...strengths(out, 500, 9900)) > 0.3, "no gap");
  assert.ok(steps(out) < SMOOTH, `no click: ${steps(out)}`);
  assert.deepEqual([numbers.target, numbers.lost, numbers.late, numbers.skipped, numbers.hidden], [20, 0, 0, 0, 0]);
  assert.ok(Math.abs(numbers.delay - 20) < 3, `${numbers.delay}`);
});

test("where ways spread it waits longer, within its bounds, and then nothing is missing", () => {
  for (const [spread, least, most] of [[10, 20, 32], [60, 55, 80], [150, 130, 200]]) {
    const random = chance(spread);
    let hiddenThen = 0;
    const { numbers } = heard(sent({ seconds: 40 }), () => 20 + spread * random(), { seconds: 40, each: (now, { hidden }) => {
      if (now < 10_000) hiddenThen = hidden;
    } });
    assert.ok(numbers.target >= least && numbers.target <= most, `spread ${spread}: waits ${numbers.target}`);
    assert.ok(numbers.hidden - hiddenThen < 0.02 * 30_000, `spread ${spread}: ${numbers.hidden - hiddenThen} ms of 30 s are made up`);
    assert.equal(numbers.lost, 0);
  }
});

test("it waits less again when ways are steady again", () => {
  const random = chance();
  const { numbers } = heard(sent({ seconds: 60 }), ({ at }) => 20 + (at < 20_000 ? 120 * random() : 0), { seconds: 60 });
  assert.ok(numbers.target < 40 && Math.abs(numbers.delay - numbers.target) < 8, JSON.stringify(numbers));
});

test("after a way that stood still sound is not late for long, and what waits is bounded", () => {
  let most = 0;
  const { numbers, out } = heard(sent({ seconds: 20 }), ({ at }) => (at > 5000 && at < 5600 ? 5620 - at : 20),
    { seconds: 20, each: (now, { delay }) => (now > 7000 ? (most = Math.max(most, delay)) : 0) });
  assert.ok(most < 200, `${most} ms`);
  assert.ok(numbers.delay < 80, `${numbers.delay}`);
  assert.ok(Math.min(...strengths(out, 6500, 19_900)) > 0.3);
  const burst = new SoundBuffer();
  for (const packet of sent({ seconds: 30 })) burst.put(packet, 0);
  const left = new Float32Array(2 * RATE);
  for (let at = 0; at < left.length; at += QUANTUM) burst.take(left.subarray(at, at + QUANTUM), (1000 * at) / RATE);
  assert.equal(Math.max(...strengths(left, 1300)), 0, "all that waited was heard before");
});

test("clocks that part are followed: the delay does not grow, and nothing is missing", () => {
  for (const clock of [1.0002, 0.9998]) {
    let [least, most] = [Infinity, 0];
    const { out, numbers } = heard(sent({ seconds: 300, clock }), () => 20, { seconds: 299, each: (now, { delay }) => {
      if (now > 5000) [least, most] = [Math.min(least, delay), Math.max(most, delay)];
    } });
    assert.ok(most < 35 && least > 10, `${clock}: ${least} to ${most}`);
    assert.deepEqual([numbers.hidden, numbers.skipped, numbers.lost], [0, 0, 0]);
    assert.ok(Math.min(...strengths(out, 500, 290_000)) > 0.3);
  }
});

test("where nothing is sent there is silence, which is no loss, and the delay is as before", () => {
  const silent = (at) => at % 4000 >= 2000;
  const { out, numbers } = heard(sent({ seconds: 12, silent }), () => 25, { seconds: 12 });
  assert.deepEqual([numbers.lost, numbers.hidden, numbers.late], [0, 0, 0]);
  assert.equal(Math.max(...strengths(out, 2200, 4000)), 0, "silence");
  assert.ok(Math.min(...strengths(out, 4100, 6000)) > 0.3);
  assert.ok(steps(out) < SMOOTH, "no click at its ends");
  assert.ok(numbers.delay < 30);
});

test("what is lost is counted and hidden, and the sound stays in time", () => {
  const packets = sent({ seconds: 10 });
  const { out, numbers } = heard(packets, ({ sequence }) => (sequence % 50 === 0 ? null : 20), { seconds: 10 });
  assert.equal(numbers.lost, 10);
  assert.ok(Math.abs(numbers.hidden - 200) < 1, `${numbers.hidden} ms`);
  assert.ok(Math.min(...strengths(out, 500, 9900)) > 0.15, "nothing is heard of it but that it is a little quieter");
  assert.ok(steps(out) < 4 * SMOOTH, `${steps(out)}`);
  assert.ok(Math.abs(numbers.delay - 20) < 5);
});

test("what is long lost is a silence, and no voice that stands still", () => {
  const { out, numbers } = heard(sent({ seconds: 10 }), ({ at }) => (at > 4000 && at <= 4800 ? null : 20), { seconds: 10 });
  assert.equal(numbers.lost, 40);
  assert.equal(Math.max(...strengths(out, 4150, 4700)), 0);
  assert.ok(Math.min(...strengths(out, 4900, 9900)) > 0.3);
});

test("a publisher that begins anew, and a clock that is set, are followed", () => {
  const first = sent({ seconds: 5 });
  const second = sent({ seconds: 5, from: 90_000 }).map((packet) => ({ ...packet, sequence: packet.sequence - 6, at: packet.at + 5500 }));
  const { out, numbers } = heard([...first, ...second], () => 20, { seconds: 10.5 });
  assert.ok(Math.min(...strengths(out, 5700, 10_400)) > 0.3);
  assert.ok(numbers.delay < 40, `${numbers.delay}`);
  const set = sent({ seconds: 20 }).map((packet) => ({ ...packet, time: packet.time + (packet.at > 10_000 ? -400 : 0) }));
  const after = heard(set, () => 20, { seconds: 20 });
  assert.ok(Math.min(...strengths(after.out, 500, 19_900)) > 0.3);
  assert.ok(after.numbers.delay < 40, `${after.numbers.delay}`);
});

test("packets that come twice or make no sense are left out", () => {
  const buffer = new SoundBuffer();
  const [one, two] = sent({ seconds: 0.04 });
  for (const packet of [one, two, one, two]) buffer.put(packet, 100);
  assert.equal(buffer.numbers.late, 2);
  for (const [sequence, time] of [[0, 0], [0xffffffff, -1e15], [5, 1e15], [0xfffffff0, 3]]) {
    buffer.put({ sequence, time, samples: new Float32Array(0) }, 200);
    buffer.take(new Float32Array(QUANTUM), 200);
  }
  assert.ok(Object.values(buffer.numbers).every(Number.isFinite), JSON.stringify(buffer.numbers));
});

test("a microphone of another rate is heard as it is", () => {
  for (const from of [44_100, 32_000, 48_000]) {
    const resampler = new Resampler(from);
    const out = [];
    for (let block = 0; block < 100; block++) {
      out.push(...resampler.next(Float32Array.from({ length: 441 }, (_, at) => 0.5 * Math.sin((2 * Math.PI * 300 * (block * 441 + at)) / from))));
    }
    assert.ok(Math.abs(out.length - (44_100 * RATE) / from) < 5, `${out.length} of ${from}`);
    const wrong = out.slice(100).reduce((most, value, at) => Math.max(most, Math.abs(value - tone(at + 100 - (from === RATE ? 0 : (2 * RATE) / from)))), 0);
    assert.ok(wrong < 0.01, `${from}: off by ${wrong}`);
  }
});
