// @ts-check
// Where the people of a room are on the page: a grid that fits, or one large and the others beside it.
import { wall } from "./wall.js";

/** @typedef {import("./room-tile.js").PersonTile} PersonTile @typedef {import("./wall.js").Place} Place */

const [SMALL, SMALL_GAP, GAP] = [560, 6, 10];
/** All of so many are seen at once where they are not too small for it. */
const MOST = 32;
/** Beside somebody who is large there is as much as this for the others. */
const BESIDE = 0.22;
const [LEAST_BESIDE, MOST_BESIDE] = [110, 300];
/** Of two people the other one is large, and oneself in a corner. */
const CORNER = { upright: 0.34, wide: 0.21, least: 110, most: 300, tallest: 0.34 };

/**
 * Beside the large one where there is room, and else inside of it.
 * @param {number} shape @param {Place} main @param {{width: number, height: number, gap: number}} room @returns {Place}
 */
function corner(shape, main, { width, height, gap }) {
  const wanted = Math.min(CORNER.most, Math.max(CORNER.least, (height > width ? CORNER.upright : CORNER.wide) * width));
  const tall = Math.min(wanted / shape, CORNER.tallest * height);
  const wide = tall * shape;
  const [right, bottom] = [main.x + main.width, main.y + main.height];
  return {
    x: (width - right >= wide + gap ? width : right - gap) - wide,
    y: (height - bottom >= tall + gap ? height : bottom - gap) - tall,
    width: wide,
    height: tall,
  };
}

/**
 * The places of all, in their order, and how high that is; with somebody large the others are beside, or below where the
 * window stands upright. Of two people the other one is large. Pure.
 * @param {number[]} shapes @param {{width: number, height: number, gap: number}} room @param {number} pinned  -1: nobody
 * @param {number} [own]  -1: is not there
 */
export function seats(shapes, { width, height, gap }, pinned, own = -1) {
  if (pinned < 0 && shapes.length === 2 && own >= 0) {
    const [main] = wall([shapes[1 - own]], { width, height, gap, caption: 0 }, { most: 1, least: 0 }).places;
    const small = corner(shapes[own], main, { width, height, gap });
    return { places: own === 0 ? [small, main] : [main, small], height };
  }
  if (pinned < 0 || shapes.length < 2) {
    return wall(shapes, { width, height, gap, caption: 0 }, { most: MOST, even: true });
  }
  const others = shapes.filter((_, at) => at !== pinned);
  const isUpright = height > width;
  const size = Math.min(MOST_BESIDE, Math.max(LEAST_BESIDE, BESIDE * (isUpright ? height : width)));
  const large = isUpright ? { width, height: height - size - gap } : { width: width - size - gap, height };
  const small = isUpright ? { width, height: size } : { width: size, height };
  // However small they get: one is large, and that is the one that is looked at.
  const beside = wall(others, { ...small, gap, caption: 0 }, { most: shapes.length, least: 0, even: true }).places
    .map((place) => ({ ...place, x: place.x + (isUpright ? 0 : width - size), y: place.y + (isUpright ? height - size : 0) }));
  const [main] = wall([shapes[pinned]], { ...large, gap, caption: 0 }, { most: 1, least: 0 }).places;
  return { places: [...beside.slice(0, pinned), main, ...beside.slice(pinned)], height };
}

export class Seats {
  #element;
  /** @type {PersonTile[]} */
  #tiles = [];
  #pinned = "";
  #placing = 0;
  #observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const tile = this.#tiles.find(({ element }) => element === target);
      if (!tile) continue;
      tile.near = isIntersecting;
      tile.learn(tile.person);
    }
  }, { rootMargin: "100px" });

  #resized = new ResizeObserver(() => this.place());

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
    this.#resized.observe(element);
  }

  /** Places nobody any more. */
  close() {
    this.#resized.disconnect();
    this.#observer.disconnect();
    cancelAnimationFrame(this.#placing);
    this.#tiles = [];
  }

  get tiles() {
    return this.#tiles;
  }

  /** Who is large; null: nobody. */
  get pinned() {
    return this.#tiles.find(({ person }) => person.key === this.#pinned) ?? null;
  }

  /** @param {PersonTile | null} tile  who is large from now on */
  pin(tile) {
    this.#pinned = tile?.person.key ?? "";
    for (const one of this.#tiles) one.pinned(one === tile);
    this.place();
  }

  /** @param {PersonTile[]} tiles */
  show(tiles) {
    const before = this.#tiles;
    this.#tiles = tiles;
    for (const one of before) if (!tiles.includes(one)) this.#observer.unobserve(one.element);
    for (const one of tiles) if (!before.includes(one)) this.#observer.observe(one.element);
    if (before.length !== tiles.length || before.some((one, at) => one !== tiles[at])) {
      const focused = document.activeElement;
      for (const { element } of tiles) this.#element.append(element);
      if (focused instanceof HTMLElement && this.#element.contains(focused)) focused.focus();
    }
    this.pin(this.pinned);
  }

  /** Puts all where they belong, before the next frame is drawn. */
  place() {
    if (this.#placing) return;
    this.#placing = requestAnimationFrame(() => {
      this.#placing = 0;
      this.#placeNow();
    });
  }

  #placeNow() {
    const { clientWidth: width, clientHeight: height } = this.#element;
    if (!width || !height) return;
    const gap = innerWidth <= SMALL ? SMALL_GAP : GAP;
    const pinned = this.#tiles.findIndex((tile) => tile === this.pinned);
    const own = this.#tiles.findIndex(({ isOwn }) => isOwn);
    const { places } = seats(this.#tiles.map(({ shape }) => shape), { width, height, gap }, pinned, own);
    this.#element.classList.toggle("floats", pinned < 0 && this.#tiles.length === 2 && own >= 0);
    this.#tiles.forEach(({ element }, at) => {
      const place = places[at];
      for (const side of /** @type {const} */ (["width", "height"])) element.style[side] = `${place[side]}px`;
      element.style.left = `${place.x}px`;
      element.style.top = `${place.y}px`;
      element.style.setProperty("--side", `${Math.min(place.width, place.height)}px`);
      element.classList.toggle("small", place.width < 200);
      element.classList.toggle("tiny", place.width < 110);
    });
  }
}
