// @ts-check
// One stream among the others: its picture, its name, and how it is. What has no picture any more keeps its last one.
import { fragmentOf } from "./address.js";
import { add, icon } from "./elements.js";
import { keyOf } from "./keys.js";
import { plain } from "./packet.js";
import { Screen } from "./screen.js";
import { apply, shapeOf, viewOf } from "./view.js";
import { inWords, isOld, momentInWords } from "./words.js";

/**
 * A stream as the hub lists it. `called` is the name that was given, where it is no name of the hub's.
 * @typedef {{room: string, name: string, live: boolean, reason?: string, viewers: number, called?: string, size?: string | null}} StreamInfo
 */

/** The room of whoever named none; its streams come first, and it goes without saying. */
export const MAIN = "main";
/** A picture whose shape differs by less has the same: sizes of smaller ones are rounded. */
const SAME_SHAPE = 0.03;

/** How a stream is called. @param {{name: string, called?: string}} info */
export const title = ({ name, called }) => plain(called || name);

/** Width by height; 0 where nobody knows. @param {unknown} size  `640x480` */
function shape(size) {
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(String(size ?? "")) ?? [];
  return Number(width) / Number(height) || 0;
}

export class Tile {
  near = false;
  /** It is in the list no more. */
  gone = false;
  info;
  #key;
  #shape;
  #hasPicture = false;
  /** When the last picture was taken, milliseconds since 1970. */
  #last = 0;
  #isDenied = false;
  #changed;
  #dismissed;
  #why = "";

  /**
   * @param {StreamInfo} info
   * @param {object} may
   * @param {import("./screen.js").Denied} may.denied
   * @param {() => void} may.changed  it has another shape
   * @param {(tile: Tile) => void} may.dismissed  nobody wants to see it
   */
  constructor(info, { denied, changed, dismissed }) {
    this.info = info;
    this.#changed = changed;
    this.#dismissed = dismissed;
    this.#shape = shape(info.size);
    this.element = document.createElement("div");
    this.element.className = "tile";
    this.element.dataset.stream = this.stream;
    this.frame = add(this.element, "div", "frame view");
    this.reason = add(this.element, "p", "reason");
    // Until a viewer says more.
    this.#tellWhy("starting");
    const caption = add(this.element, "div", "caption");
    add(caption, "span", "dot");
    this.name = add(caption, "strong", "");
    if (info.room !== MAIN) add(caption, "span", "room", plain(info.room));
    this.numbers = add(caption, "span", "numbers");
    this.age = add(this.numbers, "span", "");
    this.rate = add(this.numbers, "span", "rate");
    this.open = add(this.element, "button", "open");
    this.open.type = "button";
    this.open.onclick = () => (location.hash = fragmentOf(info.room, info.name));
    const dismiss = add(this.element, "button", "dismiss");
    dismiss.type = "button";
    dismiss.title = "Dismiss until it is live again";
    dismiss.setAttribute("aria-label", `Dismiss ${title(info)}`);
    dismiss.onclick = () => dismissed(this);
    icon(dismiss, "M6 6l12 12M18 6L6 18");
    this.#key = keyOf(info.room, info.name);
    const report = (/** @type {import("./meter.js").Report} */ report) => this.#show(report);
    this.screen = new Screen({ room: info.room, name: info.name, key: this.#key, report, denied });
    this.frame.append(this.screen.canvas);
    this.learn(info);
    this.see();
  }

  get stream() {
    return `${this.info.room}/${this.info.name}`;
  }

  /** Whether there is a picture of it to keep. */
  get hasPicture() {
    return this.#hasPicture;
  }

  /** Whether nobody here may see it, or not any more. */
  get isDenied() {
    return this.#isDenied;
  }

  get isLive() {
    return this.element.classList.contains("live");
  }

  /** Its shape as it is seen here, width by height; 0 where nobody knows yet. */
  get shape() {
    return shapeOf(this.#shape, viewOf(this.stream));
  }

  /** What the list says of it now. @param {StreamInfo} info */
  learn(info) {
    this.info = info;
    this.gone = false;
    this.element.classList.remove("gone");
    if (!this.#hasPicture) this.#reshape(shape(info.size));
    const name = title(info);
    if (this.name.textContent !== name) this.name.textContent = name;
    this.name.title = `${plain(info.room)}/${plain(info.name)}`;
    this.open.setAttribute("aria-label", `Open ${name} of room ${plain(info.room)}`);
  }

  /** The list has it no more: its last picture stays. */
  leave() {
    if (this.gone) return;
    this.gone = true;
    this.element.classList.remove("live", "late");
    this.element.classList.add("lost", "gone");
    this.age.textContent = this.rate.textContent = "";
    this.#tellWhy("gone", this.#last);
  }

  /** It is seen as it is to be in this browser. */
  see() {
    apply(this.frame, viewOf(this.stream));
  }

  /** Takes the key of its stream, where it became known meanwhile. */
  unlock() {
    const key = keyOf(this.info.room, this.info.name);
    if (key !== this.#key) this.screen.unlock((this.#key = key));
  }

  /** @param {string} why @param {number} [last]  when the last picture was taken, where there is one */
  #tellWhy(why, last = 0) {
    const since = why && last ? `\nlast picture ${momentInWords(last, Date.now())}` : "";
    if (why + since === this.#why) return;
    this.#why = why + since;
    this.reason.replaceChildren();
    if (why) add(this.reason, "span", "why", why);
    if (since) add(this.reason, "span", "since", since);
  }

  /** @param {number} shape */
  #reshape(shape) {
    if (!shape || Math.abs(shape / (this.#shape || 1e-9) - 1) < SAME_SHAPE) return;
    this.#shape = shape;
    this.#changed();
  }

  /** @param {import("./meter.js").Report} report */
  #show(report) {
    if (report.size) {
      this.#hasPicture = true;
      this.#reshape(shape(report.size));
    }
    if (report.pictureAge !== null) this.#last = Date.now() - report.pictureAge;
    this.#isDenied = report.denied !== "";
    if (this.gone) {
      // It left the list because nobody here may see it any more.
      if (this.#isDenied) this.#dismissed(this);
      return;
    }
    const old = isOld(report);
    this.element.classList.toggle("live", report.state === "live");
    this.element.classList.toggle("late", report.state === "late");
    this.element.classList.toggle("lost", old);
    this.#tellWhy(report.detail, old && this.#hasPicture ? this.#last : 0);
    // By how much an estimate may be wrong is for the statistics.
    this.age.textContent = report.age === null || old ? "" : `${report.estimated ? "≈ " : ""}${inWords(report.age)}`;
    this.rate.textContent = report.state === "live" && report.fps > 0 ? ` · ${report.fps.toFixed(0)} fps` : "";
  }
}
