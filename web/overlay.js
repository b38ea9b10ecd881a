// @ts-check
// The statistics of a stream in plain words: its age and where it was spent, with a key to the colours, and the last minute.
import { parts, SPANS } from "./budget.js";
import { add, by } from "./elements.js";
import { Minute } from "./minute.js";
import { now } from "./now.js";
import { ageInWords, inWords, sealInWords } from "./words.js";

/** @typedef {import("./meter.js").Report} Report */

/** Windows of phones: there the picture needs the place until somebody asks for numbers. */
const PHONE = "(max-width: 560px), (max-height: 480px)";
const [WIDTH, HEIGHT] = [240, 30];

/** What is said in a line each; what is empty is left out. @type {[name: string, value: (report: Report) => string, kind?: string][]} */
const LINES = [
  ["Age", (report) => ageInWords(report, 1), "age"],
  ["When it came", ({ arrived }) => (arrived === null ? "" : inWords(arrived, 1))],
  ["Slowest of a hundred", ({ age99 }) => (age99 === null ? "" : inWords(age99, 1))],
  ["Rate", ({ fps, kbytes }) => `${fps.toFixed(1)} pictures a second, ${kbytes.toFixed(0)} kB/s`],
  ["Picture", shown],
  ["In full", (report) => (report.asked === shown(report) ? "" : report.asked)],
  ["Left out", ({ skipped, reconnects }) => `${skipped}${reconnects ? `, ${reconnects} reconnects` : ""}`],
  ["Sound", soundInWords],
  ["Limited by", ({ limit }) => limit],
  ["Sealed", (report) => (report.sealed ? sealInWords(report) : "")],
];

/** @param {Report} report */
function shown({ size, quality }) {
  return `${size || "none"}${quality ? ` · quality ${quality}` : ""}`;
}

/** @param {Report} report */
function soundInWords({ audio }) {
  if (!audio) return "";
  if (audio.muted) return "muted by its sender";
  if (!audio.heard) return "not heard";
  const { delay, estimated, kbits, lost } = audio.heard;
  const age = delay === null ? "" : `${estimated ? "≈ " : ""}${inWords(delay)}, `;
  return `${age}${kbits.toFixed(0)} kbit/s${lost ? `, ${lost} lost` : ""}`;
}

/** A line of the last minute of a number. */
class Curve {
  #minute = new Minute();
  #path;
  #most;
  #inWords;

  /** @param {Element} parent @param {string} name @param {string} kind @param {(most: number) => string} inWords */
  constructor(parent, name, kind, inWords) {
    const space = "http://www.w3.org/2000/svg";
    const figure = add(parent, "figure", `curve ${kind}`);
    const caption = add(figure, "figcaption", "", name);
    this.#most = add(caption, "span", "");
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", `0 -2 ${WIDTH} ${HEIGHT + 4}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    this.#path = document.createElementNS(space, "path");
    svg.append(this.#path);
    figure.append(svg);
    this.#inWords = inWords;
  }

  /** @param {number | null} value */
  add(value) {
    if (!this.#minute.add(now(), value)) return;
    this.#path.setAttribute("d", this.#minute.path(WIDTH, HEIGHT));
    const most = this.#minute.most;
    this.#most.textContent = most === null ? "" : `up to ${this.#inWords(most)}`;
  }

  begin() {
    this.#minute = new Minute();
    this.#path.setAttribute("d", "");
    this.#most.textContent = "";
  }
}

export class Overlay {
  #element = by("overlay");
  #button = by("statistics");
  /** @type {HTMLElement[]} */
  #values;
  #bar;
  /** By span: its part of the bar, its line in the key, and its value there. @type {Map<string, {part: HTMLElement, line: HTMLElement, value: HTMLElement}>} */
  #spans = new Map();
  #budget;
  #sum;
  #more;
  #told = "";
  #age;
  #rate;
  #view = "";
  #watching = "";

  constructor() {
    const lines = add(this.#element, "dl", "lines");
    this.#values = [...LINES, ["View"], ["Watching"]].map(([name, , kind]) => {
      const line = add(lines, "div", String(kind ?? ""));
      line.hidden = true;
      add(line, "dt", "", String(name));
      return add(line, "dd", "");
    });
    this.#budget = add(this.#element, "div", "budget");
    add(this.#budget, "h3", "", "Where the age comes from");
    this.#bar = add(this.#budget, "div", "spent");
    const key = add(this.#budget, "dl", "legend");
    for (const [span, [name, meaning]] of Object.entries(SPANS)) {
      const part = add(this.#bar, "i", span);
      const line = add(key, "div", span);
      line.title = meaning;
      add(line, "dt", "", name);
      this.#spans.set(span, { part, line, value: add(line, "dd", "") });
    }
    const sum = add(key, "div", "sum");
    add(sum, "dt", "", "together");
    this.#sum = add(sum, "dd", "");
    const curves = add(this.#element, "div", "curves");
    add(curves, "h3", "", "The last minute");
    this.#age = new Curve(curves, "Age", "age", (most) => inWords(most));
    this.#rate = new Curve(curves, "Pictures a second", "rate", (most) => most.toFixed(1));
    this.#more = add(this.#element, "dl", "lines metadata");
    this.isShown = !matchMedia(PHONE).matches;
  }

  get isShown() {
    return !this.#element.hidden;
  }

  set isShown(shown) {
    this.#element.hidden = !shown;
    this.#button.setAttribute("aria-pressed", String(shown));
  }

  /** Another stream. */
  begin() {
    this.#age.begin();
    this.#rate.begin();
    this.#watching = "";
  }

  /** @param {string} view  how it is turned; empty where it is not @param {number | null} viewers  who watch, this page too */
  learn(view, viewers) {
    this.#view = view;
    this.#watching = viewers === null ? "" : String(viewers);
  }

  /** @param {Report} report */
  show(report) {
    this.#age.add(report.age);
    this.#rate.add(report.state === "live" || report.state === "late" ? report.fps : null);
    if (!this.isShown) return;
    const told = [...LINES.map(([, value]) => value(report)), this.#view, this.#watching];
    this.#values.forEach((value, at) => say(value, told[at]));
    this.#spend(report);
    const metadata = JSON.stringify(report.metadata);
    if (metadata === this.#told) return;
    this.#told = metadata;
    this.#more.replaceChildren();
    for (const [name, value] of report.metadata) {
      const line = add(this.#more, "div", "");
      add(line, "dt", "", name);
      add(line, "dd", "", value);
    }
  }

  /** @param {Report} report */
  #spend({ budget, arrived, age }) {
    const made = parts(budget, arrived, age);
    this.#budget.hidden = made.length === 0;
    for (const [span, { part, line }] of this.#spans) line.hidden = part.hidden = !made.some((one) => one.span === span);
    for (const { span, share, text } of made) {
      const one = this.#spans.get(span);
      if (!one) continue;
      one.part.style.width = `${100 * share}%`;
      if (one.value.textContent !== text) one.value.textContent = text;
    }
    const sum = inWords(age, 1);
    if (this.#sum.textContent !== sum) this.#sum.textContent = sum;
  }
}

/** @param {HTMLElement} value  in its line @param {string} text */
function say(value, text) {
  if (value.textContent === text) return;
  value.textContent = text;
  if (value.parentElement) value.parentElement.hidden = text === "";
}
