// @ts-check
import { Viewer } from "./viewer.js";

/**
 * A worker that has not said within so many ticks of so many milliseconds that it has begun never will: some browsers start
 * none of modules, and do not say so. In ticks, since a page that was stopped meanwhile has heard nothing.
 */
const TICKS = 6;
const TICK = 500;

/** The worker that all screens share; null where there can be none, undefined before the first. @type {Worker | null | undefined} */
let worker;
/** @type {Map<number, Screen>} */
const screens = new Map();
let ids = 0;

function shared() {
  if (worker === undefined) worker = made();
  return worker;
}

function made() {
  try {
    const begins = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    let ticks = 0;
    const waiting = setInterval(() => ++ticks < TICKS || fails(), TICK);
    const fails = () => {
      clearInterval(waiting);
      giveUp();
    };
    begins.onmessage = ({ data }) => {
      clearInterval(waiting);
      // It has begun. What goes wrong later would go wrong here, too.
      begins.onerror = null;
      if (data.failed) return giveUp();
      screens.get(data.id)?.hear(data);
    };
    begins.onerror = fails;
    return begins;
  } catch {
    return null;
  }
}

/** There is no worker that works: all that it should have done is done here. */
function giveUp() {
  console.warn("the worker of this page does not start: the page does its work");
  const silent = worker;
  worker = null;
  for (const screen of screens.values()) screen.stay();
  if (!silent) return;
  // It might begin yet.
  silent.onmessage = silent.onerror = null;
  silent.terminate();
}

/**
 * The hub gives a screen no right, or not any more: why, and how often in a row.
 * @typedef {(why: string, times: number, screen: Screen) => void} Denied
 */

/**
 * A canvas with a stream on it. All but the drawing is a worker's, where there can be one. Drawing here and not there is
 * what makes the picture be on the canvas at once, and not with the worker's next frame.
 */
export class Screen {
  #id = ++ids;
  /** @type {Viewer | null} */
  #viewer = null;
  /** @type {((picture: Blob | null) => void)[]} */
  #asked = [];
  #wanted = false;
  /** Where its sound goes to, while somebody listens. @type {(() => MessagePort | null) | null} */
  #connect = null;
  /** How much later than it could be each picture is shown, for even motion. */
  #delay = 0;
  /** How often the hub gave no right, as was heard; and since it last gave one. */
  #denials = 0;
  #inARow = 0;
  #options;
  #report;
  #draw;

  /**
   * @param {object} options
   * @param {string} options.room
   * @param {string} options.name
   * @param {number | null} [options.quality]
   * @param {string} [options.key]
   * @param {(report: import("./meter.js").Report) => void} options.report
   * @param {Denied} options.denied
   */
  constructor({ room, name, quality = null, key = "", report, denied }) {
    this.canvas = document.createElement("canvas");
    this.canvas.width = 640;
    this.canvas.height = 480;
    const context = this.canvas.getContext("bitmaprenderer", { alpha: false });
    this.#draw = (/** @type {ImageBitmap} */ bitmap) => {
      if (this.canvas.width !== bitmap.width) this.canvas.width = bitmap.width;
      if (this.canvas.height !== bitmap.height) this.canvas.height = bitmap.height;
      context?.transferFromImageBitmap(bitmap);
    };
    this.#report = (/** @type {import("./meter.js").Report} */ told) => {
      report(told);
      if (told.state === "live") this.#inARow = 0;
      if (!(told.denials > this.#denials)) return;
      this.#denials = told.denials;
      denied(told.denied, ++this.#inARow, this);
    };
    const url = new URL("ws", document.baseURI.split("#")[0]);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.#options = { url: url.href, room, name, quality, key };
    screens.set(this.#id, this);
    if (shared()) this.#order({ do: "open", ...this.#options });
    else this.stay();
  }

  /** Goes on without a worker. */
  stay() {
    this.#viewer = new Viewer({ show: this.#draw, report: this.#report, ...this.#options });
    this.#viewer.watch(this.#wanted);
    this.#viewer.smooth(this.#delay);
    if (this.#connect) this.#viewer.listen(this.#connect());
    for (const answer of this.#asked.splice(0)) answer(null);
  }

  /** @param {Record<string, unknown>} order  to the worker @param {Transferable[]} [transfer] */
  #order(order, transfer = []) {
    shared()?.postMessage({ id: this.#id, ...order }, transfer);
  }

  /** @param {boolean} wanted */
  watch(wanted) {
    if (wanted !== this.#wanted) this.#inARow = 0;
    this.#turn(wanted);
  }

  /** Tries once more, where the hub gave no right. */
  again() {
    if (!this.#wanted) return;
    this.#turn(false);
    this.#turn(true);
  }

  /** @param {boolean} wanted */
  #turn(wanted) {
    this.#wanted = wanted;
    if (this.#viewer) this.#viewer.watch(wanted);
    else this.#order({ do: "watch", wanted });
  }

  /** Its sound is heard as well, whether or not it is watched. @param {(() => MessagePort | null) | null} connect  gives where it goes to; null: nobody listens */
  listen(connect) {
    this.#connect = connect;
    const mixer = connect?.() ?? null;
    if (this.#viewer) this.#viewer.listen(mixer);
    else this.#order({ do: "listen", mixer }, mixer ? [mixer] : []);
  }

  /** @param {number | null} quality */
  choose(quality) {
    this.#options.quality = quality;
    if (this.#viewer) this.#viewer.choose(quality);
    else this.#order({ do: "choose", quality });
  }

  /** Shows pictures evenly, so much later than they could be. @param {number} delay  milliseconds; 0: at once */
  smooth(delay) {
    this.#delay = delay;
    if (this.#viewer) this.#viewer.smooth(delay);
    else this.#order({ do: "smooth", delay });
  }

  /** @param {string} key */
  unlock(key) {
    this.#options.key = key;
    if (this.#viewer) this.#viewer.unlock(key);
    else this.#order({ do: "unlock", key });
  }

  /**
   * The picture on the canvas, exactly as it came.
   * @returns {Promise<Blob | null>}
   */
  picture() {
    if (this.#viewer) {
      const picture = this.#viewer.picture;
      return Promise.resolve(picture && new Blob([picture], { type: "image/jpeg" }));
    }
    this.#order({ do: "picture" });
    return new Promise((resolve) => this.#asked.push(resolve));
  }

  close() {
    this.canvas.remove();
    if (this.#viewer) this.#viewer.close();
    else this.#order({ do: "close" });
    screens.delete(this.#id);
  }

  /** @param {{report?: import("./meter.js").Report, picture?: Blob | null, bitmap?: ImageBitmap}} message */
  hear({ report, picture, bitmap }) {
    if (bitmap) {
      this.#draw(bitmap);
      this.#order({ do: "drawn" });
    } else if (report) this.#report(report);
    else this.#asked.shift()?.(picture ?? null);
  }
}
