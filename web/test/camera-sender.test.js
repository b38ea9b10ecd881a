// What the page's camera does with frames, with a link and an encoder that are none.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { askedInWords, CameraSender } from "../camera-sender.js";

const settle = () => new Promise((resolve) => setImmediate(resolve));
let sender, link, encoder, given, states, images;

/** A frame that knows whether it was given back. */
function frame(number, more = {}) {
  const image = { number, open: true, close: () => (image.open = false) };
  images.push(image);
  return { image, width: 640, height: 480, captured: performance.now(), estimated: false, arrival: false, ...more };
}

beforeEach(() => {
  [given, states, images] = [[], [], []];
  link = {
    rungs: [{ bytes: Infinity, quality: 0, size: "any" }], viewers: 1, carries: Infinity, maxPicture: 1e6, wait: 0,
    ask: () => link.wait, tell: (state) => states.push(state), give: (picture, supply) => given.push({ ...picture, supply }),
  };
  encoder = { made: [], holds: null, make: async (image, place, { width, height }, quality) => {
    encoder.made.push({ number: image.number, open: image.open, place, width, height, quality });
    await encoder.holds;
    if (encoder.fails) throw new Error(encoder.fails);
    return new Uint8Array(Math.floor(width * height * quality * 0.0008));
  } };
  sender = new CameraSender({ link, jpegs: encoder, grain: 0.1, report: () => {} });
  sender.camera("", { fps: 30 });
});

afterEach(() => sender.close());

test("nothing is encoded while nobody watches, and what came meanwhile is not shown to who comes then", async () => {
  link.viewers = 0;
  sender.demanded();
  for (let n = 0; n < 3; n++) sender.came(frame(n));
  await settle();
  assert.deepEqual([encoder.made.length, given.length, images.map(({ open }) => open)], [0, 0, [false, false, false]]);
  link.viewers = 1;
  sender.demanded();
  await settle();
  assert.equal(encoder.made.length, 0);
  sender.came(frame(3));
  await settle();
  assert.deepEqual(encoder.made.map(({ number }) => number), [3]);
  link.viewers = 0;
  sender.demanded();
  sender.came(frame(4));
  await settle();
  assert.equal(encoder.made.length, 1);
});

test("of frames that come while one is encoded the newest goes, and all are given back", async () => {
  let done;
  encoder.holds = new Promise((resolve) => (done = resolve));
  for (let n = 0; n < 5; n++) sender.came(frame(n));
  done();
  await settle();
  await settle();
  assert.deepEqual(encoder.made.map(({ number, open }) => [number, open]), [[0, true], [4, true]]);
  assert.deepEqual(images.map(({ open }) => open), images.map(() => false));
  assert.deepEqual([sender.stats().sent, sender.stats().skipped], [2, 3]);
});

test("while the link has no room nothing is encoded, and then the newest", async () => {
  link.wait = 20;
  for (let n = 0; n < 4; n++) sender.came(frame(n));
  await settle();
  assert.equal(encoder.made.length, 0);
  link.wait = 0;
  sender.turn();
  await settle();
  assert.deepEqual(encoder.made.map(({ number }) => number), [3]);
});

test("each rung that is asked for is made of the same frame, and bears its number and its time", async () => {
  link.rungs = [{ bytes: Infinity, quality: 0, size: "any" }, { bytes: Infinity, quality: 40, size: "320x240" }];
  const { captured } = frame(0);
  sender.came(frame(1, { captured, estimated: true }));
  await settle();
  await settle();
  assert.deepEqual(given.map(({ sequence, rung, quality }) => [sequence, rung, quality]), [[1, 0, 80], [1, 1, 40]]);
  assert.ok(given.every((picture) => picture.captured === captured && picture.estimated && !picture.arrival));
  assert.deepEqual(given[0].supply, [{ size: "full" }, { quality: 40, size: "320x240" }]);
  assert.deepEqual(encoder.made.map(({ width, height }) => [width, height]), [[640, 480], [320, 240]]);
});

test("viewers are told that video is off, that it is on, and why nothing can be encoded", async () => {
  const reasons = () => states.map(({ live, reason }) => `${live} ${reason}`);
  assert.deepEqual(reasons(), ["false video off", "true "]);
  encoder.fails = "this browser makes no JPEG";
  sender.came(frame(1));
  await settle();
  assert.equal(reasons().at(-1), "false this browser makes no JPEG");
  encoder.fails = "";
  sender.came(frame(2));
  await settle();
  assert.equal(reasons().at(-1), "true ");
  assert.equal(states.at(-1).asked.size, "640x480");
  sender.camera("camera gone");
  assert.equal(reasons().at(-1), "false camera gone");
});

test("what is encoded when the video is switched off is not sent any more", async () => {
  let done;
  encoder.holds = new Promise((resolve) => (done = resolve));
  sender.came(frame(1));
  sender.camera("video off");
  done();
  await settle();
  assert.deepEqual([given.length, images[0].open], [0, false]);
});

test("a picture that is longer than the hub takes is not sent, and viewers are told", async () => {
  link.maxPicture = 1000;
  sender.came(frame(1));
  await settle();
  assert.equal(given.length, 0);
  assert.match(states.at(-1).reason, /more than the 1000 that the hub takes/);
});

test("who comes to a screen on which nothing moves sees it at once, as what it shows now", async () => {
  sender.camera("", { still: true });
  sender.came(frame(1, { captured: performance.now() - 60_000 }));
  await settle();
  link.viewers = 0;
  sender.demanded();
  link.viewers = 1;
  sender.demanded();
  await settle();
  assert.deepEqual(encoder.made.map(({ number, open }) => [number, open]), [[1, true], [1, true]]);
  assert.ok(performance.now() - given[1].captured < 1000 && given[1].estimated);
  sender.came(frame(2));
  await settle();
  assert.deepEqual(images.map(({ open }) => open), [false, true], "the one that is shown is kept, and no other");
  sender.camera("video off");
  assert.equal(images[1].open, false);
});

test("what viewers ask for is said in words", () => {
  const own = { bytes: Infinity, quality: 0, size: "any" };
  assert.equal(askedInWords([own], 0), "");
  assert.equal(askedInWords([own, { ...own, bytes: 4200 }, { ...own, quality: 60, size: "320x240" }, { ...own, size: "full" }], 3),
    "as it is, 4.2 kB, 320x240 quality 60, full size");
});
