// Numbers that are shown: the budget and the last minute.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parts, SPANS } from "../budget.js";
import { LENGTH, Minute } from "../minute.js";
import { inWords } from "../words.js";

const spans = (...values) => Object.keys(SPANS).filter((span) => span !== "screen").map((span, at) => [span, values[at]]);

test("the parts of an age add up to it, as they are shown", () => {
  const cases = [
    [spans(0.44, 0.92, 0.17, 0.09, 1.64, 6.04), 9.1, 9.1],
    [spans(0.44, 0.92, 0.17, 0.09, 1.64, 6.04), 9.1, 157.33],
    [spans(0.04, 0.04, 0.04, 0.04, 0.04, 0.04), 0.3, 0.3],
    [spans(33.3, 8.1, 412.7, 0.2, 900.1, 3.9), 1300, 1350],
    [spans(33.3, 8.1, 412.7, 0.2, 12_000, 3.9), 12_400, 31_000],
    [spans(1, null, 2, null, 3, 4), 8, 8],
  ];
  for (const [budget, arrived, age] of cases) {
    const made = parts(budget, arrived, age);
    const digits = /\.(\d+)/.exec(inWords(age, 1))[1].length;
    const sum = made.reduce((sum, { text }) => sum + Number(text), 0);
    assert.equal(`${sum.toFixed(digits)} ${age < 999.5 ? "ms" : "s"}`, inWords(age, 1));
    assert.ok(Math.abs(made.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
    assert.ok(made.every(({ share }) => share >= 0));
  }
});

test("what a picture is older than when it came, it has become on the screen", () => {
  const made = parts(spans(1, 1, 1, 1, 1, 1), 6, 100);
  assert.deepEqual(made.at(-1), { span: "screen", share: 0.94, text: "94.0" });
});

test("nobody says where an age comes from that nobody knows", () => {
  assert.deepEqual(parts(spans(null, null, null, null, null, null), null, 9), []);
  assert.deepEqual(parts(spans(1, 1, 1, 1, 1, 1), 6, null), []);
  assert.deepEqual(parts(spans(1, 1, 1, 1, 1, 1), 6, 3_600_000), []);
});

test("the last minute has a number a second, and gaps where the page stood still", () => {
  const minute = new Minute();
  assert.equal(minute.path(590, 10), "");
  for (let ms = 0; ms < 5000; ms += 60) minute.add(ms, 1 + Math.floor(ms / 1000));
  assert.equal(minute.most, 5);
  assert.equal(minute.path(590, 10), "M550.0 8.0h.01L560.0 6.0L570.0 4.0L580.0 2.0L590.0 0.0");
  minute.add(8000, 5);
  assert.match(minute.path(590, 10), /M590\.0 0\.0h\.01$/);
  minute.add(9000, null);
  minute.add(1_000_000, 2);
  assert.deepEqual([minute.most, minute.path(590, 10)], [2, "M590.0 0.0h.01"]);
  for (let n = 1; n < 200; n++) minute.add(1_000_000 + 1000 * n, 7);
  assert.equal(minute.path(590, 10).split(/[ML]/).length - 1, LENGTH);
});
