// A camera's controls: what is read of them, and how changes are sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readControls, Steady } from "../control-list.js";

const BRIGHTNESS = { name: "brightness", label: "Brightness", type: "integer", min: 0, max: 255, step: 1, default: 128, value: 140 };

test("controls are read as the hub tells them, and what makes no sense is left out", () => {
  assert.equal(readControls({}), null);
  assert.equal(readControls(null), null);
  const [one] = readControls({ controls: [BRIGHTNESS] });
  assert.deepEqual([one.name, one.min, one.max, one.value, one.inactive, one.held_by], ["brightness", 0, 255, 140, false, ""]);
  const odd = [null, 7, {}, { name: "x" }, { ...BRIGHTNESS, type: "string" }, { ...BRIGHTNESS, value: "140" }, { ...BRIGHTNESS, min: 9, max: 9 },
    { ...BRIGHTNESS, name: "n".repeat(101) }, { name: "m", label: "M", type: "menu", value: 1, menu: [] }];
  assert.deepEqual(readControls({ controls: odd }), []);
  assert.equal(readControls({ controls: Array.from({ length: 500 }, (_, n) => ({ ...BRIGHTNESS, name: `c${n}` })) }).length, 128);
  const [evil] = readControls({ controls: [{ ...BRIGHTNESS, label: `a\u202eb\n${"x".repeat(500)}`, held_by: "\u0007", inactive: true }] });
  assert.match(evil.label, /^a\\u\{202e\}b\\u\{a\}x+…$/);
  assert.equal(evil.held_by, "\\u{7}");
  const [on, off] = readControls({ controls: [{ name: "a", type: "boolean", value: true }, { name: "b", type: "boolean", value: 0 }] });
  assert.deepEqual([on.value, on.told, off.value, off.told], [1, true, 0, false]);
});

test("a slider that is dragged sends ten changes a second at most, one at a time, and the newest of them", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const settle = async () => {
    for (let n = 0; n < 20; n++) await Promise.resolve();
  };
  const sent = [];
  let answer = null;
  const steady = new Steady((change) => {
    sent.push(change);
    return new Promise((resolve, reject) => (answer = { resolve, reject }));
  });
  steady.set({ brightness: 1 });
  for (let value = 2; value < 50; value++) steady.set({ brightness: value });
  steady.set({ contrast: 3 });
  assert.deepEqual(sent, [{ brightness: 1 }]);
  answer.resolve();
  await settle();
  assert.equal(sent.length, 1, "not before a tenth of a second is over");
  t.mock.timers.tick(100);
  await settle();
  assert.deepEqual(sent, [{ brightness: 1 }, { brightness: 49, contrast: 3 }]);
  steady.set({ brightness: 60 });
  t.mock.timers.tick(5000);
  await settle();
  assert.equal(sent.length, 2, "not before the hub has answered");
  answer.reject(new Error("gone"));
  await settle();
  assert.deepEqual(sent[2], { brightness: 60 }, "an error does not end it");
  steady.set({ brightness: 70 });
  steady.now({ reset: true });
  answer.resolve();
  t.mock.timers.tick(100);
  await settle();
  assert.deepEqual(sent[3], { reset: true }, "what waited before a reset is not sent after it");
  answer.resolve();
  t.mock.timers.tick(100);
  await settle();
  assert.deepEqual([sent.length, steady.isBusy], [4, false]);
});
