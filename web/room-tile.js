// @ts-check
// One person in a room: the picture or the initials, the name, and what can be done.
import { add, icon } from "./elements.js";
import { keyOf } from "./keys.js";
import { colourOf, initials } from "./room-people.js";
import { Screen } from "./screen.js";
import { inWords, isOld } from "./words.js";

/** @typedef {import("./room-people.js").Person} Person */

/** A picture whose shape differs by less has the same. */
const SAME_SHAPE = 0.03;
/** The shape of somebody without a picture. */
const USUAL_SHAPE = 16 / 9;
const MUTED = "M9 5a3 3 0 016 0v6M9 9v2a3 3 0 004.5 2.6M6 11a6 6 0 009 5.2M18 11a6 6 0 01-.4 2.2M12 17v4M4 4l16 16";
const PIN = "M9 4h6l-1 6 3 3H7l3-3zM12 13v7";
const PIP = "M3 5h18v14H3zM12 12h7v5h-7z";
const AWAY = "M6 6l12 12M18 6L6 18";

/**
 * What can be done with somebody.
 * @typedef {object} Acts
 * @property {(tile: PersonTile) => void} pinned
 * @property {() => void} changed  it has another shape
 * @property {(tile: PersonTile) => void} pip
 * @property {(tile: PersonTile, what: "mute" | "remove") => void} told
 * @property {import("./screen.js").Denied} denied
 * @property {() => MessagePort | null} heard  where its sound goes to
 */

export class PersonTile {
  person;
  isOwn;
  /** Whether it can be seen without scrolling. */
  near = true;
  /** It is seen outside of the page. */
  isOut = false;
  /** @type {Screen | null} */
  screen = null;
  /** @type {HTMLVideoElement | null} */
  video = null;
  /** @type {import("./meter.js").Report | null} */
  report = null;
  #room;
  #acts;
  #shape = 0;
  #on = false;
  #listens = false;
  /** The screen was told so. */
  #heard = false;
  #stream = "";
  #hasPicture = false;
  #look;

  /** @param {string} room @param {Person} person @param {boolean} isOwn @param {Acts} acts */
  constructor(room, person, isOwn, acts) {
    this.#room = room;
    this.person = person;
    this.isOwn = isOwn;
    this.#acts = acts;
    this.element = document.createElement("article");
    this.element.className = isOwn ? "person mine" : "person";
    this.#look = add(this.element, "div", "look view");
    const letters = add(this.element, "div", "letters", initials(person.shown));
    letters.setAttribute("aria-hidden", "true");
    this.why = add(this.element, "p", "why");
    this.numbers = add(this.element, "p", "numbers");
    const plate = add(this.element, "div", "plate");
    const muted = add(plate, "i", "muted");
    icon(muted, MUTED);
    muted.title = "Muted";
    this.name = add(plate, "strong", "");
    this.host = add(plate, "em", "", "Host");
    this.open = add(this.element, "button", "open");
    this.open.type = "button";
    this.open.onclick = () => acts.pinned(this);
    const tools = add(this.element, "div", "tools");
    this.pin = this.#tool(tools, "pin", PIN, () => acts.pinned(this));
    if (pipIsPossible()) this.#tool(tools, "pip", PIP, () => acts.pip(this)).title = "Picture in picture (P)";
    const mute = this.#tool(tools, "mute host-only", MUTED, () => acts.told(this, "mute"));
    const remove = this.#tool(tools, "remove host-only", AWAY, () => acts.told(this, "remove"));
    const { shown } = person;
    for (const [button, words] of /** @type {const} */ ([[mute, `Mute ${shown}`], [remove, `Remove ${shown}`]])) {
      button.title = words;
      button.setAttribute("aria-label", words);
    }
    this.element.style.setProperty("--colour", colourOf(person.name));
    if (isOwn) this.#ownVideo();
    this.learn(person);
  }

  /** @param {Element} parent @param {string} kind @param {string} drawing @param {() => void} act */
  #tool(parent, kind, drawing, act) {
    const button = add(parent, "button", kind);
    button.type = "button";
    button.setAttribute("aria-label", kind === "pip" ? "Picture in picture" : "Pin");
    icon(button, drawing);
    button.onclick = act;
    return button;
  }

  /** Width by height. */
  get shape() {
    return this.hasPicture && this.#shape ? this.#shape : USUAL_SHAPE;
  }

  get hasPicture() {
    return this.#hasPicture && !(this.isOwn ? !this.video?.srcObject : this.person.videoOff);
  }

  /** What there is to draw; null where nothing is. */
  get picture() {
    if (!this.hasPicture) return null;
    return this.isOwn ? this.video : this.screen?.canvas ?? null;
  }

  /** What is known of the person now. @param {Person} person */
  learn(person) {
    this.person = person;
    this.element.dataset.name = person.name;
    this.element.classList.toggle("is-muted", person.muted);
    if (!person.isCamera) this.element.classList.toggle("speaks", person.speaks && !person.muted);
    this.element.classList.toggle("is-camera", person.isCamera);
    this.host.hidden = !person.isHost;
    const name = this.isOwn ? `${person.shown} (you)` : person.shown;
    if (this.name.textContent !== name) this.name.textContent = name;
    const says = [name, person.isHost ? "host" : "", person.muted ? "muted" : "", person.videoOff ? "no picture" : ""];
    this.element.setAttribute("aria-label", says.filter(Boolean).join(", "));
    if (!this.isOwn) this.#watch();
    this.#see();
  }

  /** @param {boolean} on  whether anybody sees the room @param {boolean} heard  whether it may be heard */
  turn(on, heard) {
    this.#on = on;
    this.#listens = heard;
    this.#watch();
  }

  /** @param {boolean} is */
  pinned(is) {
    this.element.classList.toggle("pinned", is);
    const words = is ? "Back to everybody" : `Show ${this.person.shown} large`;
    this.open.setAttribute("aria-label", words);
    this.pin.setAttribute("aria-label", words);
    this.pin.setAttribute("aria-pressed", String(is));
    this.pin.title = words;
  }

  /** Own picture: the camera's, and not what the network makes of it. @param {MediaStreamTrack | null} track @param {boolean} mirrored */
  show(track, mirrored) {
    const video = this.video;
    if (!video) return;
    video.classList.toggle("mirrored", mirrored);
    const now = video.srcObject instanceof MediaStream ? video.srcObject.getVideoTracks()[0] ?? null : null;
    if (now === track) return;
    this.#hasPicture = false;
    video.srcObject = track && new MediaStream([track]);
    if (track) void video.play().catch(() => {});
    this.#see();
    this.#acts.changed();
  }

  /** @param {string} why  of something that is not as it should be; empty: nothing */
  tell(why) {
    if (this.why.textContent !== why) this.why.textContent = why;
  }

  /** @param {string} numbers */
  count(numbers) {
    if (this.numbers.textContent !== numbers) this.numbers.textContent = numbers;
  }

  close() {
    this.screen?.close();
    if (this.video) this.video.srcObject = null;
    this.element.remove();
  }

  #ownVideo() {
    const video = add(this.#look, "video", "");
    video.muted = true;
    video.playsInline = true;
    video.disablePictureInPicture = false;
    video.onresize = () => {
      if (!video.videoWidth) return;
      this.#hasPicture = true;
      this.#reshape(video.videoWidth / video.videoHeight);
      this.#see();
    };
    this.video = video;
  }

  /** Watches the stream that is theirs now, if anybody sees it. */
  #watch() {
    if (this.isOwn) return;
    const { stream, videoOff } = this.person;
    if (stream !== this.#stream) {
      this.screen?.close();
      this.screen = null;
      this.#heard = false;
      this.#hasPicture = false;
      this.#stream = stream;
    }
    if (stream && !this.screen) {
      const report = (/** @type {import("./meter.js").Report} */ told) => this.#show(told);
      this.screen = new Screen({ room: this.#room, name: stream, key: keyOf(this.#room, stream), report, denied: this.#acts.denied });
      this.#look.replaceChildren(this.screen.canvas);
    }
    this.screen?.watch(!videoOff && ((this.#on && this.near) || this.isOut));
    if (!this.screen || this.#heard === this.#listens) return;
    this.#heard = this.#listens;
    this.screen.listen(this.#listens ? this.#acts.heard : null);
  }

  /** Of people the room says who is muted and speaks; of streams of programs they do themselves. */
  #hear() {
    if (!this.person.isCamera) return;
    const audio = this.report?.audio;
    this.element.classList.toggle("is-silenced", audio?.muted === true);
    this.element.classList.toggle("speaks", audio ? !audio.muted && (audio.speaking || audio.heard?.speaks === true) : this.person.speaks);
  }

  /** @param {number} shape */
  #reshape(shape) {
    if (!shape || Math.abs(shape / (this.#shape || 1e-9) - 1) < SAME_SHAPE) return;
    this.#shape = shape;
    this.#acts.changed();
  }

  #see() {
    const was = this.element.classList.contains("has-picture");
    this.element.classList.toggle("has-picture", this.hasPicture);
    if (was !== this.hasPicture) this.#acts.changed();
    if (this.person.videoOff && !this.isOwn) {
      this.tell("");
      this.element.classList.remove("old");
    }
  }

  /** @param {import("./meter.js").Report} report */
  #show(report) {
    this.report = report;
    this.#hear();
    if (this.person.videoOff) return this.count(soundInNumbers(report));
    if (report.size) {
      const [width, height] = report.size.split("x").map(Number);
      this.#hasPicture = true;
      this.#reshape(width / height || 0);
    }
    this.element.classList.toggle("old", isOld(report));
    this.element.classList.toggle("live", report.state === "live");
    this.tell(report.state === "live" || report.state === "late" ? "" : report.locked ? "encrypted: come in by the whole link" : report.detail);
    this.count([report.size ? inNumbers(report) : "", soundInNumbers(report)].filter(Boolean).join(" · "));
    this.#see();
  }
}

/** How the sound is, in a line; empty where nobody hears any. @param {import("./meter.js").Report} report */
export function soundInNumbers({ audio }) {
  if (!audio?.heard || audio.muted) return "";
  const { delay, estimated, kbits, lost } = audio.heard;
  const age = delay === null ? "" : ` ${estimated ? "≈ " : ""}${inWords(delay)}`;
  return `sound${age} · ${kbits.toFixed(0)} kbit/s${lost ? ` · ${lost} lost` : ""}`;
}

/** The statistics of a picture, in a line. @param {import("./meter.js").Report} report */
function inNumbers(report) {
  const age = report.age === null ? "" : `${report.estimated ? "≈ " : ""}${inWords(report.age)}`;
  return [age, `${report.fps.toFixed(0)} fps`, report.size.replace("x", "×"), `${report.kbytes.toFixed(0)} kB/s`].filter(Boolean).join(" · ");
}

/** Whether this browser can show a picture outside of its page. */
export const pipIsPossible = () => document.pictureInPictureEnabled === true && "captureStream" in HTMLCanvasElement.prototype;
