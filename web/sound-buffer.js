// @ts-check
// What waits of one stream's sound between the network and the ear: pure, with the time as an argument. It waits for as long as the
// spread of the ways makes needful, hides what is missing, and follows the other clock. Times are milliseconds.

/** Samples a second, and of a packet. */
export const RATE = 48_000;
const PER_MS = RATE / 1000;
const PACKET = 20;
/** How long sound waits at least and at most. */
const LEAST = 20;
const MOST = 200;
/** Of the spread that is seen so much is waited for, and a little more: threads are not on time to the millisecond. */
const SHARE = 0.985;
const MARGIN = 12;
/** How the spread is counted, and how fast it is forgotten: a packet counts half after 3.5 s. */
const STEP = 4;
const STEPS = 64;
const FORGETS = 0.996;
/** Until more is known, a way is taken to spread by so much: that counts as a part of a packet. */
const FIRST = { step: 7, counts: 0.5 };
/** For how long the quickest way is remembered: this long at least, twice this at most. */
const REMEMBER = 10_000;
/** What comes so soon behind another was held up by the same. */
const TOGETHER = 5;
/** A way that is longer than the quickest by more than is waited for, for so long, is another way. */
const ANOTHER = 1000;
/** A time that differs from the one before by so much is of another clock. */
const JUMP = 1000;
/** So many numbers at once are left out by no network: the publisher began anew. */
const ANEW = 500;
/** Times of packets that follow each other are not exact. */
const NEAR = 15;
/** What is lost for longer is not made up. */
const HIDES = 100;
/** For how long what is missing goes on, more and more quietly; and how what is there is faded in. */
const FADES = 60 * PER_MS;
const BLENDS = 5 * PER_MS;
/** Sound is made faster or slower by so much at most: nobody hears that. At 20 ms too much or too little it is. */
const BEND = 0.02;
const BENDS_AT = 140;
/** So much more than is needed is left out at once. */
const EXCESS = 100;
/** No more than this waits, whatever comes. */
const HOLDS = 1000 / PACKET;
/** Periods of voices, in samples. */
const [SHORTEST, LONGEST] = [2.5 * PER_MS, 15 * PER_MS];

/**
 * @typedef {{sequence: number, time: number, samples: Float32Array}} Packet  `time` is of its first sample, in the sender's clock
 * @typedef {Packet & {begins: boolean, missing: number}} Waiting  `begins`: after a pause; `missing`: samples that were lost before it
 * @typedef {{delay: number, target: number, lost: number, late: number, skipped: number, hidden: number}} Numbers
 *   `lost` on the way, `late` for their turn, `skipped` because too many waited: packets. `hidden`: milliseconds that were made up
 */

/** How long packets take, more than the quickest: by that it is known how long to wait. */
class Spread {
  /** The least of arrival less time, in this span and the one before. */
  #least = [Infinity, Infinity];
  #turned = -Infinity;
  /** The same of the last second, and when that began. */
  #lately = Infinity;
  #since = -Infinity;
  #steps = new Float64Array(STEPS);
  target = LEAST;

  constructor() {
    this.#steps[FIRST.step] = FIRST.counts;
  }

  /** Arrival less time of the quickest. */
  get base() {
    return Math.min(...this.#least);
  }

  /** @param {number} took  arrival less time @param {number} now @param {boolean} counts  nothing that was held up came just before */
  learn(took, now, counts) {
    if (now - this.#turned > REMEMBER) {
      this.#least = [Infinity, now - this.#turned > 2 * REMEMBER ? Infinity : this.#least[0]];
      this.#turned = now;
    }
    this.#least[0] = Math.min(this.#least[0], took);
    this.#lately = Math.min(this.#lately, took);
    if (now - this.#since > ANOTHER) {
      if (this.#lately !== Infinity && this.#lately > this.base + MOST) {
        this.#least = [this.#lately, Infinity];
        this.#steps.fill(0);
      }
      [this.#lately, this.#since] = [took, now];
    }
    if (!counts) return;
    for (let at = 0; at < STEPS; at++) this.#steps[at] *= FORGETS;
    this.#steps[Math.min(STEPS - 1, Math.max(0, Math.floor((took - this.base) / STEP)))]++;
    let left = SHARE * this.#steps.reduce((sum, count) => sum + count, 0);
    const at = this.#steps.findIndex((count) => (left -= count) <= 0);
    this.target = Math.min(MOST, Math.max(LEAST, (at + 1) * STEP + MARGIN));
  }

  /** The other clock was set: what came by it so far took so much longer than was thought. @param {number} by */
  shift(by) {
    this.#least = this.#least.map((least) => least + by);
    this.#lately += by;
  }
}

/** Goes on with the sound that was, more and more quietly. */
class Hiding {
  /** The last period. */
  #period = new Float32Array(1);
  #at = 0;
  #left = 0;

  /** @param {Float32Array} before  what was heard last */
  begin(before) {
    const length = periodOf(before);
    this.#period = before.slice(before.length - length);
    this.#at = 0;
    this.#left = before.length ? FADES : 0;
  }

  next() {
    if (this.#left <= 0) return 0;
    const value = this.#period[this.#at] * (this.#left-- / FADES);
    this.#at = (this.#at + 1) % this.#period.length;
    return value;
  }
}

/** How long a period of this sound is, in samples: where it is most like itself. @param {Float32Array} sound */
function periodOf(sound) {
  const window = Math.min(LONGEST, sound.length - LONGEST);
  if (window < SHORTEST) return Math.max(1, Math.min(sound.length, LONGEST));
  const from = sound.length - window;
  let [best, period] = [-Infinity, LONGEST];
  for (let lag = SHORTEST; lag <= LONGEST; lag += 2) {
    let [alike, power] = [0, 1e-9];
    for (let at = from; at < sound.length; at += 4) {
      alike += sound[at] * sound[at - lag];
      power += sound[at - lag] ** 2;
    }
    const says = alike / Math.sqrt(power);
    if (says > best) [best, period] = [says, lag];
  }
  return period;
}

/** Between four samples, at `t` from the second to the third. @param {number} a @param {number} b @param {number} c @param {number} d @param {number} t */
export const between = (a, b, c, d, t) =>
  b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));

export class SoundBuffer {
  /** @type {Waiting[]} */
  #waiting = [];
  /** Where in the first that waits, in samples. */
  #at = 0;
  /** It is heard; else there is a pause. */
  #plays = false;
  /** It was heard: what came before anybody could hear is not missing. */
  #began = false;
  #spread = new Spread();
  #hiding = new Hiding();
  /** What was lost is being made up. */
  #mends = false;
  /** Samples that were made up since it was heard. */
  #made = 0;
  /** Samples that are to be faded in. */
  #blend = 0;
  /** The last that were heard to their end. @type {Float32Array[]} */
  #heard = [];
  /** The number that comes next; -1: any. */
  #next = -1;
  /** When what came last ends, in the sender's clock. */
  #end = 0;
  #took = 0;
  #came = 0;
  #numbers = { delay: 0, lost: 0, late: 0, skipped: 0, hidden: 0 };

  /** A packet came. @param {Packet} packet @param {number} now */
  put(packet, now) {
    const { sequence, time, samples } = packet;
    const took = now - time;
    const ahead = this.#next < 0 ? 0 : (sequence - this.#next) | 0;
    const anew = this.#next < 0 || Math.abs(ahead) >= ANEW || Math.abs(took - this.#took) > JUMP || (ahead < 0 && time > this.#end);
    if (!anew && ahead < 0) {
      this.#numbers.late++;
      return;
    }
    if (anew) this.#spread = new Spread();
    const pause = time - this.#end;
    // Nobody records two packets at once.
    if (!anew && ahead === 0 && pause < -NEAR) this.#spread.shift(-pause);
    this.#spread.learn(took, now, anew || took > this.#took || now - this.#came > TOGETHER);
    if (!anew) this.#numbers.lost += ahead;
    const missing = !anew && ahead > 0 && ahead * PACKET <= HIDES && pause <= HIDES + NEAR ? ahead * PACKET * PER_MS : 0;
    const begins = anew || (!missing && (ahead > 0 || pause > NEAR));
    this.#waiting.push({ sequence, time, samples, begins, missing });
    this.#next = (sequence + 1) >>> 0;
    this.#end = time + samples.length / PER_MS;
    this.#took = took;
    this.#came = now;
    if (this.#waiting.length > HOLDS) this.#leaveOut();
  }

  /** Adds what is to be heard now. @param {Float32Array} out @param {number} now  when its first sample is heard */
  take(out, now) {
    for (let at = 0; at < out.length;) {
      const when = now + at / PER_MS;
      const [first] = this.#waiting;
      const wait = first ? this.#wait(first, when) : out.length;
      if (wait > 0) at = this.#hide(out, at, wait);
      else if (first.missing > 0) {
        const from = at;
        at = this.#hide(out, at, first.missing);
        first.missing -= at - from;
        this.#mends = first.missing > 0;
      } else {
        at = this.#play(out, at, first, when);
      }
    }
  }

  /** How many samples are to be waited for before this packet. @param {Waiting} first @param {number} when */
  #wait(first, when) {
    // In the middle of a word there is no waiting; after a pause what comes begins as late as is needful.
    if (this.#plays && !(first.begins && this.#at < 1)) return 0;
    if (first.missing > 0 && (this.#plays || this.#mends)) return 0;
    // What was lost was waited for meanwhile.
    first.missing = 0;
    const due = first.time + this.#spread.base + this.#spread.target;
    const wait = Math.ceil((due - when) * PER_MS);
    return wait > 0 ? wait : 0;
  }

  /** The sound ends for now. */
  #pause() {
    const before = new Float32Array(this.#heard.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const samples of this.#heard) {
      before.set(samples, at);
      at += samples.length;
    }
    this.#hiding.begin(before);
    this.#plays = false;
  }

  /** Goes on with what was. Gives where that ends. @param {Float32Array} out @param {number} at @param {number} most */
  #hide(out, at, most) {
    if (this.#plays) this.#pause();
    const end = Math.min(out.length, at + most);
    for (; at < end; at++) {
      out[at] += this.#hiding.next();
      this.#made++;
    }
    return at;
  }

  /** Plays of a packet. Gives where that ends. @param {Float32Array} out @param {number} at @param {Waiting} first @param {number} when */
  #play(out, at, first, when) {
    if (!this.#plays) {
      this.#plays = this.#began = true;
      this.#blend = BLENDS;
      if (!first.begins) this.#numbers.hidden += this.#made / PER_MS;
      this.#made = 0;
    }
    const delay = when - this.#spread.base - first.time - this.#at / PER_MS;
    this.#numbers.delay += (delay - this.#numbers.delay) / 16;
    const much = delay - this.#spread.target;
    if (much > EXCESS && this.#waiting.length > 1 && this.#at < 1) {
      this.#leaveOut();
      this.#pause();
      return at;
    }
    const speed = 1 + Math.sign(much) * Math.min(BEND, (much / BENDS_AT) ** 2);
    const { samples } = first;
    const before = this.#heard.at(-1);
    const follows = this.#waiting[1];
    const after = follows && !follows.begins && !follows.missing ? follows.samples : null;
    // Between the last of this one and the first of the next there may be a sample, too.
    const over = after ? samples.length : samples.length - 1 + 1e-6;
    const last = samples.length - 1;
    /** @param {number} n */
    const sample = (n) => {
      if (n < 0) return before?.[before.length + n] ?? samples[0];
      return n <= last ? samples[n] : after?.[n - last - 1] ?? samples[last];
    };
    for (; at < out.length && this.#at < over; at++, this.#at += speed) {
      const n = Math.floor(this.#at);
      const t = this.#at - n;
      let value = samples[n];
      if (t > 0) {
        value = n > 0 && n < last - 1 ? between(samples[n - 1], value, samples[n + 1], samples[n + 2], t)
          : between(sample(n - 1), value, sample(n + 1), sample(n + 2), t);
      }
      if (this.#blend > 0) {
        const share = this.#blend-- / BLENDS;
        value += share * (this.#hiding.next() - value);
      }
      out[at] += value;
    }
    if (this.#at >= over) {
      this.#over(first);
      this.#at = Math.max(0, this.#at - samples.length);
    }
    return at;
  }

  /** A packet is done with. @param {Waiting} first */
  #over(first) {
    this.#waiting.shift();
    this.#heard.push(first.samples);
    if (this.#heard.length > 2) this.#heard.shift();
  }

  /** There is too much. */
  #leaveOut() {
    this.#waiting.shift();
    this.#at = 0;
    if (this.#began) this.#numbers.skipped++;
  }

  /** @returns {Numbers} */
  get numbers() {
    return { ...this.#numbers, target: this.#spread.target };
  }
}

/** Samples at another rate: of microphones that have one of their own. */
export class Resampler {
  #step;
  /** The last three of before. */
  #tail = new Float32Array(3);
  /** Where the next one is, in samples from the beginning of the tail. */
  #at = 1;

  /** @param {number} from @param {number} [to]  samples a second */
  constructor(from, to = RATE) {
    this.#step = from / to;
  }

  /** @param {Float32Array} samples @returns {Float32Array} */
  next(samples) {
    if (this.#step === 1) return samples;
    const all = new Float32Array(3 + samples.length);
    all.set(this.#tail);
    all.set(samples, 3);
    const out = new Float32Array(Math.ceil(all.length / this.#step));
    let count = 0;
    for (; this.#at < all.length - 2; this.#at += this.#step) {
      const k = Math.floor(this.#at);
      out[count++] = between(all[k - 1], all[k], all[k + 1], all[k + 2], this.#at - k);
    }
    this.#at -= samples.length;
    this.#tail = all.slice(all.length - 3);
    return out.subarray(0, count);
  }
}
