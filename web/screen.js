// @ts-check
import { Viewer } from "./viewer.js";

const canWork = typeof Worker === "function" && "transferControlToOffscreen" in HTMLCanvasElement.prototype;

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

/** A canvas with a stream on it. Painted by a worker where the browser can, else here. */
export class Screen {
  #id = ++ids;
  /** @type {Viewer | null} */
  #viewer = null;
  /** @type {((picture: Blob | null) => void)[]} */
  #asked = [];
  #report;

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
    this.#report = report;
    const url = new URL("ws", location.href.split("#")[0]);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const options = { url: url.href, room, name, quality };
    if (canWork) {
      screens.set(this.#id, this);
      const canvas = this.canvas.transferControlToOffscreen();
      shared().postMessage({ id: this.#id, do: "open", canvas, ...options }, [canvas]);
    } else {
      this.#viewer = new Viewer({ canvas: this.canvas, report, ...options });
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
   * The newest picture, exactly as it came.
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

  /** @param {{report?: import("./meter.js").Report, picture?: Blob | null}} message */
  hear({ report, picture }) {
    if (report) this.#report(report);
    else this.#asked.shift()?.(picture ?? null);
  }
}
