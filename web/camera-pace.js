// @ts-check
// When the next picture of the camera may be given to the hub, and how large it may be, as `pacing` of the native sender has it
// where nothing but acknowledgements tells; there the rules are explained. Times are milliseconds, rates bytes a millisecond.

/** Bytes that may be missing without meaning anything. */
const GRACE = 3000;
/** How far ahead of the moment when the queue is empty a picture is given: timers are coarse. */
const EARLY_SEND = 2;
/** The longest that an answer waits before it asks again. */
const ASK_AGAIN = 50;
/** Silence after which one picture is given although acknowledgements are missing. */
const PROBE_AFTER = 1000;
/** Pictures that can be under way at all. */
const MOST = 512;
/** For how long the least round trip is remembered: this long at least, twice this at most. */
const ROUND_TRIP = 150_000;

/** Busy time that the rate remembers. */
const MEMORY = 300;
/** How long the best rate of a picture is remembered: once to twice this. */
const BEST = 700;
/** How much faster a link is taken to be for each picture that was there before anyone looked; and none is taken to be faster. */
const PROBE_GAIN = 1.02;
const FASTEST = 1e7;
/** What was heard so much later than it came is as good as heard at once. */
const AT_ONCE = 6;
/** No picture takes less. */
const QUICKEST = 0.05;

/** The share of the interval that a picture should take to cross the link, and that it may take. */
const SHARE = 0.85;
const MAY_TAKE = 0.95;
/** Between two levels: an eighth of a doubling. */
const STEP = 2 ** (1 / 8);
/** Bytes below which nothing is a picture. */
const LEAST = 512;
/** How long the link must show room before the first step up, and the longest that failures make it wait. */
const HOLD = 700;
const LONGEST_HOLD = 5000;
/** How long a link must be slow to be slow. */
const CERTAIN = 200;
/** Between two steps up while the link goes on showing room. */
const STRIDE = 400;
/** A step up is a failure if it has to be taken back within this time, and forgives one if it held so long. */
const TRIAL = 1500;
const PROVEN = 5000;

/** How fast the link drains, learned from what arrives while something waits for it. */
class DeliveryRate {
  delivered = 0;
  #progress = -Infinity;
  #mean = { bytes: 0, time: 0 };
  /** The same, since the link is busy without a break. */
  #run = { bytes: 0, time: 0 };
  /** Of a picture that found the link empty. */
  #best = [0, 0];
  #turned = -Infinity;

  /**
   * Everything up to byte `upto`, where a picture of `length` ends, is there.
   * @param {number} upto
   * @param {number} length
   * @param {number} due  when the first byte not known to be there was due
   * @param {number} now
   * @param {boolean} late  more is overdue
   * @param {boolean} exact  it came just now; else some time before
   */
  arrived(upto, length, due, now, late, exact) {
    const news = Math.max(0, upto - this.delivered);
    const time = Math.max(QUICKEST, now - Math.max(this.#progress, due));
    if (exact) {
      if (now - this.#turned > BEST) {
        this.#best = [0, now - this.#turned > 2 * BEST ? 0 : this.#best[0]];
        this.#turned = now;
      }
      if (news * 2 > length && this.#progress <= due) {
        this.#best[0] = Math.max(this.#best[0], news / Math.max(QUICKEST, now - due));
      }
    }
    // Heard later than it came, a rate is a lower bound: it says nothing against a higher one.
    const says = late || (exact ? news * 2 > length : this.#mean.time > 0 && news / time > this.#mean.bytes / this.#mean.time);
    if (says) this.#mean = added(this.#mean, news, time, exact ? 0.9 : 1);
    // But all that was due is there, so there may be room beyond it, and only trying shows how much.
    else if (!late && this.#mean.time > 0) this.#mean.time = Math.max(this.#mean.time / PROBE_GAIN, this.#mean.bytes / FASTEST);
    this.#run = late ? added(this.#run, news, time, 1) : { bytes: 0, time: 0 };
    if (news > 0 || late) {
      this.delivered = Math.max(this.delivered, upto);
      this.#progress = now;
    }
  }

  /** The same, and nobody knows how long it took. @param {number} upto @param {number} now */
  passed(upto, now) {
    this.delivered = Math.max(this.delivered, upto);
    this.#progress = now;
  }

  /** The rate of the last pictures, or what is certain of it while `overdue` bytes are; null before the first. @param {number} now @param {number} due @param {number} overdue */
  rate(now, due, overdue) {
    if (!this.#mean.time) return null;
    const mean = this.#mean.bytes / this.#mean.time;
    const open = now - Math.max(this.#progress, due);
    if (!overdue || open <= 0) return mean;
    const certain = added(this.#mean, overdue, open, 1);
    return Math.min(mean, certain.bytes / certain.time);
  }

  get best() {
    return Math.max(...this.#best);
  }

  /** The rate to plan the next picture with. @param {number} now @param {number} due @param {number} overdue */
  cautious(now, due, overdue) {
    const rate = this.rate(now, due, overdue);
    if (rate === null) return null;
    return Math.max(1e-3, this.#run.time ? Math.min(rate, (this.#run.bytes + GRACE) / this.#run.time) : rate);
  }
}

/** @param {{bytes: number, time: number}} mean @param {number} bytes @param {number} time @param {number} weight */
function added(mean, bytes, time, weight) {
  const keep = weight * Math.exp(-time / MEMORY);
  return { bytes: mean.bytes * keep + bytes, time: mean.time * keep + time };
}

/** The level at or under so many bytes. @param {number} bytes */
const grid = (bytes) => 2 ** (Math.floor(Math.log2(Math.max(LEAST, bytes)) * 8 + 1e-9) / 8);

/** How many bytes a picture may have so that the link carries it within the interval: down at once, up slowly. */
class RateController {
  /** `Infinity`: any. */
  level = Infinity;
  /** @type {number | null} */
  #lowSince = null;
  /** @type {number | null} */
  #roomSince = null;
  #hold = HOLD;
  /** @type {number | null} */
  #raised = null;

  /**
   * Looks at the link again, for every picture.
   * @param {number} now
   * @param {{sure: number, best: number}} rate
   * @param {number} interval
   * @param {number} picture  bytes of the last one
   */
  update(now, rate, interval, picture) {
    const level = Math.max(LEAST, this.level === Infinity ? picture : this.level);
    if (MAY_TAKE * rate.sure * interval < level) {
      this.#roomSince = null;
      this.#lowSince ??= now;
      if (now - this.#lowSince < CERTAIN) return;
      if (this.#raised !== null && now - this.#raised < TRIAL) this.#hold = Math.min(LONGEST_HOLD, 2 * this.#hold);
      this.#raised = null;
      this.level = grid(SHARE * rate.sure * interval);
      return;
    }
    this.#lowSince = null;
    if (this.level !== Infinity) this.#raise(now, SHARE * rate.best * interval, picture);
  }

  /** @param {number} now @param {number} wanted @param {number} picture */
  #raise(now, wanted, picture) {
    const level = this.level;
    if (this.#raised !== null && now - this.#raised > PROVEN) {
      this.#raised = null;
      this.#hold = Math.max(HOLD, this.#hold / 2);
    }
    if (wanted < level * STEP) {
      this.#roomSince = null;
      return;
    }
    this.#roomSince ??= now;
    const climbing = this.#raised !== null && now - this.#raised < TRIAL;
    if (now - this.#roomSince < (climbing ? STRIDE : this.#hold)) return;
    this.#roomSince = null;
    // Either the level does not bind, for the camera's own quality does; or four levels at a time while there is plenty.
    if (picture < level * 0.7 && wanted > picture * 2) this.level = Infinity;
    else this.level = grid(level * (wanted > level * 1.6 ? STEP ** 4 : STEP) * 1.001);
    this.#raised = now;
  }
}

/**
 * The pacing of the way to the hub: at most one picture is held, by whoever asks, and the newest goes.
 *
 * Whoever encodes in the same thread hears acknowledgements late, and so does every program of a machine that is busy; that is not the
 * link's doing. So a ping goes before each picture, and what the picture took is counted from its answer on: what holds up the one,
 * here or in the hub, holds up the other. And what may have lain unread counts from when that began.
 */
export class Pacer {
  #delivery = new DeliveryRate();
  #rate = new RateController();
  /**
   * Pictures under way; `due`: when the ping before it was answered, and its first byte was about there.
   * @type {{sequence: number, start: number, before: number, end: number, due: number | null}[]}
   */
  #given = [];
  #written = 0;
  #lastGiven = -Infinity;
  #heard = -Infinity;
  /** Mean and mean deviation of the time until a picture is acknowledged. */
  #delay = 0;
  #jitter = 0;
  /** The least round trip, in this span and the one before. */
  #least = [Infinity, Infinity];
  #turned = -Infinity;
  /** When the last ping left that found nothing under way. @type {number | null} */
  #pinged = null;
  /** The last frame: its number and the bytes of all its pictures. */
  #last = { sequence: -1, bytes: 0 };

  /**
   * May a picture be given now? 0: yes. Else how long to wait before the next question, if no acknowledgement comes first.
   * @param {number} now
   * @param {number} interval  between pictures of the camera
   * @param {number} [buffered]  bytes that the browser itself holds
   */
  ask(now, interval, buffered = 0) {
    const wait = this.#ask(now, interval);
    const sure = this.#delivery.rate(now, this.#firstByteDue, this.#overdue);
    if (sure !== null) {
      this.#rate.update(now, { sure, best: Math.max(sure, this.#delivery.best) }, interval, this.#last.bytes);
    }
    // What has not left this machine is the beginning of a queue, whatever else is known.
    return buffered > GRACE ? Math.max(wait, EARLY_SEND) : wait;
  }

  /** @param {number} now @param {number} interval */
  #ask(now, interval) {
    if (!this.#given.length) return 0;
    const silence = now - Math.max(this.#lastGiven, this.#heard);
    const rate = this.#delivery.cautious(now, this.#firstByteDue, this.#overdue);
    if (rate !== null) {
      const queue = this.#written - this.#delivery.delivered - rate * this.#roundTrip - GRACE - rate * EARLY_SEND;
      const lostTrack = silence > 4 * PROBE_AFTER * (1 + this.#given.length);
      if (queue > 0 && !lostTrack) return Math.min(ASK_AGAIN, Math.max(1, queue / rate));
    }
    const every = Math.max(1, interval);
    const window = Math.floor(1 + (this.#roundTrip + every + 2 * this.#jitter) / every);
    if (this.#given.length >= MOST || this.#frames >= window) {
      return silence > PROBE_AFTER + 2 * this.#roundTrip ? 0 : Math.min(ASK_AGAIN, Math.max(1, interval / 2));
    }
    return 0;
  }

  /** A picture is given, behind a ping: its number, which those of one frame share, and its bytes on the wire. @param {number} sequence @param {number} bytes @param {number} now */
  given(sequence, bytes, now) {
    const before = this.#written;
    this.#written += bytes;
    this.#lastGiven = now;
    this.#given.push({ sequence, start: now, before, end: this.#written, due: null });
    if (this.#given.length > MOST) this.#given.shift();
    this.#last = { sequence, bytes: bytes + (this.#last.sequence === sequence ? this.#last.bytes : 0) };
  }

  /**
   * The hub has the picture of this number, and so all before it.
   * @param {number} sequence
   * @param {number} waited  for how long it may have lain unread, there or here
   * @param {number} now
   */
  acknowledged(sequence, waited, now) {
    const at = this.#given.findIndex((given) => given.sequence === sequence);
    if (at < 0) return;
    this.#heard = now;
    const picture = this.#given[at];
    const due = this.#firstByteDue;
    const since = Math.max(picture.start, now - Math.max(0, waited));
    const exact = now - since <= Math.max(AT_ONCE, (now - picture.start) / 8);
    if (exact) {
      const delay = now - picture.start;
      this.roundTrip(delay, now);
      this.#jitter += (Math.abs(delay - this.#delay) - this.#jitter) / 8;
      this.#delay += (delay - this.#delay) / 8;
    }
    const late = this.#late(Math.max(this.#delivery.delivered, picture.end)) > GRACE;
    // Where a later ping was answered and its own not, they came together: nobody knows what the picture took.
    if (due === Infinity) this.#delivery.passed(picture.end, now);
    else this.#delivery.arrived(picture.end, picture.end - picture.before, due, exact || !late ? now : since, late, exact);
    this.#given.splice(0, at + 1);
  }

  /** A ping leaves. @param {number} now */
  pinged(now) {
    if (!this.#given.length) this.#pinged ??= now;
  }

  /** The ping that left at `sent` was answered. @param {number} sent @param {number} now */
  answered(sent, now) {
    for (const given of this.#given) if (given.start <= sent + 0.01) given.due ??= now;
    // The round trip counts if it met no picture.
    if (this.#pinged === null || Math.abs(sent - this.#pinged) > 0.01) return;
    this.#pinged = null;
    this.roundTrip(now - sent, now);
  }

  /** Something was answered after so long. @param {number} took @param {number} now */
  roundTrip(took, now) {
    if (now - this.#turned > ROUND_TRIP) {
      this.#least = [Infinity, this.#least[0]];
      this.#turned = now;
    }
    this.#least[0] = Math.min(this.#least[0], took);
  }

  /** Bytes that the pictures of a frame may have so that the link carries them within the interval; `Infinity`: any. */
  get carries() {
    return this.#rate.level;
  }

  get underWay() {
    return this.#given.length;
  }

  /** The round trip of the path when it is empty; 0 before anything is known. */
  get #roundTrip() {
    const least = Math.min(...this.#least);
    return least === Infinity ? 0 : least;
  }

  get #frames() {
    return this.#given.filter((given, at) => at === 0 || given.sequence !== this.#given[at - 1].sequence).length;
  }

  /** Bytes behind an answered ping that are not there. @param {number} arrived */
  #late(arrived) {
    const due = this.#given.reduce((end, given) => (given.due === null ? end : given.end), 0);
    return Math.max(0, due - arrived);
  }

  /** Since when the first byte that is not there could be; `Infinity`: it is not due yet. */
  get #firstByteDue() {
    const first = this.#given.find((given) => given.end > this.#delivery.delivered);
    return first ? (first.due ?? Infinity) : this.#lastGiven + this.#roundTrip;
  }

  /** Bytes still missing of the first picture that is not there, if they are overdue; else 0. */
  get #overdue() {
    const arrived = this.#delivery.delivered;
    if (this.#late(arrived) <= GRACE) return 0;
    const first = this.#given.find((given) => given.end > arrived);
    return first ? first.end - arrived : 0;
  }
}
