// What is behind somebody: the rules, without a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BACKGROUNDS, between, blurOf, blurredSize, filling, inModel, SearchPace, TAPS, taps } from "../background-rules.js";

test("what runs together is as wide as it should be, and adds nothing and takes nothing away", () => {
  for (const wide of [1.6, 3.4, 5]) {
    const { places, weights, own } = taps(wide);
    assert.ok(places.length === weights.length && places.length <= TAPS);
    const sum = own + 2 * weights.reduce((all, one) => all + one, 0);
    assert.ok(Math.abs(sum - 1) < 1e-9);
    const variance = 2 * weights.reduce((all, one, at) => all + one * places[at] ** 2, 0);
    assert.ok(Math.abs(Math.sqrt(variance) - wide) < 0.1 * wide, `${Math.sqrt(variance)} of ${wide}`);
  }
});

test("until the person is found everything is blurred as strongly as anything is", () => {
  for (const look of Object.keys(BACKGROUNDS)) assert.deepEqual(blurOf(look, false), blurOf("strong", true));
  const far = (/** @type {string} */ look) => blurOf(look, true).sigma / blurOf(look, true).side;
  assert.ok(far("light") * 2 < far("strong"));
});

test("sizes on the way down are never less than a quarter of the one before", () => {
  for (const [width, height] of [[640, 360], [1280, 720], [3840, 2160], [360, 640], [97, 1031]]) {
    const to = blurredSize(width, height, { side: 90 });
    assert.ok(Math.min(to.width, to.height) <= 90 && to.width >= 1 && to.height >= 1);
    let last = { width, height };
    for (const step of [...between(last, to), to]) {
      assert.ok(step.width * 4 >= last.width && step.height * 4 >= last.height && step.width <= last.width && step.height <= last.height);
      last = step;
    }
  }
  assert.deepEqual(blurredSize(80, 60, { side: 90 }), { width: 80, height: 60 }, "what is small already stays as it is");
});

test("a picture lies in the model's as a whole and in its own shape", () => {
  assert.deepEqual(inModel(1280, 720), { x: 0, y: 0, width: 1, height: 1 });
  for (const [width, height] of [[640, 480], [360, 640], [512, 512], [2000, 100]]) {
    const part = inModel(width, height);
    assert.ok(part.x >= 0 && part.y >= 0 && part.x + part.width <= 1 + 1e-9 && part.y + part.height <= 1 + 1e-9);
    assert.ok(Math.abs((part.width * 256) / (part.height * 144) - width / height) < 1e-9 * width);
  }
});

test("a picture as a background fills all there is, in its own shape", () => {
  for (const [w, h] of [[1280, 720], [300, 900], [640, 360]]) {
    const part = filling({ width: w, height: h }, { width: 640, height: 360 });
    assert.ok(part.x >= -1e-9 && part.y >= -1e-9 && part.width <= 1 + 1e-9 && part.height <= 1 + 1e-9);
    assert.ok(Math.abs(part.width - 1) < 1e-9 || Math.abs(part.height - 1) < 1e-9, "nothing more is cut off than must be");
    assert.ok(Math.abs((part.width * w) / (part.height * h) - 640 / 360) < 1e-9);
  }
});

/** A camera of 30 frames a second for so many seconds; every frame waits where the machine is slow, and then each other one is missed. */
function film(pace, from, seconds, { slow, took }) {
  let searches = 0;
  let done = Infinity;
  for (let frame = 0; frame < seconds * 30; frame += slow ? 2 : 1) {
    const now = from + (frame * 1000) / 30;
    if (now >= done) {
      pace.found(done);
      done = Infinity;
    }
    pace.came(now, slow);
    if (pace.wants(now)) {
      pace.begins(now);
      done = now + took;
      searches++;
    }
  }
  if (done < Infinity) pace.found(done);
  return searches / seconds;
}

test("the person is looked for in every frame while the camera's rate is kept, and less often where it is not", () => {
  const pace = new SearchPace();
  film(pace, 0, 2, { slow: false, took: 10 });
  const quick = film(pace, 2000, 10, { slow: false, took: 10 });
  assert.ok(quick > 28, `${quick} a second`);
  film(pace, 12_000, 10, { slow: true, took: 60 });
  const slow = film(pace, 22_000, 10, { slow: true, took: 60 });
  assert.ok(slow < 5 && slow > 1, `${slow} a second`);
  film(pace, 32_000, 60, { slow: false, took: 10 });
  const again = film(pace, 92_000, 10, { slow: false, took: 10 });
  assert.ok(again > 28, `${again} a second`);
});

test("a camera that gives fewer frames in the dark is not taken for a slow machine", () => {
  const pace = new SearchPace();
  film(pace, 0, 5, { slow: false, took: 10 });
  for (let frame = 0; frame < 100; frame++) pace.came(5000 + frame * 100, false);
  assert.ok(film(pace, 15_000, 10, { slow: false, took: 10 }) > 28);
});

test("where somebody was a while ago they may not be any more", () => {
  const pace = new SearchPace();
  assert.equal(pace.knows(0), false);
  pace.begins(10);
  pace.found(20);
  assert.equal(pace.knows(1000), true);
  assert.equal(pace.wants(1000), true);
  pace.begins(9000);
  assert.equal(pace.wants(9000), false, "one search at a time");
  assert.equal(pace.knows(9000), false);
  pace.found(12_000);
  assert.equal(pace.knows(12_000), false, "what was found is as old as the frame in which it was");
  pace.begins(12_000);
  pace.found(12_030);
  assert.equal(pace.knows(12_040), true);
  pace.lose();
  assert.equal(pace.knows(12_040), false, "frames have another shape");
  pace.forget();
  assert.equal(pace.knows(0), false);
});
