// @ts-check
// Frames of the page's camera, and when they were taken. Times are milliseconds of the page's clock.
import { Pairing } from "./camera-pairing.js";
import { GRAIN, now } from "./now.js";

/** A frame whose time of capture lies longer back, or ahead, has a clock of its own. */
const OLDEST = 10_000;
const AHEAD = 20;
/** For how long the quickest way of a frame is remembered: this long at least, twice this at most. */
const REMEMBER = 10_000;

/**
 * @typedef {{captured: number, estimated: boolean, arrival: boolean}} Dated
 * @typedef {{image: VideoFrame | ImageBitmap, width: number, height: number} & Dated} Frame
 */

/** When frames were taken: as the browser says, else by the quickest of the last, for a frame that was held up was not taken later. */
export class Dating {
  /** What makes a time of a timestamp, where that is known. @type {{offset: number, sure: boolean} | null} */
  known = null;
  /** The least of arrival less timestamp, in this span and the one before. */
  #least = [Infinity, Infinity];
  #turned = -Infinity;

  /**
   * A frame came.
   * @param {object} frame
   * @param {number | null} frame.timestamp  in a clock of its own; null: it has none
   * @param {number | null} frame.captured  when the browser says that it was taken
   * @param {number} at  when it came
   * @returns {Dated}
   */
  date({ timestamp, captured }, at) {
    if (captured !== null && at - captured >= -AHEAD && at - captured <= OLDEST) {
      return { captured: Math.min(at, captured), estimated: false, arrival: false };
    }
    // Nobody knows how long the camera and the browser took before the quickest came.
    const guess = { estimated: true, arrival: true };
    if (timestamp === null) return { captured: at, ...guess };
    if (this.known) {
      const taken = timestamp + this.known.offset;
      if (at - taken >= -AHEAD && at - taken <= OLDEST) return { captured: Math.min(at, taken), estimated: !this.known.sure, arrival: false };
      this.known = null;
    }
    const took = at - timestamp;
    if (at - this.#turned > REMEMBER) {
      this.#least = [Infinity, at - this.#turned > 2 * REMEMBER ? Infinity : this.#least[0]];
      this.#turned = at;
    }
    // The timestamps of another source, or of one that was started anew.
    if (took - Math.min(...this.#least) > OLDEST) this.#least = [Infinity, Infinity];
    this.#least[0] = Math.min(this.#least[0], took);
    return { captured: Math.min(at, timestamp + Math.min(...this.#least)), ...guess };
  }
}

/**
 * A time of the wall clock that the browser keeps beside its monotonic one, on the page's clock; null for none.
 * @param {number | undefined} time  milliseconds, from the beginning of `origin` on
 * @param {number} origin  `performance.timeOrigin` of who said it
 * @param {number} at
 */
function onOurClock(time, origin, at) {
  if (typeof time !== "number" || !Number.isFinite(time)) return null;
  // The page's clock counts sleep, which this one may not.
  return at - (performance.timeOrigin + performance.now() - origin - time);
}

/** The first frame after a pause may have waited. One that is known to be younger is as good as the next. */
const YOUNG = 200;

/** How often the page is asked when frames were taken, and how many times: one that is hidden does not know. */
const LOOK_EVERY = 10_000;
const LOOKS = 6;

/** Frames of a track, from the browser's own processor of them. It keeps the newest while nobody reads. */
export class TrackFrames {
  #reader;
  #origin;
  #still;
  #came;
  #over;
  #stop;
  #look;
  /** What comes of frames that are looked at in two ways. */
  #pairing = new Pairing(GRAIN);
  #looked = -Infinity;
  #looks = 0;
  #dating = new Dating();
  #watched = false;
  #reading = false;
  #closed = false;

  /**
   * @param {object} options
   * @param {ReadableStream<VideoFrame>} options.readable
   * @param {number} options.origin  `performance.timeOrigin` of who made it
   * @param {boolean} options.still  frames come when something changes: the one that waited is what there is to see
   * @param {(frame: Frame) => void} options.came
   * @param {() => void} options.over  there will be no more
   * @param {() => void} options.closed  nobody wants any more
   * @param {() => void} options.look  the page is to say of some frames when they were taken
   */
  constructor({ readable, origin, still, came, over, closed, look }) {
    this.#reader = readable.getReader();
    this.#origin = origin;
    this.#still = still;
    this.#came = came;
    this.#over = over;
    this.#stop = closed;
    this.#look = look;
  }

  /** @param {boolean} watched  nothing is read while nobody watches */
  watch(watched) {
    this.#watched = watched;
    if (watched && !this.#reading) void this.#read();
  }

  async #read() {
    this.#reading = true;
    for (let waited = true; this.#watched && !this.#closed; waited = false) {
      const image = await this.#next();
      if (!image) break;
      const frame = this.#frame(image, now());
      const old = waited && (frame.estimated || now() - frame.captured > YOUNG);
      // Of a camera the next one is there in a moment.
      if (this.#closed || (!this.#still && (old || !this.#watched))) image.close();
      else this.#came(frame);
    }
    this.#reading = false;
  }

  /** The next frame, or null when there will be none. */
  async #next() {
    const { done, value } = await this.#reader.read().catch(() => ({ done: true, value: undefined }));
    if (!done && value) return value;
    if (!this.#closed) this.#over();
    this.#closed = true;
    return null;
  }

  /** @param {VideoFrame} image @param {number} at @returns {Frame} */
  #frame(image, at) {
    const { captureTime } = /** @type {{metadata?(): {captureTime?: number}}} */ (/** @type {unknown} */ (image)).metadata?.() ?? {};
    const captured = onOurClock(captureTime, this.#origin, at);
    const timestamp = image.timestamp / 1000;
    if (captured === null && !this.#still && !this.#dating.known) {
      if (at - this.#looked > LOOK_EVERY && this.#looks < LOOKS) {
        this.#looked = at;
        this.#looks++;
        this.#pairing = new Pairing(GRAIN);
        this.#look();
      }
      this.#pairing.came(timestamp, at);
    }
    return { image, width: image.displayWidth, height: image.displayHeight, ...this.#dating.date({ timestamp, captured }, at) };
  }

  /** The page showed a frame. @param {{captured: number, shownAt: number, origin: number}} seen  its times from `origin` on */
  seen({ captured, shownAt, origin }) {
    const at = now();
    const [taken, shown] = [captured, shownAt].map((time) => onOurClock(time, origin, at));
    if (taken === null || shown === null || this.#dating.known) return;
    this.#pairing.showed(taken, shown);
    this.#dating.known = this.#pairing.find();
  }

  close() {
    this.#closed = true;
    void this.#reader.cancel().catch(() => {});
    this.#stop();
  }
}

/**
 * What the page has of the frame that its `<video>` shows; no image: it has none yet.
 * @typedef {{image: ImageBitmap | VideoFrame | null, captured?: number, origin: number}} Shown
 */

/** Frames that are asked for one by one, from a page that has no more than a `<video>`. */
export class PulledFrames {
  #pull;
  #wait;
  #came;
  #dating = new Dating();
  #watched = false;
  #asked = false;
  #closed = false;

  /**
   * @param {object} options
   * @param {() => void} options.pull  asks the page for its next frame
   * @param {number} options.interval  between two frames
   * @param {(frame: Frame) => void} options.came
   */
  constructor({ pull, interval, came }) {
    this.#pull = pull;
    // The page answers when its next frame is there, or at once where it is hidden and does not hear of frames.
    this.#wait = interval * 0.8;
    this.#came = came;
  }

  /** @param {boolean} watched */
  watch(watched) {
    this.#watched = watched;
    this.#ask();
  }

  #ask() {
    if (!this.#watched || this.#asked || this.#closed) return;
    this.#asked = true;
    this.#pull();
  }

  /** The page answers. @param {Shown} shown */
  answered({ image, captured, origin }) {
    setTimeout(() => {
      this.#asked = false;
      this.#ask();
    }, this.#wait);
    if (!image) return;
    if (!this.#watched || this.#closed) return image.close();
    const at = now();
    const dated = this.#dating.date({ timestamp: null, captured: onOurClock(captured, origin, at) }, at);
    const isFrame = "displayWidth" in image;
    this.#came({ image, width: isFrame ? image.displayWidth : image.width, height: isFrame ? image.displayHeight : image.height, ...dated });
  }

  close() {
    this.#closed = true;
  }
}
