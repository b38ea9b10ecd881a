// @ts-check
// Who is in a room, as the hub tells it: pure.
import { plain } from "./packet.js";

/**
 * @typedef {object} Person
 * @property {string} key  the same after they came back
 * @property {string} name  as the hub has it
 * @property {string} shown  the name, to be seen
 * @property {string} stream  of the room; empty where there is none
 * @property {boolean} isHost
 * @property {boolean} isCamera  a stream of a program, and nobody's
 * @property {boolean} muted
 * @property {boolean} videoOff
 * @property {boolean} speaks
 */

/** The hub lets fewer in; a list that is longer is not all read. */
const MOST = 128;
const LONGEST = 400;

/** @param {unknown} value */
const text = (value) => (typeof value === "string" ? value.slice(0, LONGEST) : "");

/** One of a list; null where it makes no sense. @param {unknown} value @returns {Person | null} */
export function readPerson(value) {
  const told = Object(value);
  const name = text(told.name);
  // Whoever opened a room counts as in it for other clients, before they are there.
  if (!name || told.id === "host") return null;
  const isCamera = text(String(told.id ?? "")).startsWith("stream:");
  const stream = text(told.stream_name);
  return {
    key: isCamera ? `stream:${stream || name}` : `person:${name}`,
    name,
    shown: plain(name, 80),
    stream,
    isHost: told.role === "host",
    isCamera,
    muted: told.is_muted === true,
    videoOff: told.is_video_off === true,
    speaks: told.is_speaking === true,
  };
}

export class People {
  /** @type {Map<string, Person>} */
  #all = new Map();
  #isKnown = false;

  /** All of them, in the order in which they came. */
  get all() {
    return [...this.#all.values()];
  }

  /** A list came. Gives who came and went since the last one; of the first all were there before. @param {unknown} list */
  learn(list) {
    const read = (Array.isArray(list) ? list.slice(0, MOST) : []).flatMap((one) => readPerson(one) ?? []);
    const before = this.#all;
    this.#all = new Map(read.map((person) => [person.key, person]));
    const came = this.#isKnown ? this.all.filter(({ key }) => !before.has(key)) : [];
    const went = [...before.values()].filter(({ key }) => !this.#all.has(key));
    this.#isKnown = true;
    return { came, went };
  }

  /** @param {string} name  of somebody, who is no camera */
  person(name) {
    return this.#all.get(`person:${name}`) ?? null;
  }

  /** What somebody turned on or off. Says whether that is somebody. @param {unknown} message */
  toggled(message) {
    const { user_name: name, is_muted: muted, is_video_off: off } = Object(message);
    const person = this.person(text(name));
    if (!person) return false;
    if (typeof muted === "boolean") person.muted = muted;
    if (typeof off === "boolean") person.videoOff = off;
    if (person.muted) person.speaks = false;
    return true;
  }

  /** @param {unknown} message */
  spoke(message) {
    const { user_name: name, is_speaking: speaks } = Object(message);
    const person = this.person(text(name));
    if (!person || typeof speaks !== "boolean") return false;
    person.speaks = speaks;
    return true;
  }
}

/** What stands where there is no picture: `AL` of `Ann Lee`, `D` of `door`. @param {string} name */
export function initials(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  const made = letters.map((word) => [...word][0].toLocaleUpperCase()).join("");
  return made || "?";
}

/** Colours of names that can be read on dark ground, and under dark letters. */
const COLOURS = ["#7cc4ff", "#5ef2c2", "#ffb454", "#ff8fa3", "#c3a6ff", "#f2e05e", "#7ee081", "#ff9f6b", "#8fe3f0", "#e79bf0"];

/** The colour of somebody, the same for all. @param {string} name */
export function colourOf(name) {
  let sum = 7;
  for (const sign of name) sum = (sum * 31 + (sign.codePointAt(0) ?? 0)) >>> 0;
  return COLOURS[sum % COLOURS.length];
}

/** Who else is here, in words. @param {string[]} names */
export function whoInWords(names) {
  if (!names.length) return "Nobody is here yet.";
  const [first, second, ...rest] = names;
  if (second === undefined) return `${first} is here.`;
  if (!rest.length) return `${first} and ${second} are here.`;
  return `${first}, ${second} and ${rest.length} more are here.`;
}
