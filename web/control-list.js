// @ts-check
// What a hub says of a camera's controls, and how changes go to it: rules without a page.
import { plain } from "./packet.js";

/**
 * @typedef {object} Control
 * @property {string} name
 * @property {string} label
 * @property {"integer" | "boolean" | "menu" | "button"} type
 * @property {number} min
 * @property {number} max
 * @property {number} step
 * @property {number | null} default
 * @property {number} value  of a boolean 0 or 1
 * @property {boolean} told  the value was said as true or false, and is said so
 * @property {{value: number, label: string}[]} menu
 * @property {boolean} inactive  another control holds it
 * @property {string} held_by  the name of that, where it is known
 * @property {boolean} read_only
 */

const TYPES = /** @type {const} */ (["integer", "boolean", "menu", "button"]);
const MOST = 128;
const MOST_ENTRIES = 64;
/** A name is a key of what is sent back, and is not changed: another is left out. */
const LONGEST_NAME = 100;
/** Changes go to the hub at most so often, in milliseconds. */
const APART = 100;

/** @param {unknown} value */
const number = (value) => (typeof value === "boolean" ? Number(value) : typeof value === "number" && Number.isFinite(value) ? value : null);
/** @param {unknown} value @param {string} otherwise */
const words = (value, otherwise) => plain(typeof value === "string" && value ? value : otherwise, 60);

/**
 * The controls of an answer, as far as they make sense; null where it is none.
 * @param {unknown} told
 * @returns {Control[] | null}
 */
export function readControls(told) {
  const list = Object(told).controls;
  if (!Array.isArray(list)) return null;
  /** @type {Map<string, Control>} */
  const read = new Map();
  for (const one of list.slice(0, MOST).map(Object)) {
    const type = TYPES.find((type) => type === one.type);
    if (!type || typeof one.name !== "string" || !one.name || one.name.length > LONGEST_NAME) continue;
    const entries = Array.isArray(one.menu) ? one.menu.slice(0, MOST_ENTRIES).map(Object) : [];
    const menu = entries.flatMap((/** @type {Record<string, unknown>} */ entry) => {
      const value = number(entry.value);
      return value === null ? [] : [{ value, label: words(entry.label, String(value)) }];
    });
    const [min, max, value] = [number(one.min) ?? 0, number(one.max) ?? 1, number(one.value)];
    if (type === "integer" && (min >= max || value === null)) continue;
    if (type === "menu" && !menu.length) continue;
    read.set(one.name, {
      name: one.name, label: words(one.label, one.name), type, min, max, step: Math.max(1, number(one.step) ?? 1),
      default: number(one.default), value: type === "boolean" ? Number(Boolean(value)) : value ?? 0,
      told: typeof one.value === "boolean", menu,
      inactive: one.inactive === true, held_by: typeof one.held_by === "string" ? plain(one.held_by, 60) : "",
      read_only: one.read_only === true,
    });
  }
  return [...read.values()];
}

/**
 * Sends changes one after the other, ten times a second at most. Of what changes meanwhile the newest is sent, and the rest
 * never.
 */
export class Steady {
  #send;
  /** @type {Record<string, unknown>} */
  #next = {};
  #busy = false;
  /** How many changes there were. */
  count = 0;

  /** @param {(change: Record<string, unknown>) => Promise<void>} send */
  constructor(send) {
    this.#send = send;
  }

  /** Whether something is on its way, or waits. */
  get isBusy() {
    return this.#busy || this.hasMore;
  }

  /** Whether something waits. */
  get hasMore() {
    return Object.keys(this.#next).length > 0;
  }

  /** @param {Record<string, unknown>} change */
  set(change) {
    this.count++;
    this.#next = { ...this.#next, ...change };
    if (!this.#busy) void this.#run();
  }

  /** The same instead of all that waits. @param {Record<string, unknown>} change */
  now(change) {
    this.#next = {};
    this.set(change);
  }

  async #run() {
    this.#busy = true;
    while (this.hasMore) {
      const change = this.#next;
      this.#next = {};
      const apart = new Promise((resolve) => setTimeout(resolve, APART));
      await Promise.all([this.#send(change).catch(() => {}), apart]);
    }
    this.#busy = false;
  }
}
