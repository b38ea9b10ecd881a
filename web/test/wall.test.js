// Where the tiles of a wall stand.
import assert from "node:assert/strict";
import { test } from "node:test";
import { shown, wall } from "../wall.js";

const WINDOWS = [[1280, 720], [390, 760], [1920, 1000], [844, 330]];
const room = ([width, height]) => ({ width, height, gap: 12, caption: 38 });
const SHAPES = [4 / 3, 16 / 9, 9 / 16, 1, 0, 16 / 9, 480 / 848, 21 / 9, 4 / 3, 4 / 3, 16 / 9, 16 / 9, 1, 3 / 4, 16 / 9, 4 / 3];

test("each picture keeps its shape, and none lies on another or beyond the wall", () => {
  for (const window of WINDOWS) {
    for (let count = 1; count <= 40; count++) {
      const shapes = Array.from({ length: count }, (_, n) => SHAPES[n % SHAPES.length]);
      const { places, height } = wall(shapes, room(window));
      assert.equal(places.length, count);
      places.forEach(({ x, y, width, height: tall }, at) => {
        assert.ok(Math.abs(width / tall - shown(shapes[at])) < 1e-6, `the shape of ${at} of ${count}`);
        assert.ok(x >= -1e-6 && x + width <= window[0] + 1e-6 && y >= 0 && y + tall + 38 <= height + 1e-6);
        const other = places[at + 1];
        assert.ok(!other || other.x >= x + width + 11.999 || other.y >= y + tall + 38 + 11.999, `${at} of ${count}`);
      });
    }
  }
});

test("up to sixteen streams are seen without scrolling in a window of a desk", () => {
  for (const window of [[1280, 720], [1920, 1000]]) {
    for (let count = 1; count <= 16; count++) {
      const { height } = wall(Array(count).fill(16 / 9), room(window));
      assert.ok(height <= window[1], `${count} in ${window}`);
    }
  }
});

test("what would be too small to be seen is scrolled, as is what is more than sixteen", () => {
  for (const [count, window] of [[16, [390, 760]], [17, [1280, 720]]]) {
    const { places, height } = wall(Array(count).fill(4 / 3), room(window));
    assert.ok(height > window[1]);
    assert.ok(places.every(({ width }) => width > 180), `${places[0].width}`);
  }
});

test("one stream has the whole window, and four of the same shape a quarter each", () => {
  const [one] = wall([16 / 9], room([1280, 758])).places;
  assert.deepEqual([one.width, one.height, one.x, one.y].map(Math.round), [1280, 720, 0, 0]);
  const { places } = wall(Array(4).fill(16 / 9), room([1292, 808]));
  assert.deepEqual(new Set(places.map(({ x }) => Math.round(x))).size, 2);
  assert.deepEqual(new Set(places.map(({ y }) => Math.round(y))).size, 2);
});

test("no layout in rows gives larger pictures of the same shape", () => {
  for (const window of WINDOWS) {
    for (let count = 1; count <= 16; count++) {
      const one = room(window);
      const { places, height } = wall(Array(count).fill(4 / 3), one);
      if (height > window[1]) continue;
      for (let columns = 1; columns <= count; columns++) {
        const rows = Math.ceil(count / columns);
        const tall = Math.min((window[1] - 12 * (rows - 1)) / rows - 38, (window[0] - 12 * (columns - 1)) / columns / (4 / 3));
        const mean = places.reduce((sum, place) => sum + place.height, 0) / count;
        assert.ok(mean >= tall - 0.01, `${count} in ${window}: ${mean} and not ${tall}`);
      }
    }
  }
});

test("no streams need no place, and a window without room does no harm", () => {
  assert.deepEqual(wall([], room([1280, 720])), { places: [], height: 0 });
  for (const window of [[0, 0], [1, 5000], [5000, -300], [40, 40]]) {
    for (const { width, height } of wall([4 / 3, 1e9, 1e-9, NaN], room(window)).places) {
      assert.ok(Number.isFinite(width) && Number.isFinite(height), String(window));
    }
  }
});
