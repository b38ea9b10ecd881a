// @ts-check
// All streams, by room, on a wall that fits the window; those that can be seen are watched.
import { by } from "./elements.js";
import { MAIN, Tile } from "./tile.js";
import { wall } from "./wall.js";

/** @typedef {import("./tile.js").StreamInfo} StreamInfo */

/** What stands below a picture, in pixels: style.css has the same. */
const CAPTION = 38;
/** Between tiles, and below the last, in windows up to so many pixels wide and in others. */
const [SMALL, SMALL_GAP, GAP] = [560, 8, 12];
/** Streams that are in the list no more and keep their tile; of more the first to go is forgotten. */
const MOST_GONE = 16;
/** For so long a picture of the whole wall waits for those that are out of sight, in milliseconds. */
const WHOLE = 2500;

/** By room, `main` first, and then by name. @param {StreamInfo[]} streams */
export function sorted(streams) {
  const away = (/** @type {StreamInfo} */ s) => Number(s.room !== MAIN);
  // `cam2` stands before `cam10`.
  const compare = (/** @type {string} */ a, /** @type {string} */ b) => a.localeCompare(b, undefined, { numeric: true });
  return [...streams].sort((a, b) => away(a) - away(b) || compare(a.room, b.room) || compare(a.name, b.name));
}

export class Grid {
  #element;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {Map<Element, Tile>} */
  #byElement = new Map();
  /** Those that nobody wants to see until they are live again. @type {Set<string>} */
  #dismissed = new Set();
  #on = false;
  #order = "";
  #denied;
  #placing = 0;
  /** Whether those that are out of sight are watched as well. */
  #whole = false;
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
    addEventListener("resize", () => this.#place());
    // The header grows and shrinks with its words.
    new ResizeObserver(() => this.#place()).observe(by("top"));
  }

  /** The tiles in the order of the page. */
  get tiles() {
    return sorted([...this.#tiles.values()].map((tile) => tile.info))
      .flatMap(({ room, name }) => this.#tiles.get(`${room}/${name}`) ?? []);
  }

  /** Addresses in the order of the page. */
  get streams() {
    return this.tiles.map((tile) => tile.stream);
  }

  /** @param {boolean} on  whether anybody sees it */
  turn(on) {
    this.#on = on;
    if (on) {
      for (const tile of this.#tiles.values()) {
        tile.unlock();
        tile.see();
      }
    }
    this.#update();
    this.#place();
  }

  /** Forgets all of them. */
  clear() {
    for (const tile of this.#tiles.values()) this.#remove(tile);
    this.#dismissed.clear();
    this.#order = "";
    this.#place();
  }

  /** Goes to the tile behind or before the one that has the focus. @param {number} way  1 or -1 */
  step(way) {
    const tiles = this.tiles;
    const at = tiles.findIndex((tile) => tile.element.contains(document.activeElement));
    const next = at < 0 && way < 0 ? -1 : at + way;
    tiles.at(next % (tiles.length || 1))?.open.focus();
  }

  #update() {
    const seen = (/** @type {Tile} */ tile) => tile.near || this.#whole;
    for (const tile of this.#tiles.values()) tile.screen.watch(this.#on && seen(tile));
  }

  /** The tiles that have a picture, a new one each where there is one: what is out of sight is watched for a moment. */
  async whole() {
    this.#whole = true;
    this.#update();
    const isOver = (/** @type {Tile} */ tile) => tile.gone || !tile.info.live || tile.isLive;
    for (let n = 0; n < WHOLE / 50 && ![...this.#tiles.values()].every(isOver); n++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return this.tiles.filter((tile) => tile.hasPicture);
  }

  /** What is out of sight is not watched any more. */
  partly() {
    this.#whole = false;
    this.#update();
  }

  /** @param {StreamInfo[]} streams */
  show(streams) {
    const listed = new Map(streams.map((info) => [`${info.room}/${info.name}`, info]));
    for (const key of this.#dismissed) {
      if (listed.get(key)?.live !== false) this.#dismissed.delete(key);
    }
    for (const [key, info] of listed) {
      if (this.#dismissed.has(key)) continue;
      const tile = this.#tiles.get(key) ?? this.#add(key, info);
      tile.learn(info);
    }
    for (const [key, tile] of this.#tiles) {
      if (listed.has(key)) continue;
      // Of what was never seen there is nothing to keep, and what may not be seen any more is not kept.
      if (tile.hasPicture && !tile.isDenied) tile.leave();
      else this.#remove(tile);
    }
    const gone = [...this.#tiles.values()].filter((tile) => tile.gone);
    for (const tile of gone.slice(0, Math.max(0, gone.length - MOST_GONE))) this.#remove(tile);
    this.#arrange();
  }

  #arrange() {
    const tiles = this.tiles;
    const order = tiles.map((tile) => tile.stream).join("\n");
    if (order !== this.#order) {
      this.#order = order;
      const focused = document.activeElement;
      this.#element.replaceChildren(...tiles.map((tile) => tile.element));
      if (focused instanceof HTMLElement && this.#element.contains(focused)) focused.focus();
      this.#place();
    }
    this.#update();
  }

  /** @param {Tile} tile */
  #dismiss(tile) {
    if (!tile.gone) this.#dismissed.add(tile.stream);
    this.#remove(tile);
    this.#arrange();
  }

  /** @param {Tile} tile */
  #remove(tile) {
    tile.screen.close();
    this.#observer.unobserve(tile.element);
    this.#byElement.delete(tile.element);
    tile.element.remove();
    this.#tiles.delete(tile.stream);
  }

  /** @param {string} key @param {StreamInfo} info */
  #add(key, info) {
    const tile = new Tile(info, {
      denied: this.#denied,
      changed: () => this.#place(),
      dismissed: (tile) => this.#dismiss(tile),
    });
    this.#tiles.set(key, tile);
    this.#byElement.set(tile.element, tile);
    this.#observer.observe(tile.element);
    return tile;
  }

  /** Puts the tiles where they belong, before the next frame is drawn. */
  #place() {
    if (this.#placing) return;
    this.#placing = requestAnimationFrame(() => {
      this.#placing = 0;
      this.#placeNow();
    });
  }

  #placeNow() {
    const tiles = this.tiles;
    const style = getComputedStyle(this.#element);
    const width = this.#element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (!(width > 0)) return;
    const top = this.#element.getBoundingClientRect().top + scrollY + parseFloat(style.paddingTop);
    const gap = innerWidth <= SMALL ? SMALL_GAP : GAP;
    const room = { width, height: document.documentElement.clientHeight - top - gap, gap, caption: CAPTION };
    const { places, height } = wall(tiles.map((tile) => tile.shape), room);
    const [left, above] = [parseFloat(style.paddingLeft), parseFloat(style.paddingTop)];
    tiles.forEach((tile, at) => {
      const place = places[at];
      Object.assign(tile.element.style, { left: `${left + place.x}px`, top: `${above + place.y}px`, width: `${place.width}px` });
      tile.frame.style.height = `${place.height}px`;
      tile.element.classList.toggle("narrow", place.width < 250);
      tile.element.classList.toggle("narrowest", place.width < 130);
    });
    this.#element.style.height = tiles.length ? `${above + height + gap}px` : "";
  }
}
