// How a stream is turned and mirrored, and what is remembered of it; and the keys.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { actionOf, keyFor, SHORTCUTS } from "../shortcuts.js";
import { inWords, mirrored, shapeOf, STRAIGHT, turned } from "../view.js";

let stored;
beforeEach(() => {
  stored = new Map();
  globalThis.location = new URL("http://desk:8002/#/main/door");
  globalThis.localStorage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) };
});

/** Every test has a browser of its own: what is kept in the page goes with it. */
let pages = 0;
const page = () => import(`../view.js?${++pages}`);

/** Where the left upper corner of a picture is seen, as a corner counted clockwise. */
const corner = ({ turn, mirror }) => (mirror ? [1, 0, 3, 2][turn] : turn);

test("rotating turns what is seen clockwise, mirrored or not, and four times is as before", () => {
  for (const start of [STRAIGHT, mirrored(STRAIGHT), turned(STRAIGHT), mirrored(turned(STRAIGHT))]) {
    assert.equal(corner(turned(start)), (corner(start) + 1) % 4);
    assert.deepEqual(turned(turned(turned(turned(start)))), start);
    assert.deepEqual(mirrored(mirrored(start)), start);
  }
  assert.equal(shapeOf(16 / 9, turned(STRAIGHT)), 9 / 16);
  assert.equal(shapeOf(16 / 9, mirrored(STRAIGHT)), 16 / 9);
  assert.deepEqual([STRAIGHT, turned(mirrored(STRAIGHT))].map(inWords), ["as it comes", "turned by 270°, mirrored"]);
});

test("a view is remembered for its stream, and for 200 streams at most", async () => {
  const before = await page();
  before.keepView("main/door", { turn: 1, mirror: true });
  before.keepView("main/gate", { turn: 2, mirror: false });
  const after = await page();
  assert.deepEqual(after.viewOf("main/door"), { turn: 1, mirror: true });
  assert.deepEqual(after.viewOf("main/other"), STRAIGHT);
  after.keepView("main/door", STRAIGHT);
  assert.deepEqual((await page()).viewOf("main/door"), STRAIGHT);
  for (let n = 0; n < 300; n++) after.keepView(`main/${n}`, { turn: 1, mirror: false });
  const kept = JSON.parse([...stored.values()][0]);
  assert.deepEqual([kept.length, kept.at(-1)[0]], [200, "main/299"]);
});

test("what was kept and makes no sense is nothing, and a browser that keeps nothing does no harm", async () => {
  for (const text of ["", "{", "{}", "[[1,2,3]]", '[["main/door",7,"yes"]]', "null", '[null]']) {
    localStorage.getItem = () => text;
    assert.deepEqual((await page()).viewOf("main/door"), STRAIGHT, text);
  }
  globalThis.localStorage = undefined;
  const { keepView, viewOf } = await page();
  keepView("main/door", { turn: 3, mirror: false });
  assert.deepEqual(viewOf("main/door"), { turn: 3, mirror: false });
});

const press = (key, where, keys = {}) => actionOf({ key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...keys }, where);

test("keys do what the help says of them, and no key two things", () => {
  for (const where of ["stage", "wall"]) {
    const keys = SHORTCUTS.filter(({ does }) => does[where]).flatMap(({ keys }) => keys);
    assert.equal(new Set(keys).size, keys.length);
  }
  const stage = { r: "rotate", M: "mirror", s: "save", t: "statistics", f: "fullscreen", h: "help", ArrowLeft: "previous", ArrowRight: "next" };
  for (const [key, action] of Object.entries(stage)) assert.equal(press(key, "stage"), action, key);
  assert.equal(press("?", "wall", { shiftKey: true }), "help");
  assert.deepEqual([press("3", "wall"), press("3", "stage"), press("r", "wall")], ["open", null, null]);
  assert.equal(keyFor("rotate"), "R");
});

test("Shift with R, and what the browser has its own meaning for do nothing", () => {
  assert.equal(press("R", "stage", { shiftKey: true }), null);
  assert.equal(press("A", "stage", { shiftKey: true }), null);
  for (const held of ["ctrlKey", "altKey", "metaKey"]) assert.equal(press("r", "stage", { [held]: true }), null);
});
