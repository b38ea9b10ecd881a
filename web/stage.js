// @ts-check
import { by, icon } from "./elements.js";
import { keep, keyOf } from "./keys.js";
import { plain } from "./packet.js";
import { Screen } from "./screen.js";
import { ageInWords, inWords, isOld, sealInWords } from "./words.js";

/** After so long without a touch only the picture stays, in milliseconds. */
const QUIET_AFTER = 4000;

/** One stream, as large as the window. */
export class Stage {
  #element = by("stage");
  #overlay = by("overlay");
  /** @type {Screen | null} */
  #screen = null;
  #stream = { room: "", name: "", key: "" };
  #passphrase = /** @type {HTMLInputElement} */ (by("passphrase"));
  #on = true;
  #denied;
  #told;
  #quality = /** @type {HTMLSelectElement} */ (by("quality"));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #quiet;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #toasting;
  /** The last report, for whoever looks from outside: tests, and people with a console. */
  report = /** @type {import("./meter.js").Report | null} */ (null);

  /**
   * @param {import("./screen.js").Denied} denied
   * @param {() => void} told  is called when more is known of the stream
   */
  constructor(denied, told) {
    this.#denied = denied;
    this.#told = told;
    icon(by("back"), "M15 5l-7 7 7 7");
    icon(by("statistics"), "M4 20V10M10 20V4M16 20v-7M22 20H2");
    icon(by("snapshot"), "M4 8h3l2-3h6l2 3h3v11H4zM12 16.5a3.3 3.3 0 100-6.6 3.3 3.3 0 000 6.6z");
    icon(by("fullscreen"), "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5");
    by("back").onclick = () => (location.hash = "#/");
    by("statistics").onclick = () => this.toggleOverlay();
    by("snapshot").onclick = () => void this.snapshot();
    by("fullscreen").onclick = () => void this.toggleFullscreen();
    this.#quality.onchange = () => this.#screen?.choose(this.#chosen);
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
    this.close();
    this.#stream = { room, name, key };
    by("name").textContent = plain(name);
    by("room").textContent = plain(room);
    document.title = `${plain(name)} · StreamFlow`;
    this.#begin();
    const report = (/** @type {import("./meter.js").Report} */ report) => this.#show(report);
    this.#screen = new Screen({ room, name, quality: this.#chosen, key, report, denied: this.#denied });
    by("picture").replaceChildren(this.#screen.canvas);
    this.#element.hidden = false;
    this.#screen.watch(this.#on);
    this.#stir();
  }

  close() {
    this.#screen?.close();
    this.#screen = null;
    this.report = null;
    this.#element.hidden = true;
    document.title = "StreamFlow";
    if (document.fullscreenElement) void document.exitFullscreen();
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

  /** @param {boolean} on  whether anybody sees it */
  turn(on) {
    this.#on = on;
    this.#screen?.watch(on);
  }

  toggleOverlay() {
    this.#overlay.hidden = !this.#overlay.hidden;
    by("statistics").setAttribute("aria-pressed", String(!this.#overlay.hidden));
  }

  async toggleFullscreen() {
    try {
      await (document.fullscreenElement ? document.exitFullscreen() : this.#element.requestFullscreen());
    } catch {
      this.#say("This browser has no full screen");
    }
  }

  /** Saves the picture on the canvas, exactly as the camera's program made it. */
  async snapshot() {
    const picture = await this.#screen?.picture();
    if (!picture) return this.#say("There is no picture yet");
    const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    link.download = `${plain(this.#stream.name)}-${time}.jpg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    this.#say(`Saved ${link.download}`);
  }

  /** @param {string} text */
  #say(text) {
    const toast = by("toast");
    toast.textContent = text;
    toast.classList.add("shown");
    clearTimeout(this.#toasting);
    this.#toasting = setTimeout(() => toast.classList.remove("shown"), 2200);
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
    const old = report.age === null ? "" : `\nthe picture is ${age} old`;
    by("notice").textContent = report.detail && `${report.detail}${old}`;
    by("notice").hidden = !report.detail;
    by("unlock").hidden = !report.locked;
    if (this.#overlay.hidden) return;
    const shown = `${report.size || "none"}${report.quality ? ` · quality ${report.quality}` : ""}`;
    /** @type {[string, string, string?][]} */
    const rows = [
      ["age", ageInWords(report, 1), "age"],
      ["99 %", inWords(report.age99, 1)],
      ["rate", `${report.fps.toFixed(1)} fps · ${report.kbytes.toFixed(0)} kB/s`],
      ["picture", shown],
      ...(report.asked && report.asked !== shown ? /** @type {[string, string][]} */ ([["of", report.asked]]) : []),
      ["left out", `${report.skipped}${report.reconnects ? ` · ${report.reconnects} reconnects` : ""}`],
      ["limit", report.limit],
      ...(report.sealed ? /** @type {[string, string][]} */ ([["sealed", sealInWords(report)]]) : []),
      .../** @type {[string, string][]} */ (report.metadata),
    ];
    this.#overlay.replaceChildren(...rows.flatMap(([name, value, kind]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      dt.textContent = name;
      dd.textContent = value;
      if (kind) dd.className = kind;
      return [dt, dd];
    }), ...budget(report.budget));
  }
}

/**
 * Where the age was spent: a bar and its words.
 * @param {[string, number | null][]} spans
 */
function budget(spans) {
  const sum = spans.reduce((s, [, ms]) => s + (ms ?? 0), 0) || 1;
  const bar = document.createElement("div");
  bar.className = "budget";
  for (const [, ms] of spans) {
    const part = document.createElement("i");
    part.style.width = `${(100 * (ms ?? 0)) / sum}%`;
    bar.append(part);
  }
  const legend = document.createElement("dd");
  legend.className = "legend";
  legend.textContent = spans.map(([name, ms]) => `${name} ${ms?.toFixed(1) ?? "–"}`).join(" · ");
  return [bar, legend];
}
