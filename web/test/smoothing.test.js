// Even motion for a known delay: when pictures are due, on a clock of the test.
import assert from "node:assert/strict";
import { test } from "node:test";
import { delayOf, LONGEST, Smoother } from "../smoothing.js";
import { Meter } from "../meter.js";

/** Deterministic, from 0 to 1. */
function chance(seed) {
  let state = seed;
  return () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
}

/**
 * Shows pictures that were captured each 33 ms and took as long as `way` says; gives when each was shown.
 * @returns {{captured: number, received: number, shown: number}[]}
 */
function play(smoother, way, { from = 0, count = 300, isGuess = () => false } = {}) {
  let last = -Infinity;
  const coming = Array.from({ length: count }, (_, n) => {
    const captured = from + n * 33;
    // None overtakes another.
    last = Math.max(last, captured + way(n));
    return { captured, received: last, isGuess: isGuess(n), bytes: 1000 };
  });
  const shown = [];
  let held = null;
  for (let now = from; (coming.length || held) && now < from + count * 33 + 10_000; now++) {
    while (coming.length && coming[0].received <= now) {
      const came = coming.shift();
      smoother.put(came, came);
    }
    held ??= smoother.take(now);
    while (held && smoother.wait(held.came, now) === 0) {
      shown.push({ ...held.came, shown: now });
      held = smoother.take(now);
    }
  }
  return shown;
}

const gaps = (shown) => shown.slice(1).map((one, at) => one.shown - shown[at].shown);

test("pictures whose ways differ by less than the delay follow each other as they were captured, and are older by no more than it", () => {
  const random = chance(7);
  const shown = play(new Smoother(80), () => Math.round(40 + 60 * random()), { count: 600 });
  assert.equal(shown.length, 600);
  const settled = shown.slice(60);
  // The least way that is known is as good as what came: it may be another by a little.
  for (const gap of gaps(settled)) assert.ok(Math.abs(gap - 33) <= 3, `${gap} ms apart`);
  for (const one of settled) {
    assert.ok(one.shown - one.captured <= 40 + 80 + 3);
    assert.ok(one.shown - one.received <= 80 && one.shown >= one.received);
  }
});

test("without a delay that is long enough the late ones are shown at once", () => {
  const shown = play(new Smoother(10), (n) => (n % 10 === 5 ? 70 : 40));
  assert.equal(shown.length, 300);
  for (const { captured, received, shown: at } of shown) {
    if (received - captured === 70) assert.equal(at, received);
    else assert.ok(at - captured <= 50);
  }
});

test("after a stall the newest is shown and the older are left out, and the delay has not grown", () => {
  // Of a second everything comes at once.
  const shown = play(new Smoother(50), (n) => (n >= 100 && n < 130 ? (130 - n) * 33 + 40 : 40));
  assert.ok(shown.length < 275, `${shown.length} shown`);
  assert.equal(shown.at(-1).shown - shown.at(-1).captured, 90);
});

test("a way that becomes longer is learned within a second where it is longer than the delay, and a shorter one at once", () => {
  const longer = play(new Smoother(50), (n) => (n < 100 ? 40 : 240));
  const late = longer.filter(({ captured }) => captured > 3300 && captured < 4000);
  for (const one of late) assert.equal(one.shown, one.received);
  assert.equal(longer.at(-1).shown - longer.at(-1).captured, 290);
  const shorter = play(new Smoother(50), (n) => (n < 100 ? 240 : 40));
  assert.equal(shorter.at(-1).shown - shorter.at(-1).captured, 90);
});

test("clocks that drift apart are followed: pictures wait for the delay at most, and still do", () => {
  for (const drift of [0.0005, -0.0005]) {
    const shown = play(new Smoother(60), (n) => 100 + Math.round(n * 33 * drift), { count: 3000 });
    const waits = shown.slice(2000).map((one) => one.shown - one.received);
    assert.ok(Math.max(...waits) <= 60 && Math.min(...waits) >= 54, `${Math.min(...waits)} to ${Math.max(...waits)} ms`);
  }
});

test("guessed times of capture and known ones have nothing to do with each other", () => {
  // A guess says that it took no time at all; then the clock is known.
  const shown = play(new Smoother(50), (n) => (n < 30 ? 0 : 120), { isGuess: (n) => n < 30 });
  for (const one of shown) assert.ok(one.shown - one.received <= 50);
  assert.equal(shown.at(-1).shown - shown.at(-1).received, 50);
});

test("a capture in the future, or far in the past, holds nothing up", () => {
  for (const way of [-5000, 1e9]) {
    const smoother = new Smoother(40);
    smoother.put("it", { captured: 1e6 - way, isGuess: false, received: 1e6, bytes: 1 });
    const { came } = smoother.take(1e6);
    assert.ok(smoother.wait(came, 1e6) <= 40);
  }
});

test("what waits is bounded in number and in bytes", () => {
  for (const [bytes, most] of [[1000, 128], [8 << 20, 4]]) {
    const smoother = new Smoother(LONGEST);
    for (let n = 0; n < 1000; n++) smoother.put(n, { captured: n / 10, isGuess: false, received: n / 10, bytes });
    let count = 0;
    for (let last = -1; ; count++) {
      const one = smoother.take(200);
      if (!one) break;
      assert.ok(one.picture > last);
      last = one.picture;
    }
    assert.equal(count, most);
  }
});

test("another delay holds for what waits already", () => {
  const smoother = new Smoother(500);
  smoother.put("it", { captured: 0, isGuess: false, received: 10, bytes: 1 });
  const { came } = smoother.take(10);
  assert.equal(smoother.wait(came, 10), 500);
  smoother.delayBy(100);
  assert.equal(smoother.wait(came, 10), 100);
});

test("a delay is a whole number of milliseconds from 1 to 1000, and all else is none", () => {
  assert.deepEqual(["80", 1, 1000, "5000", 0.4, "", null, "abc", -3, NaN].map(delayOf), [80, 1, 1000, 1000, 0, 0, 0, 0, 0, 0]);
});

test("the wait is a part of the age and of its budget, and no work of the decoder's", () => {
  const meter = new Meter();
  const picture = { spans: { capture: 1, encode: 2, uplink: 3, hub: 4 } };
  const known = { captured: 1000, estimated: false, arrival: false };
  meter.shown(picture, 1100, known, 85, 80);
  const { budget, arrived } = meter.numbers(1100);
  assert.deepEqual(Object.fromEntries(budget), { capture: 1, encode: 2, uplink: 3, hub: 4, downlink: 5, decode: 5, smooth: 80 });
  assert.equal(arrived, 100);
  const plain = new Meter();
  plain.shown(picture, 1020, known, 5);
  assert.deepEqual(Object.fromEntries(plain.numbers(1020).budget), { capture: 1, encode: 2, uplink: 3, hub: 4, downlink: 5, decode: 5, smooth: null });
});

test("pictures that are held back for a second are in time", () => {
  const { screen } = new Meter();
  screen.heldBack = 1000;
  screen.announced(33);
  for (const captured of [2000, 2033]) {
    screen.shown(captured, captured + 1150);
    assert.equal(screen.coming(captured + 1153)[0], "in time");
  }
  assert.equal(screen.age(3184), 1151);
});
