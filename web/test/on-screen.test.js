// What is said of the pictures on a canvas, on a virtual clock.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Standstill } from "../now.js";
import { OnScreen } from "../on-screen.js";

/** Pictures that are 4 ms old when they are drawn, until one second. Gives when the last one was. */
function showing(screen, every, from = 0, until = 1000) {
  let last = from;
  for (let at = from; at <= from + until; at += every) screen.shown(at, (last = at + 4));
  return last;
}

test("the next is late after three intervals, and lost two seconds later", () => {
  const screen = new OnScreen();
  const last = showing(screen, 33);
  for (const announced of [0, 33]) {
    screen.announced(announced);
    assert.equal(screen.coming(last + 95)[0], "in time");
    assert.equal(screen.coming(last + 105)[0], "late");
    assert.deepEqual(screen.coming(last + 2200), ["not", 2200]);
  }
  screen.announced(1000);
  assert.deepEqual([screen.coming(last + 2900)[0], screen.coming(last + 3100)[0]], ["in time", "late"]);
});

test("the first gap is no rhythm, however long, and neither is a pause", () => {
  const screen = new OnScreen();
  screen.announced(33);
  screen.shown(0, 4);
  screen.shown(20_000, 20_004);
  assert.deepEqual([screen.coming(20_100)[0], screen.coming(20_110)[0]], ["in time", "late"]);
  const last = showing(screen, 33, 20_033, 300);
  screen.shown(last + 5000, last + 5004);
  assert.deepEqual([screen.coming(last + 5100)[0], screen.coming(last + 5110)[0]], ["in time", "late"]);
});

test("whoever leaves out what is the same sends one a second, and is followed after two", () => {
  const screen = new OnScreen();
  let last = showing(screen, 33);
  for (let n = 0; n < 2; n++) screen.shown(last + 1000, (last += 1004));
  assert.deepEqual([screen.coming(last + 2900)[0], screen.coming(last + 3100)[0]], ["in time", "late"]);
});

test("a first picture that is old on arrival is not live", () => {
  for (const reconnects of [false, true]) {
    const screen = new OnScreen();
    let at = 0;
    if (reconnects) {
      at = showing(screen, 33);
      screen.anew();
    }
    screen.announced(33);
    screen.shown(at, at + 8000);
    assert.deepEqual(screen.coming(at + 8000), ["not", 7000]);
    // Those that follow are as old, and come as they should.
    for (let n = 1; n < 4; n++) screen.shown(at + 33 * n, at + 8000 + 33 * n);
    assert.equal(screen.coming(at + 8100)[0], "in time");
  }
  const restated = new OnScreen();
  restated.announced(33);
  restated.shown(8000, 8000);
  assert.equal(restated.coming(8050)[0], "in time", "nobody knows better yet");
  restated.restated(0);
  assert.deepEqual([restated.coming(8050), restated.age(8050)], [["not", 7050], 8050]);
  const slow = new OnScreen();
  slow.announced(33);
  slow.shown(0, 900);
  assert.equal(slow.coming(900)[0], "in time", "a slow link");
  const posted = new OnScreen();
  posted.shown(0, 8000);
  assert.deepEqual([posted.coming(900_000)[0], posted.age(900_000)], ["in time", 900_000]);
});

test("what waited while the page stood still is not live, and nobody is blamed for the silence", () => {
  const screen = new OnScreen();
  const standstill = new Standstill();
  const last = showing(screen, 33);
  for (let at = 0; at <= last; at += 60) assert.equal(standstill.look(at), 0);
  const resumed = last + 5000;
  assert.ok(standstill.look(resumed) > 5000 - 60 && standstill.justEnded(resumed) > 5000 - 60);
  screen.resumed(resumed);
  for (const captured of [last + 29, last + 62, last + 2000]) {
    screen.shown(captured, resumed + 10);
    assert.notEqual(screen.coming(resumed + 10)[0], "in time", captured);
  }
  screen.shown(resumed + 16, resumed + 20);
  assert.equal(screen.coming(resumed + 30)[0], "in time");
  assert.equal(standstill.look(resumed + 900), 0);
  assert.equal(standstill.justEnded(resumed + 1001), 0);
});

test("a picture whose time nobody knows has no age", () => {
  const screen = new OnScreen();
  screen.shown(null, 500);
  assert.deepEqual([screen.age(700), screen.shownAge(null, 700), screen.coming(700)[0]], [null, null, "in time"]);
});

test("what cannot be decoded is said, with the reason, when the next is late", () => {
  const screen = new OnScreen();
  const last = showing(screen, 33);
  screen.broken("no JPEG");
  assert.equal(screen.coming(last + 33)[0], "in time");
  assert.deepEqual([screen.coming(last + 105)[0], screen.why], ["broken", "no JPEG"]);
  screen.shown(last + 196, last + 200);
  assert.deepEqual([screen.coming(last + 201)[0], screen.why], ["in time", ""]);
});
