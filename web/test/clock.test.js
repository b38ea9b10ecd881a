// The hub's clock on a virtual one: no browser, no waiting.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Clockwork } from "../now.js";
import { Session } from "../session.js";

/** What an age may be wrong by, in milliseconds; and a stream's time from picture to picture. */
const RIGHT = 5;
const APART = 33;
/** A picture in segments: a small one, as it becomes on a path with loss. */
const SEGMENTS = 4;

/** Numbers that look like chance, the same in every run. */
function chance(seed) {
  let state = seed;
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}

/** One way of a connection over TCP: what was lost comes late, and everything behind it waits. */
class Way {
  #on = [];

  constructor(takes, lost, below) {
    Object.assign(this, { takes, lost, below });
  }

  send(now, segments, what) {
    let lost = false;
    for (let i = 0; i < segments; i++) lost = this.below(100) < this.lost || lost;
    const again = lost ? 2 * this.takes + this.below(250) : 0;
    this.#on.push({ at: Math.max(this.#on.at(-1)?.at ?? 0, now + this.takes + again), what });
  }

  arrived(now) {
    return this.#on.length && this.#on[0].at <= now ? this.#on.shift().what : null;
  }
}

/** A stream whose hub's clock is set by `by` at `at`: until when ages were told wrong, and how many without a flag. */
function run({ takes, lost, by, at, seed, grain = 0, slewed = 0 }) {
  const below = chance(seed);
  const session = new Session(grain);
  const [there, back] = [new Way(takes, lost, below), new Way(takes, lost, below)];
  const ours = (ms) => (grain ? Math.floor(ms / grain) * grain : ms);
  const theirs = (ms) => ms + 70_000 + (ms >= at ? by : 0) + ms * slewed;
  const wrong = { unflagged: 0, until: 0, flagged: 0, worst: 0 };
  let [next, inARow] = [0, 0];
  const ping = (ms) => there.send(ms, 1, { sent: ours(ms) });
  for (let ms = 0; ms < at + 8000; ms++) {
    if (ms >= next) {
      ping(ms);
      next = ms + session.pinged();
    }
    for (let what; (what = there.arrived(ms)); ) back.send(ms, 1, { ...what, theirs: theirs(ms) });
    if (ms % APART === 0) back.send(ms, SEGMENTS, { at: ms, captured: theirs(ms) });
    for (let what; (what = back.arrived(ms)); ) {
      if (what.captured === undefined) {
        if (session.learn(what.sent, what.theirs, ours(ms))) next = ms;
        continue;
      }
      const spans = { capture: 0, encode: 0, uplink: 0, hub: 0 };
      const told = session.came({ captured: what.captured, estimated: false, arrival: false, spans }, ours(ms));
      if (told.ask) ping(ms);
      const off = Math.abs(ours(ms) - told.captured - (ms - what.at));
      if (!told.estimated) wrong.worst = Math.max(wrong.worst, off);
      // On a path with loss only pictures that were not held up tell of a step.
      if (what.at >= at && inARow < 3) inARow = ms === what.at + takes ? inARow + 1 : 0;
      const tells = lost === 0 || ms < at || inARow === 3;
      if (tells && !told.estimated && off > Math.max(RIGHT, session.error ?? 0)) wrong.unflagged++;
      if (off > RIGHT + grain && ms >= at) wrong.until = ms - at;
      if (told.estimated && ms >= at) wrong.flagged = ms - at;
    }
  }
  return wrong;
}

function* cases(takes, lost, seeds) {
  for (const size of [5, 6, 8, 11, 15, 20, 30, 45, 60, 74, 76, 90, 110, 130, 140]) {
    for (const by of [size, -size]) {
      for (const at of [20, 60, 100, 160, 190, 220, 260, 300, 400, 600, 900, 2500, 5430]) {
        for (let seed = 1; seed <= seeds; seed++) yield { takes, lost, by, at, seed: seed * 7919 + at };
      }
    }
  }
}

function failures(all, isRight) {
  const failed = [...all].map((c) => ({ ...c, ...run(c) })).filter((wrong) => !isRight(wrong));
  return failed.length ? `${failed.length}: ${JSON.stringify(failed.slice(0, 8), null, 1)}` : "";
}

test("a small step is told wrong by no more than the bound, and right within a second", () => {
  for (const takes of [0, 5, 75]) {
    const failed = failures(cases(takes, 0, 1), (w) => w.unflagged === 0 && w.until < 1000 && w.flagged < 2000);
    assert.equal(failed, "", `${takes} ms`);
  }
});

test("under loss a small step is flagged when three pictures came in time, and right within three seconds", () => {
  for (const takes of [0, 5, 75]) {
    const failed = failures(cases(takes, 2, 5), (w) => w.unflagged === 0 && w.until < 3000);
    assert.equal(failed, "", `${takes} ms`);
  }
});

test("a large step is flagged at once, and right within a second", () => {
  for (const takes of [0, 5, 75]) {
    for (const by of [-60_000, -5000, -1000, 1000, 5000, 60_000]) {
      const wrong = run({ takes, lost: 0, by, at: 10_000, seed: 1 });
      assert.ok(wrong.unflagged === 0 && wrong.until < 1000, `${by} ms, ${takes} ms: ${JSON.stringify(wrong)}`);
    }
  }
});

test("a clock that is slewed is followed", () => {
  for (const slewed of [200, 500, 700, 1000]) {
    for (const takes of [0, 1, 5, 10, 25, 75]) {
      for (const sign of [1, -1]) {
        const wrong = run({ takes, lost: 0, by: 0, at: 60_000, seed: 1, slewed: sign * slewed * 1e-6 });
        assert.ok(wrong.worst <= RIGHT, `${sign * slewed} millionths, ${takes} ms: ${JSON.stringify(wrong)}`);
      }
    }
  }
});

test("a browser with a coarse clock says by how much it may be wrong", () => {
  for (const grain of [1, 16.67, 100]) {
    for (const takes of [0, 5, 75]) {
      for (const by of [0, 60, -140]) {
        const wrong = run({ takes, lost: 0, by, at: 6000, seed: 1, grain });
        assert.equal(wrong.unflagged, 0, JSON.stringify({ grain, takes, by, ...wrong }));
        if (grain < 100) assert.ok(wrong.until < 1200, JSON.stringify({ grain, takes, by, ...wrong }));
        // What a clock of a hundredth of a second or more says is never more than an estimate.
        if (grain > 2) assert.equal(wrong.worst, 0, JSON.stringify({ grain, takes, by, ...wrong }));
      }
    }
  }
});

test("a coarse clock is not taken for one that is set again and again", () => {
  for (const grain of [1, 16.67, 100]) {
    const session = new Session(grain);
    const ours = (ms) => Math.floor(ms / grain) * grain;
    for (let n = 0; n < 300; n++) {
      const sent = 41 * n + (n % 7);
      assert.equal(session.learn(ours(sent), sent + 9005, ours(sent + 10)), false, `${grain} ms, answer ${n}`);
    }
  }
});

test("a picture of yesterday is a day old, and what no clock can say is not known", () => {
  const session = new Session();
  const spans = { capture: 1, encode: 1, uplink: 1, hub: 1 };
  const told = (captured, at) => session.came({ captured, estimated: false, arrival: false, spans }, at);
  assert.deepEqual(told(5, 1000), { captured: 996, estimated: true, arrival: true, ask: false }, "nothing is known yet");
  const now = 40 * 86_400_000;
  session.learn(now, now + 7000.5, now + 1);
  for (const age of [10, 3_700_000, 86_400_000]) {
    assert.equal(told(now + 7000 - age, now).captured, now - age, `${age} ms`);
    session.pinged();
    session.learn(now, now + 7000.5, now + 1);
  }
  for (const captured of [now - 31 * 86_400_000, now + 90_000]) {
    assert.deepEqual({ ...told(captured, now), ask: false }, { captured: now - 4, estimated: true, arrival: true, ask: false });
  }
});

test("the picture that came before the first answer is as old as it is, once there is one", () => {
  const session = new Session();
  const picture = { captured: 107_000, estimated: false, arrival: false, spans: { capture: 0, encode: 0, uplink: 0, hub: 0 } };
  assert.deepEqual([session.came(picture, 7_300_000).captured, session.restated()], [7_300_000, null]);
  session.learn(7_300_001, 7_307_002, 7_300_003);
  assert.deepEqual(session.restated(), { picture, known: { captured: 100_000, estimated: false, arrival: false } });
  assert.equal(session.restated(), null);
});

test("the time that a machine slept counts, and a clock that is set back does nothing", () => {
  let [monotonic, wall] = [500, 1_000_000];
  const clock = new Clockwork(() => monotonic, () => wall);
  const pass = (ms, sleeps = 0) => {
    monotonic += ms;
    wall += ms + sleeps;
    return clock.now();
  };
  assert.equal(pass(1000), 1500);
  assert.equal(pass(10, 30_000), 31_510);
  assert.equal(clock.jumps, 1);
  assert.equal(pass(10), 31_520);
  assert.equal(pass(10, -3_600_000), 31_530, "set back by an hour");
  assert.equal(pass(10, 300), 31_540, "slewed");
  assert.equal(clock.jumps, 1);
});

test("what a clock is rounded to is measured", () => {
  for (const grain of [0.005, 0.1, 1, 16.67, 100]) {
    let reads = 0;
    const read = () => Math.floor((reads++ * 0.002) / grain) * grain;
    assert.ok(Math.abs(new Clockwork(read, () => 0).grain() - grain) < 0.01 + grain / 1e6, `${grain}`);
  }
  assert.equal(new Clockwork(() => 7, () => 0).grain(), 100, "it stands still");
});
