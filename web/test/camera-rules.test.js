// What the page's camera encodes, how large, and when it gives it: on a clock and a link that are none. The numbers are those of
// the native sender's own tests.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fit } from "../camera-fit.js";
import { Dating } from "../camera-frames.js";
import { encodedSize, FULL, Ladder, readRungs, share, writeSupply } from "../camera-ladder.js";
import { Pacer } from "../camera-pace.js";
import { Pairing } from "../camera-pairing.js";
import { read, writePicture } from "../packet.js";

const OWN = { bytes: Infinity, quality: 0, size: "any" };
const INTERVAL = 33;

/** Bytes of street footage at 640x480, as in src/adapt/fit.rs. */
function street({ quality, eighths }, times = 1) {
  const curve = [[10, 3278], [25, 5673], [35, 7015], [50, 8883], [60, 10347], [70, 12818], [80, 16977], [90, 27141]];
  const found = curve.findIndex((_, at) => at + 1 < curve.length && quality <= curve[at + 1][0]);
  const at = found < 0 ? curve.length - 2 : found;
  const [[q0, b0], [q1, b1]] = [curve[at], curve[at + 1]];
  return Math.floor((b0 + ((b1 - b0) * (quality - q0)) / (q1 - q0)) * times * (eighths / 6) ** 1.55);
}

function fitted(fit, bytes, clock, pictures, times = 1) {
  let last = { quality: 0, eighths: 8, out: 0 };
  for (let n = 0; n < pictures; n++) {
    clock.now += 33.3;
    let encoding = fit.choose(bytes, 80, clock.now);
    let out = street(encoding, times);
    if (fit.encoded(encoding, out, bytes)) {
      encoding = fit.choose(bytes, 80, clock.now);
      out = street(encoding, times);
      fit.encoded(encoding, out, bytes);
    }
    last = { ...encoding, out };
  }
  return last;
}

test("a few pictures are enough to hit the bytes that are asked for", () => {
  for (const bytes of [10_500, 12_000, 16_000, 20_000]) {
    const { out, eighths } = fitted(new Fit(25), bytes, { now: 0 }, 6);
    assert.ok(out <= bytes && out >= (bytes * 3) / 4 && eighths === 8, `${bytes}: ${out}`);
  }
});

test("pictures get smaller where quality alone cannot fit, and large again where it can", () => {
  const [fit, clock] = [new Fit(25), { now: 0 }];
  const small = fitted(fit, 3300, clock, 90);
  assert.ok(small.eighths < 8 && small.quality >= 25 && small.out <= 3300 * 1.15, JSON.stringify(small));
  const large = fitted(fit, 16_000, clock, 150);
  assert.ok(large.eighths === 8 && large.quality >= 50, JSON.stringify(large));
  const { quality, eighths } = fitted(fit, Infinity, clock, 2);
  assert.deepEqual([quality, eighths], [80, 8]);
});

test("a scene that changes at a stroke fits at once", () => {
  const [fit, clock] = [new Fit(25), { now: 0 }];
  fitted(fit, 14_000, clock, 30);
  assert.ok(fitted(fit, 14_000, clock, 1, 1.8).out <= 14_000 * 1.15);
});

test("an uplink gives small rungs their due and large ones the rest, and strangers take nothing from the others", () => {
  const two = [OWN, { ...OWN, bytes: 4000 }];
  assert.deepEqual(share(two, [37_000, 4000], Infinity), [Infinity, 4000]);
  assert.deepEqual(share(two, [37_000, 4000], 16_000), [12_000, 4000]);
  assert.deepEqual(share(two, [37_000, 4000], 50_000), [Infinity, 4000]);
  assert.deepEqual(share(two, [37_000, 4000], 4000), [0, 4000], "the large one would be the small one again");
  const four = [OWN, { ...OWN, quality: 100 }, { ...OWN, quality: 99 }, { ...OWN, size: "320x240" }];
  const sizes = [37_000, 150_000, 120_000, 12_000];
  assert.deepEqual(share(four, sizes, 16_000), [16_000, 0, 0, 0]);
  assert.deepEqual(share(four, sizes, 60_000), [Infinity, 0, 0, Infinity]);
  assert.deepEqual(share(four, sizes, 160_000), [Infinity, 0, 111_000, Infinity]);
  assert.deepEqual(share([OWN, FULL], [37_000, 37_000], 4000), [2000, 2000]);
});

/** Encodes a frame in a scene whose pictures have so many bytes at quality 80 and full size. */
function frame(ladder, rungs, size, carries, bytes, now = 0) {
  const plan = ladder.plan(rungs, size, carries);
  const made = [];
  let supply = [];
  for (let step = ladder.next(plan, now); step; step = ladder.next(plan, now)) {
    let length, area;
    do {
      area = (encodedSize(step).width / size.width) ** 2;
      length = Math.floor(bytes * area * (step.encoding.quality / 80));
    } while (ladder.again(step, length, now));
    supply = ladder.done(plan, step, length);
    made.push({ place: step.place, length, ...encodedSize(step) });
  }
  return { made, supply: writeSupply(supply) };
}

test("every rung of a demand is made of the same frame, the camera's own first, and the hub is told which", () => {
  const rungs = readRungs([{ bytes: 9000 }, {}, { size: "320x320" }, { quality: 30 }]);
  const ladder = new Ladder(80, 25);
  for (let n = 0; n < 8; n++) frame(ladder, rungs, { width: 640, height: 480 }, Infinity, 20_000);
  const { made, supply } = frame(ladder, rungs, { width: 640, height: 480 }, Infinity, 20_000);
  assert.deepEqual(made.map(({ place, width, height }) => [place, width, height]),
    [[1, 640, 480], [0, 640, 480], [2, 320, 240], [3, 640, 480]]);
  assert.ok(made[1].length <= 9000 * 1.15 && made[3].length < 9000, JSON.stringify(made));
  assert.deepEqual(supply, [{ bytes: 9000 }, { size: "full" }, { size: "320x320" }, { quality: 30 }]);
});

test("a slow uplink has one picture for those who want it full and those who take any, and leaves out what is no better", () => {
  const rungs = readRungs([{}, { size: "full" }]);
  const ladder = new Ladder(80, 25);
  const size = { width: 640, height: 480 };
  frame(ladder, rungs, size, Infinity, 20_000);
  assert.deepEqual(frame(ladder, rungs, size, Infinity, 20_000).supply, [{ size: "full" }]);
  for (let n = 0; n < 60; n++) frame(ladder, rungs, size, 6000, 20_000, n * 33);
  const { made } = frame(ladder, rungs, size, 6000, 20_000, 2000);
  assert.ok(made.reduce((sum, { length }) => sum + length, 0) <= 6000 * 1.3, JSON.stringify(made));
});

test("a demand that makes no sense is one for what there is", () => {
  assert.deepEqual(readRungs("all"), []);
  assert.deepEqual(readRungs([null, { bytes: -1, quality: 1e9, size: "0x0" }, { size: "1x1x1" }, { size: 5 }, {}]),
    [OWN, { ...OWN, quality: 100 }, OWN, OWN], "and four at most");
});

test("a picture leaves as every program reads it", () => {
  const data = Uint8Array.of(0xff, 0xd8, 1, 2);
  const sent = { sequence: 0xfffffff0, captured: 54_016_773.55, quality: 63, rung: 3, spans: { capture: 3.2, encode: 5000 }, data };
  const flags = [];
  for (const [estimated, arrival] of [[false, false], [true, false], [true, true], [false, true]]) {
    const packet = writePicture({ ...sent, estimated, arrival });
    const picture = read(packet.buffer);
    assert.deepEqual([picture.kind, picture.sequence, picture.captured, picture.quality, picture.rung, picture.sealed],
      ["picture", 0xfffffff0, 54_016_773.55, 63, 3, false]);
    assert.deepEqual(picture.spans, { capture: 3.2, encode: 65535 * 0.016, uplink: 0, hub: 0 });
    assert.deepEqual([...picture.data], [...data]);
    flags.push([packet[5], picture.estimated, picture.arrival]);
  }
  assert.deepEqual(flags, [[0, false, false], [1, true, false], [3, true, true], [3, true, true]]);
});

test("a frame is dated as the browser says, else by the quickest of the last, and never later than it came", () => {
  const dating = new Dating();
  assert.deepEqual(dating.date({ timestamp: 5, captured: 990 }, 1000), { captured: 990, estimated: false, arrival: false });
  const guess = { estimated: true, arrival: true };
  assert.deepEqual(dating.date({ timestamp: null, captured: null }, 1000), { captured: 1000, ...guess });
  // Taken every 33 ms; the second was held up for 20.
  assert.deepEqual([[0, 1000], [33, 1053], [66, 1068], [99, 1098]].map(([timestamp, at]) =>
    dating.date({ timestamp, captured: null }, at).captured), [1000, 1033, 1066, 1098]);
  const known = new Dating();
  known.known = { offset: 990, sure: true };
  assert.deepEqual(known.date({ timestamp: 0, captured: null }, 1000), { captured: 990, estimated: false, arrival: false });
  assert.deepEqual(known.date({ timestamp: 99_000, captured: null }, 1000), { captured: 1000, ...guess }, "a clock that was set");
  // Another source, and a browser whose times cannot be.
  assert.equal(dating.date({ timestamp: -9_000_000, captured: null }, 2000).captured, 2000);
  assert.deepEqual(dating.date({ timestamp: null, captured: 5000 }, 2100), { captured: 2100, ...guess });
});

/**
 * What is made of frames that were taken at these times and came so long after, while some were shown as well, 5 ms after they came: how
 * far off the time of a frame is then.
 */
function paired(times, { takes = 12, shown = (at) => at >= 3 && at % 7 !== 0, clock = 5_000_000 } = {}) {
  const pairing = new Pairing(0.1);
  for (const [at, time] of times.entries()) {
    pairing.came(time + clock, time + takes);
    if (shown(at)) pairing.showed(Math.round(time * 10) / 10, time + takes + 5);
  }
  const known = pairing.find();
  return known && { off: Math.abs(known.offset + clock), sure: known.sure };
}

test("frames whose times the browser says only of what it shows are known by what is between them", () => {
  const jitter = (n) => 2 * Math.sin(n * n);
  const camera = Array.from({ length: 30 }, (_, n) => 1000 + n * 33.3 + jitter(n));
  const known = paired(camera);
  assert.ok(known.off < 0.2 && known.sure, JSON.stringify(known));
  // One that is as regular as a clock fits in many ways.
  const regular = paired(Array.from({ length: 30 }, (_, n) => 1000 + n * 33.3));
  assert.ok(regular.off < 0.2 && !regular.sure, JSON.stringify(regular));
  assert.equal(paired(camera.slice(0, 6)), null, "too few");
  const other = new Pairing(0.1);
  for (const [n, time] of camera.entries()) {
    other.came(time, time);
    other.showed(time + 2 * jitter(n + 5), time);
  }
  assert.equal(other.find(), null, "of another camera");
});

/**
 * A way to a hub that takes so many bytes a millisecond, with so many on each way. What comes back is heard when nobody is busy: `hears`
 * says whether that is now.
 */
class Way {
  #free = 0;
  #turned = 0;
  #answers = [];
  constructor(rate, takes, pacer, hears = () => true) {
    Object.assign(this, { rate, takes, pacer, hears });
  }

  give(sequence, bytes, now) {
    const begins = Math.max(this.#free, now);
    this.#free = begins + bytes / this.rate;
    this.#answers.push({ sent: now, at: begins + 2 * this.takes }, { sequence, at: this.#free + 2 * this.takes });
    return this.#free + this.takes;
  }

  pass(now) {
    if (!this.hears(now)) return;
    const waited = now - this.#turned;
    this.#turned = now;
    while (this.#answers.length && this.#answers[0].at <= now) {
      const { sent, sequence } = this.#answers.shift();
      if (sent === undefined) this.pacer.acknowledged(sequence, waited, now);
      else this.pacer.answered(sent, now);
    }
  }
}

/** Pictures of `full` bytes at most for so many seconds: how many were given, and how old they were when they had arrived. */
function paced({ pacer, way, full, seconds, from = 0 }) {
  const ages = [];
  let [newest, sequence, bytes] = [null, from, 0];
  for (let ms = 0; ms < 1000 * seconds; ms++) {
    const now = from + ms;
    way.pass(now);
    if (ms % INTERVAL === 0) newest = now;
    if (newest === null || pacer.ask(now, INTERVAL) > 0) continue;
    bytes = Math.min(full, pacer.carries);
    pacer.pinged(now);
    pacer.given(++sequence, bytes, now);
    ages.push(way.give(sequence, bytes, now) - newest);
    newest = null;
  }
  return { given: ages.length, worst: Math.max(...ages.slice(ages.length >> 1)), bytes };
}

test("a link that carries everything is given every picture as it is", () => {
  for (const takes of [0, 2, 40, 150]) {
    const pacer = new Pacer();
    // As it is asked when the connection opens.
    pacer.pinged(-500);
    pacer.answered(-500, 2 * takes - 500);
    const { given, bytes } = paced({ pacer, way: new Way(2500, takes, pacer), full: 20_000, seconds: 10 });
    assert.ok(given >= 295 && bytes === 20_000, `${takes} ms: ${given} of ${bytes}`);
  }
});

test("who is busy and hears late does not take a quick link for a slow one", () => {
  for (const busy of [20, 45, 90]) {
    // Nothing is heard for so long out of a tenth more, and it is never the same.
    const pacer = new Pacer();
    const way = new Way(2500, 1, pacer, (now) => (now + 7 * Math.sin(now / 1000)) % (busy * 1.1) > busy);
    const { given, bytes } = paced({ pacer, way, full: 20_000, seconds: 20 });
    assert.ok(bytes === 20_000 && given > 150, `${busy} ms: ${given} of ${bytes}`);
  }
});

test("on a slow link pictures become as small as it carries, keep their rate, and none waits behind others", () => {
  for (const rate of [100, 250, 500]) {
    for (const takes of [1, 20, 60]) {
      const pacer = new Pacer();
      const way = new Way(rate, takes, pacer);
      paced({ pacer, way, full: 40_000, seconds: 5 });
      const { given, worst, bytes } = paced({ pacer, way, full: 40_000, seconds: 10, from: 10_000 });
      const what = `${rate} bytes/ms, ${takes} ms: ${given} pictures of ${bytes}, ${worst} ms`;
      assert.ok(given > 270, what);
      assert.ok(bytes > rate * INTERVAL * 0.5 && bytes < rate * INTERVAL, what);
      assert.ok(worst < takes + 3 * INTERVAL, what);
    }
  }
});

test("a link that got well is believed within ten seconds, and one that falls at once", () => {
  const pacer = new Pacer();
  const way = new Way(2500, 10, pacer);
  paced({ pacer, way, full: 20_000, seconds: 5 });
  way.rate = 120;
  const { worst, bytes } = paced({ pacer, way, full: 20_000, seconds: 4, from: 10_000 });
  assert.ok(bytes < 4000 && worst < 150, `${bytes}, ${worst} ms`);
  way.rate = 2500;
  assert.equal(paced({ pacer, way, full: 20_000, seconds: 10, from: 20_000 }).bytes, 20_000);
});

test("a hub that acknowledges nothing is given a picture now and then and no more, and so is a browser that holds the last one", () => {
  const pacer = new Pacer();
  const silent = { pass() {}, give: () => 0 };
  const { given } = paced({ pacer, way: silent, full: 20_000, seconds: 10 });
  assert.ok(given >= 2 && given < 20, `${given}`);
  assert.ok(new Pacer().ask(0, INTERVAL, 10_000) > 0);
  assert.equal(new Pacer().ask(0, INTERVAL, 0), 0);
});
