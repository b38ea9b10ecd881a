// @ts-check
import { Viewer } from "./viewer.js";

const canWork = typeof Worker === "function";

/** @type {Worker | null} */
let worker = null;
/** @type {Map<number, Screen>} */
const screens = new Map();
let ids = 0;

/** The worker that all screens share; made with the first. */
function shared() {
  if (!worker) {
    worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => screens.get(data.id)?.hear(data);
  }
  return worker;
}

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
  #report;
  #draw;

  /**
   * @param {object} options
   * @param {string} options.room
   * @param {string} options.name
   * @param {number | null} [options.quality]
   * @param {(report: import("./meter.js").Report) => void} options.report
   */
  constructor({ room, name, quality = null, report }) {
    this.canvas = document.createElement("canvas");
    this.canvas.width = 640;
    this.canvas.height = 480;
    const context = this.canvas.getContext("bitmaprenderer", { alpha: false });
    this.#draw = (/** @type {ImageBitmap} */ bitmap) => {
      if (this.canvas.width !== bitmap.width) this.canvas.width = bitmap.width;
      if (this.canvas.height !== bitmap.height) this.canvas.height = bitmap.height;
      context?.transferFromImageBitmap(bitmap);
    };
    this.#report = report;
    const url = new URL("ws", location.href.split("#")[0]);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const options = { url: url.href, room, name, quality };
    if (canWork) {
      screens.set(this.#id, this);
      shared().postMessage({ id: this.#id, do: "open", ...options });
    } else {
      this.#viewer = new Viewer({ show: this.#draw, report, ...options });
    }
  }

  /** @param {boolean} wanted */
  watch(wanted) {
    if (this.#viewer) this.#viewer.watch(wanted);
    else shared().postMessage({ id: this.#id, do: "watch", wanted });
  }

  /** @param {number | null} quality */
  choose(quality) {
    if (this.#viewer) this.#viewer.choose(quality);
    else shared().postMessage({ id: this.#id, do: "choose", quality });
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
    shared().postMessage({ id: this.#id, do: "picture" });
    return new Promise((resolve) => this.#asked.push(resolve));
  }

  close() {
    this.canvas.remove();
    if (this.#viewer) this.#viewer.close();
    else shared().postMessage({ id: this.#id, do: "close" });
    screens.delete(this.#id);
  }

  /** @param {{report?: import("./meter.js").Report, picture?: Blob | null, bitmap?: ImageBitmap}} message */
  hear({ report, picture, bitmap }) {
    if (bitmap) {
      this.#draw(bitmap);
      shared().postMessage({ id: this.#id, do: "drawn" });
    } else if (report) this.#report(report);
    else this.#asked.shift()?.(picture ?? null);
  }
}
