// What the page of rooms makes of what it is told: pure, without a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { qr } from "../qr.js";
import { decibels, Seldom, share, Speaking } from "../room-level.js";
import { colourOf, initials, People, readPerson, whoInWords } from "../room-people.js";
import { seats } from "../room-seats.js";
import { actionOf, SHORTCUTS } from "../shortcuts.js";
import { wall } from "../wall.js";

const STEP = 21;

/** Hears levels, one every 21 ms, and gives when it began and ended to say that somebody speaks. */
function hear(speaking, levels, from = 0) {
  const turns = [];
  let was = speaking.is ?? false;
  levels.forEach((level, n) => {
    const is = speaking.hear(level, from + n * STEP);
    if (is !== was) turns.push([is, from + n * STEP]);
    was = is;
  });
  return turns;
}
const lasting = (level, ms) => Array(Math.round(ms / STEP)).fill(level);

test("somebody who speaks is shown within 150 ms, and is gone within 700 ms", () => {
  const turns = hear(new Speaking(), [...lasting(-65, 1000), ...lasting(-25, 2000), ...lasting(-65, 2000)]);
  assert.equal(turns.length, 2);
  const [[begins, at], [ends, gone]] = turns;
  assert.deepEqual([begins, ends], [true, false]);
  assert.ok(at - 1000 <= 150, `${at - 1000} ms`);
  assert.ok(gone - 3000 <= 700, `${gone - 3000} ms`);
});

test("pauses between words do not end it, and a click does not begin it", () => {
  const words = Array(10).fill([...lasting(-25, 300), ...lasting(-60, 200)]).flat();
  assert.equal(hear(new Speaking(), [...lasting(-65, 500), ...words]).length, 1);
  assert.deepEqual(hear(new Speaking(), [...lasting(-65, 500), -10, -10, ...lasting(-65, 500)]), []);
});

test("a noise that lasts is taken for the room before long, and speech is heard above it", () => {
  const speaking = new Speaking();
  const turns = hear(speaking, [...lasting(-70, 500), ...lasting(-45, 40_000)]);
  assert.equal(turns.at(-1)[0], false);
  assert.equal(hear(speaking, lasting(-20, 500), 41_000).at(-1)[0], true);
});

test("levels are decibels, and a meter goes from silence to the loudest there is", () => {
  assert.equal(decibels(1), 0);
  assert.equal(decibels(0), -100);
  assert.deepEqual([share(-100), share(-30), share(0)], [0, 0.5, 1]);
});

test("what changed is told, at most a few times a second, and nothing is lost", () => {
  const seldom = new Seldom();
  const told = [];
  let is = false;
  for (let at = 0; at < 3000; at += 20) {
    if (at % 100 === 0) is = at < 2000 ? !is : true;
    const next = seldom.next(is, at);
    if (next !== null) told.push([next, at]);
  }
  told.forEach(([, at], n) => assert.ok(n === 0 || at - told[n - 1][1] >= 300));
  assert.equal(told.at(-1)[0], true);
  seldom.anew();
  assert.equal(seldom.next(false, 3001), null, "that nobody speaks is what a new connection believes");
});

test("who came and who left is known from list to list, and of the first all were there", () => {
  const people = new People();
  const list = (...names) => names.map((name) => ({ id: name, name, role: "guest", stream_name: name.toLowerCase() }));
  assert.deepEqual(people.learn(list("Ann", "Bo")), { came: [], went: [] });
  const { came, went } = people.learn(list("Bo", "Cy"));
  assert.deepEqual([came.map(({ name }) => name), went.map(({ name }) => name)], [["Cy"], ["Ann"]]);
  assert.ok(people.toggled({ user_name: "Bo", is_muted: true }));
  assert.equal(people.person("Bo").muted, true);
  assert.equal(people.toggled({ user_name: "Nobody", is_muted: true }), false);
  assert.ok(people.spoke({ user_name: "Cy", is_speaking: true }));
  assert.ok(people.toggled({ user_name: "Cy", is_muted: true }));
  assert.equal(people.person("Cy").speaks, false, "who is muted does not speak");
});

test("a list that makes no sense, or has no end, does no harm", () => {
  for (const list of [null, 7, "x", [null, 7, {}, { name: 5 }, { name: "" }]]) {
    const people = new People();
    people.learn(list);
    assert.deepEqual(people.all, []);
  }
  const people = new People();
  people.learn(Array.from({ length: 10_000 }, (_, n) => ({ name: `n${n}` })));
  assert.equal(people.all.length, 128);
  assert.ok(readPerson({ name: "x".repeat(100_000) }).name.length <= 400);
});

test("a stream of a program and a person of the same name are two", () => {
  const people = new People();
  people.learn([{ id: "1", name: "door", stream_name: "door-1" }, { id: "stream:door", name: "door", stream_name: "door" }]);
  assert.deepEqual(people.all.map(({ isCamera }) => isCamera), [false, true]);
  assert.equal(people.person("door").stream, "door-1");
});

test("initials are letters of any alphabet, and colours the same for all", () => {
  assert.deepEqual(["Ann Lee", "door", "Ann Maria Lee", "山田 太郎", "1-2", "<b>", "—", ""].map(initials),
    ["AL", "D", "AL", "山太", "12", "B", "?", "?"]);
  assert.equal(colourOf("Ann"), colourOf("Ann"));
  assert.match(colourOf(""), /^#[0-9a-f]{6}$/);
});

test("who is there is said in words", () => {
  assert.equal(whoInWords([]), "Nobody is here yet.");
  assert.equal(whoInWords(["Ann"]), "Ann is here.");
  assert.equal(whoInWords(["Ann", "Bo"]), "Ann and Bo are here.");
  assert.equal(whoInWords(["Ann", "Bo", "Cy", "Di"]), "Ann, Bo and 2 more are here.");
});

test("up to 32 people are all seen at once on a screen, and nobody stands on somebody", () => {
  for (const count of [1, 2, 5, 12, 32]) {
    for (const [width, height] of [[1256, 670], [1896, 950], [378, 640]]) {
      const shapes = Array.from({ length: count }, (_, n) => (n % 3 ? 16 / 9 : 4 / 3));
      const { places, height: all } = wall(shapes, { width, height, gap: 8, caption: 0 }, { most: 32, even: true });
      assert.equal(places.length, count);
      if (width > 1000) assert.equal(new Set(places.map((place) => place.height)).size, 1, "nobody is larger than somebody else");
      if (width > 1000) assert.ok(all <= height + 0.5, `${count} in ${width}x${height}`);
      places.forEach((one, n) => {
        assert.ok(one.x >= -0.5 && one.x + one.width <= width + 0.5);
        for (const other of places.slice(0, n)) {
          const apart = one.x >= other.x + other.width || other.x >= one.x + one.width || one.y >= other.y + other.height || other.y >= one.y + one.height;
          assert.ok(apart, `${count} in ${width}x${height}`);
        }
      });
    }
  }
});

test("of two people the other one is large and oneself in a corner; whoever is pinned is larger than all others together", () => {
  for (const [width, height] of [[1256, 670], [378, 640]]) {
    const room = { width, height, gap: 8 };
    const area = ({ width, height }) => width * height;
    const inside = ({ x, y, width: w, height: h }) => x >= -0.5 && y >= -0.5 && x + w <= width + 0.5 && y + h <= height + 0.5;
    const two = seats([4 / 3, 16 / 9], room, -1, 1).places;
    assert.ok(two.every(inside) && area(two[0]) > 4 * area(two[1]));
    assert.ok(two[1].x > width / 2 && two[1].y > height / 2);
    for (const count of [2, 5, 12, 32]) {
      const { places } = seats(Array(count).fill(16 / 9), room, 1, 0);
      const others = places.filter((_, at) => at !== 1);
      assert.ok(places.every(inside), `${count} in ${width}x${height}`);
      assert.ok(area(places[1]) > Math.max(...others.map(area)));
    }
  }
});

test("in a room each key does one thing, and those that mean something elsewhere are the room's own", () => {
  const keys = SHORTCUTS.filter(({ does }) => does.room).flatMap(({ keys }) => keys);
  assert.equal(new Set(keys).size, keys.length);
  const press = (key, where) => actionOf({ key, shiftKey: key === "?", ctrlKey: false, altKey: false, metaKey: false }, where);
  const room = { a: "sound", v: "video", d: "present", c: "chat", p: "pip", l: "share", m: "mirror", t: "statistics", s: "save",
    f: "fullscreen", h: "help", "?": "help", Escape: "back", 3: "open" };
  for (const [key, action] of Object.entries(room)) assert.equal(press(key, "room"), action, key);
  assert.deepEqual([press("c", "stage"), press("a", "stage"), press("v", "wall")], ["controls", "sound", null]);
});

/** Of a QR code: version by size, the three finders, the timing, and the format with its check. */
test("a QR code is built as readers expect, and what is too long gets none", () => {
  const code = qr("http://hub:8002/rooms/a1b2c3d4");
  assert.equal((code.length - 17) % 4, 0);
  for (const [x, y] of [[0, 0], [code.length - 7, 0], [0, code.length - 7]]) {
    const ring = Array.from({ length: 7 }, (_, n) => code[y][x + n] && code[y + 6][x + n] && code[y + n][x] && code[y + n][x + 6]);
    assert.ok(ring.every(Boolean));
    assert.ok(code[y + 3][x + 3] && !code[y + 1][x + 1]);
  }
  for (let at = 8; at < code.length - 8; at++) assert.equal(code[6][at], at % 2 === 0);
  let format = 0;
  for (const [x, y] of [[0, 8], [1, 8], [2, 8], [3, 8], [4, 8], [5, 8], [7, 8], [8, 8], [8, 7], [8, 5], [8, 4], [8, 3], [8, 2], [8, 1], [8, 0]]) {
    format = (format << 1) | Number(code[y][x]);
  }
  format ^= 0x5412;
  assert.equal(format >> 13, 0, "level M");
  for (let bit = 14; bit >= 10; bit--) if ((format >> bit) & 1) format ^= 0x537 << (bit - 10);
  assert.equal(format, 0, "the format's check");
  assert.notEqual(qr("x".repeat(600)), null);
  assert.equal(qr("x".repeat(700)), null);
});
