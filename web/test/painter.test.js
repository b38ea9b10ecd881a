// Pictures whose decoding never ends, with a browser's decoder that is none.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Painter } from "../painter.js";

/** The frame header of a JPEG, as far as it is looked at. */
const JPEG = new Uint8Array([0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0]);

test("a picture that never is decoded is left out, said, and does not stop the others", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const ends = [];
  let isStuck = true;
  globalThis.createImageBitmap = () =>
    isStuck ? new Promise((end) => ends.push(end)) : Promise.resolve({ width: 8, height: 8, close() {} });
  const [shown, broken] = [[], []];
  const painter = new Painter(() => {}, (picture) => shown.push(picture.sequence), (why) => broken.push(why));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const offer = async (sequence) => {
    painter.offer({ sequence, data: JPEG });
    await settle();
  };
  await offer(1);
  t.mock.timers.tick(1900);
  await settle();
  assert.deepEqual([shown, broken], [[], []]);
  t.mock.timers.tick(200);
  await settle();
  assert.deepEqual(broken, ["a picture takes longer than 2 s to decode"]);
  isStuck = false;
  await offer(2);
  assert.deepEqual(shown, [2]);
  // Four at most: what cannot be ended is not begun for ever.
  isStuck = true;
  for (let n = 3; n < 9; n++) {
    await offer(n);
    t.mock.timers.tick(2100);
    await settle();
  }
  assert.deepEqual([ends.length, broken.length], [4, 7]);
  isStuck = false;
  await offer(9);
  assert.deepEqual(shown, [2], "four are still decoding");
  let closed = 0;
  ends[0]({ close: () => closed++ });
  await settle();
  await offer(10);
  assert.deepEqual([shown, closed], [[2, 10], 1]);
});
