// @ts-check
import { by, icon, save, say } from "./elements.js";
import { keep, keyOf } from "./keys.js";
import { Overlay } from "./overlay.js";
import { plain } from "./packet.js";
import { Screen } from "./screen.js";
import { delayOf } from "./smoothing.js";
import { SoundPlayer, whySilent } from "./sound-player.js";
import { apply, inWords, keepSmooth, keepView, mirrored, smoothHere, STRAIGHT, turned, viewOf } from "./view.js";
import { ageInWords, isOld, momentInWords, stamp } from "./words.js";

/** After so long without a touch only the picture stays, in milliseconds. */
const QUIET_AFTER = 4000;

const SOUND = "M4 9v6h4l5 4V5L8 9zM16.5 8.5a5 5 0 010 7M19 6a8.5 8.5 0 010 12";
const SILENT = "M4 9v6h4l5 4V5L8 9zM17 9.5l5 5M22 9.5l-5 5";

/** One stream, as large as the window. */
export class Stage {
  #element = by("stage");
  #overlay = new Overlay();
  /** @type {Screen | null} */
  #screen = null;
  #stream = { room: "", name: "", key: "" };
  #called = "";
  /** @type {number | null} */
  #viewers = null;
  #passphrase = /** @type {HTMLInputElement} */ (by("passphrase"));
  #on = true;
  /**
   * It is heard: whoever opens a page of cameras, in an office or on a wall, wants no voices out of it before a click, and browsers
   * give none. It stays so from stream to stream, as long as the page is open.
   */
  #listens = false;
  #mayHear = true;
  /** The screen was told so. */
  #heard = false;
  #sound = by("sound");
  sound = new SoundPlayer(() => this.#showSound());
  #denied;
  #told;
  #quality = /** @type {HTMLSelectElement} */ (by("quality"));
  #evenly = /** @type {HTMLInputElement} */ (by("evenly"));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #quiet;
  /** The last report, for whoever looks from outside: tests, and people with a console. */
  report = /** @type {import("./meter.js").Report | null} */ (null);

  /**
   * @param {import("./screen.js").Denied} denied
   * @param {() => void} told  is called when more is known of the stream
   */
  constructor(denied, told) {
    this.#denied = denied;
    this.#told = told;
    icon(by("back"), "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z");
    icon(by("statistics"), "M4 20V10M10 20V4M16 20v-7M22 20H2");
    icon(by("snapshot"), "M4 8h3l2-3h6l2 3h3v11H4zM12 16.5a3.3 3.3 0 100-6.6 3.3 3.3 0 000 6.6z");
    icon(by("fullscreen"), "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5");
    this.#sound.onclick = () => this.toggleSound();
    by("back").onclick = () => (location.hash = "#/");
    by("statistics").onclick = () => this.toggleOverlay();
    by("snapshot").onclick = () => void this.snapshot();
    by("fullscreen").onclick = () => void this.toggleFullscreen();
    this.#quality.onchange = () => this.#screen?.choose(this.#chosen);
    this.#evenly.value = String(smoothHere());
    this.#evenly.onchange = () => this.#smooth(delayOf(this.#evenly.value));
    by("open").onclick = () => this.#unlock(this.#passphrase.value);
    this.#passphrase.onkeydown = ({ key }) => {
      if (key === "Enter") this.#unlock(this.#passphrase.value);
    };
    for (const event of ["pointermove", "pointerdown", "keydown"]) {
      addEventListener(event, () => this.#stir(), { passive: true });
    }
  }

  get isOpen() {
    return this.#screen !== null;
  }

  /** The stream that is shown, as `ROOM/NAME`; empty where none is. */
  get stream() {
    return this.#screen ? `${this.#stream.room}/${this.#stream.name}` : "";
  }

  /** Its room and its name. */
  get address() {
    const { room, name } = this.#stream;
    return { room, name };
  }

  /** How it is called. */
  get title() {
    return plain(this.#called || this.#stream.name);
  }

  get #chosen() {
    return Number(this.#quality.value) || null;
  }

  /**
   * @param {string} room
   * @param {string} name
   */
  open(room, name) {
    const key = keyOf(room, name);
    if (this.#screen && this.#stream.room === room && this.#stream.name === name) {
      if (key && key !== this.#stream.key) this.#unlock(key);
      return;
    }
    this.#end();
    this.#stream = { room, name, key };
    this.learn("", null);
    by("room").textContent = plain(room);
    this.#begin();
    const report = (/** @type {import("./meter.js").Report} */ report) => this.#show(report);
    this.#screen = new Screen({ room, name, quality: this.#chosen, key, report, denied: this.#denied });
    by("picture").replaceChildren(this.#screen.canvas);
    this.#see(viewOf(this.stream));
    this.#element.hidden = false;
    this.#screen.smooth(smoothHere());
    this.#screen.watch(this.#on);
    this.#hear();
    this.#stir();
  }

  /**
   * What the list says of the stream.
   * @param {string} called  the name that it was given; empty where it is the hub's own
   * @param {number | null} viewers
   */
  learn(called, viewers) {
    this.#called = called;
    this.#viewers = viewers;
    by("name").textContent = this.title;
    document.title = `${this.title} · StreamFlow`;
    this.#overlay.learn(this.#view, this.#viewers);
  }

  close() {
    if (!this.#screen) return;
    this.#end();
    this.#element.hidden = true;
    document.title = "StreamFlow";
  }

  #end() {
    this.#screen?.close();
    this.#screen = null;
    this.#heard = false;
    this.report = null;
    this.#sound.hidden = true;
  }

  /** Opens the stream with this key. @param {string} key */
  #unlock(key) {
    const { room, name } = this.#stream;
    if (!key) return;
    keep(room, name, key);
    this.#stream.key = key;
    this.#passphrase.value = "";
    this.#screen?.unlock(key);
  }

  /** @param {boolean} on  whether anybody sees it @param {boolean} mayHear  whether it may be heard */
  turn(on, mayHear) {
    this.#on = on;
    this.#screen?.watch(on);
    if (mayHear === this.#mayHear) return;
    this.#mayHear = mayHear;
    this.#hear();
  }

  /** Lets the stream be heard, or not any more. */
  toggleSound() {
    const why = whySilent();
    if (!this.report?.audio) return say("This stream has no sound");
    if (why) return say(why);
    // Of a page that was held back until now a click is what it waited for.
    if (!this.#listens || !this.sound.isHeld) this.#listens = !this.#listens;
    this.#hear();
    this.#showSound();
  }

  #hear() {
    const hears = this.#listens && this.#mayHear;
    if (hears !== this.#heard) {
      this.#heard = hears;
      this.#screen?.listen(hears ? () => this.sound.connect() : null);
    }
    if (hears) this.sound.resume();
    else this.sound.suspend();
  }

  #showSound() {
    const audio = this.report?.audio;
    this.#sound.hidden = !audio;
    const is = !this.#listens ? "off" : this.sound.isHeld ? "held" : audio?.muted ? "muted" : "on";
    if (this.#sound.dataset.is === is) return;
    this.#sound.dataset.is = is;
    icon(this.#sound, is === "on" || is === "muted" ? SOUND : SILENT);
    const words = { off: "Sound (A)", held: "Sound waits for a click (A)", muted: "The stream is muted. Silence (A)", on: "Silence (A)" }[is];
    this.#sound.title = words;
    this.#sound.setAttribute("aria-label", words);
    this.#sound.setAttribute("aria-pressed", String(is === "on" || is === "muted"));
  }

  toggleOverlay() {
    this.#overlay.isShown = !this.#overlay.isShown;
  }

  /** Turns what is seen by a quarter; what is saved stays as it came. */
  rotate() {
    this.#change(turned(viewOf(this.stream)));
  }

  /** Exchanges left and right of what is seen. */
  mirror() {
    this.#change(mirrored(viewOf(this.stream)));
  }

  /** @param {number} delay */
  #smooth(delay) {
    this.#evenly.value = String(delay);
    keepSmooth(delay);
    this.#screen?.smooth(delay);
    say(delay ? `Even motion, ${delay} ms later` : "Shown as soon as they are there");
  }

  /** @param {import("./view.js").View} view */
  #change(view) {
    if (!this.#screen) return;
    keepView(this.stream, view);
    this.#see(view);
    say(`The view is ${inWords(view)}`);
  }

  /** @param {import("./view.js").View} view */
  #see(view) {
    apply(by("picture"), view);
    this.#overlay.learn(this.#view, this.#viewers);
  }

  /** How it is turned, in words; empty where it is not. */
  get #view() {
    const view = viewOf(this.stream);
    return view.turn || view.mirror ? inWords(view) : "";
  }

  async toggleFullscreen() {
    try {
      await (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
    } catch {
      say("This browser has no full screen");
    }
  }

  /** Saves the picture on the canvas, exactly as the camera's program made it. */
  async snapshot() {
    const picture = await this.#screen?.picture();
    if (!picture) return say("There is no picture yet");
    const file = `${plain(this.#stream.name)}-${stamp(new Date())}.jpg`;
    save(picture, file);
    say(`Saved ${file}`);
  }

  #stir() {
    this.#element.classList.remove("quiet");
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#element.classList.add("quiet"), QUIET_AFTER);
  }

  /** What is shown until a viewer says more: nothing of the stream before. */
  #begin() {
    this.#element.classList.remove("live", "late", "lost");
    by("state").textContent = by("notice").textContent = "starting";
    by("notice").hidden = false;
    by("unlock").hidden = true;
    this.#element.classList.add("blank");
    apply(by("picture"), STRAIGHT);
    this.#overlay.begin();
  }

  /** @param {import("./meter.js").Report} report */
  #show(report) {
    this.report = report;
    this.#told();
    this.#element.classList.toggle("live", report.state === "live");
    this.#element.classList.toggle("late", report.state === "late");
    this.#element.classList.toggle("lost", isOld(report));
    this.#element.classList.toggle("blank", !report.size);
    const age = ageInWords(report);
    by("state").textContent = report.state === "live" ? age : report.age === null ? report.state : `${report.state} · ${age}`;
    const taken = report.pictureAge === null ? "" : `, of ${momentInWords(Date.now() - report.pictureAge, Date.now())}`;
    const old = report.age === null ? "" : `\nthe picture is ${age} old${isOld(report) ? taken : ""}`;
    by("notice").textContent = report.detail && `${report.detail}${old}`;
    by("notice").hidden = !report.detail;
    by("unlock").hidden = !report.locked;
    this.#showSound();
    this.#overlay.show(report);
  }
}
