// @ts-check
import { keyOf } from "./keys.js";
import { plain } from "./packet.js";
import { Screen } from "./screen.js";
import { ageInWords, isOld } from "./words.js";

/**
 * @typedef {{room: string, name: string, live: boolean, reason?: string, viewers: number}} StreamInfo
 */

/** The room of whoever named none; its streams come first, and it goes without saying. */
const MAIN = "main";

/** One stream among the others. */
class Tile {
  near = false;
  #info;
  #key;

  /** @param {StreamInfo} info @param {import("./screen.js").Denied} denied */
  constructor(info, denied) {
    this.element = document.createElement("button");
    this.element.className = "tile";
    this.element.type = "button";
    this.element.dataset.stream = `${info.room}/${info.name}`;
    this.element.setAttribute("aria-label", `Open ${plain(info.name)} of room ${plain(info.room)}`);
    this.element.onclick = () => (location.hash = `#/${encodeURIComponent(info.room)}/${encodeURIComponent(info.name)}`);
    const frame = add(this.element, "div", "frame");
    this.reason = add(this.element, "p", "reason");
    // Until a viewer says more.
    this.reason.textContent = "starting";
    const caption = add(this.element, "div", "caption");
    add(caption, "span", "dot");
    add(caption, "strong", "").textContent = plain(info.name);
    if (info.room !== MAIN) add(caption, "span", "room").textContent = plain(info.room);
    this.numbers = add(caption, "span", "numbers");
    this.#info = info;
    this.#key = keyOf(info.room, info.name);
    const report = (/** @type {import("./meter.js").Report} */ report) => this.#show(report);
    this.screen = new Screen({ room: info.room, name: info.name, key: this.#key, report, denied });
    frame.append(this.screen.canvas);
  }

  /** Takes the key of its stream, where it became known meanwhile. */
  unlock() {
    const key = keyOf(this.#info.room, this.#info.name);
    if (key !== this.#key) this.screen.unlock((this.#key = key));
  }

  /** @param {import("./meter.js").Report} report */
  #show(report) {
    this.element.classList.toggle("live", report.state === "live");
    this.element.classList.toggle("late", report.state === "late");
    this.element.classList.toggle("lost", isOld(report));
    this.reason.textContent = report.detail;
    const fps = report.state === "live" && report.fps > 0 ? ` · ${report.fps.toFixed(0)} fps` : "";
    this.numbers.textContent = report.age === null ? "" : `${ageInWords(report)}${fps}`;
  }
}

/** All streams, by room; those that can be seen are watched. */
export class Grid {
  #element;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {Map<Element, Tile>} */
  #byElement = new Map();
  #on = false;
  #order = "";
  #denied;
  #observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const tile = this.#byElement.get(entry.target);
      if (tile) tile.near = entry.isIntersecting;
    }
    this.#update();
  }, { rootMargin: "120px" });

  /** @param {HTMLElement} element @param {import("./screen.js").Denied} denied */
  constructor(element, denied) {
    this.#element = element;
    this.#denied = denied;
  }

  /** Addresses in the order of the page. */
  get streams() {
    return [...this.#element.querySelectorAll(".tile")].map((e) => /** @type {HTMLElement} */ (e).dataset.stream ?? "");
  }

  /** @param {boolean} on  whether anybody sees it */
  turn(on) {
    this.#on = on;
    if (on) for (const tile of this.#tiles.values()) tile.unlock();
    this.#update();
  }

  #update() {
    for (const tile of this.#tiles.values()) tile.screen.watch(this.#on && tile.near);
  }

  /** @param {StreamInfo[]} streams */
  show(streams) {
    const away = (/** @type {StreamInfo} */ s) => Number(s.room !== MAIN);
    const sorted = [...streams].sort((a, b) =>
      away(a) - away(b) || a.room.localeCompare(b.room) || a.name.localeCompare(b.name));
    const order = sorted.map((s) => `${s.room}/${s.name}`).join("\n");
    if (order === this.#order) return;
    this.#order = order;
    const keys = new Set(order.split("\n"));
    for (const [key, tile] of this.#tiles) {
      if (keys.has(key)) continue;
      tile.screen.close();
      this.#observer.unobserve(tile.element);
      this.#byElement.delete(tile.element);
      tile.element.remove();
      this.#tiles.delete(key);
    }
    this.#element.replaceChildren(...sorted.map((info) => this.#tile(info).element));
    this.#update();
  }

  /** @param {StreamInfo} info */
  #tile(info) {
    const key = `${info.room}/${info.name}`;
    let tile = this.#tiles.get(key);
    if (!tile) {
      tile = new Tile(info, this.#denied);
      this.#tiles.set(key, tile);
      this.#byElement.set(tile.element, tile);
      this.#observer.observe(tile.element);
    }
    return tile;
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {Element} parent
 * @param {T} tag
 * @param {string} className
 */
function add(parent, tag, className) {
  const element = document.createElement(tag);
  element.className = className;
  parent.append(element);
  return element;
}
