// A picture's metadata as lines for people, nested or not. Programs have the same rule (`src/stats/metadata.rs`); both are held to
// `docs/vectors/metadata.json`.
// @ts-check
import { plain } from "./packet.js";

/** Lines at most. */
const LINES = 16;
/** Characters of a name and of a value at most; what is cut ends with `…`. */
const NAME = 24;
const VALUE = 80;
/** So many arrays and objects in each other are written out, in which nobody would find their way any more. */
const DEPTH = 3;

/**
 * Names and values in words, in the order of the names; what is nested is written into its line: `42, 43`, `x 1, y 2`,
 * `(1, 2), (3, 4)`. The last line says how many values are left out.
 * @param {string} text  the JSON of a picture; none where it is no object
 * @returns {[string, string][]}
 */
export function metadataLines(text) {
  const value = parse(text);
  if (!value) return [];
  const names = Object.keys(value).sort();
  const shown = names.length <= LINES ? LINES : LINES - 1;
  /** @type {[string, string][]} */
  const lines = names.slice(0, shown).map((name) => [plain(oneLine(name), NAME), plain(inWords(value[name]), VALUE)]);
  return names.length > shown ? [...lines, ["…", `${names.length - shown} more`]] : lines;
}

/** @param {string} text @returns {Record<string, unknown> | null} */
function parse(text) {
  if (!text) return null;
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** A text whose breaks are spaces, no more of it than can be shown. @param {string} text */
const oneLine = (text) => text.slice(0, VALUE + 1).replaceAll(/[\n\r\t]/g, " ");

/** Of what is large no more is written than is shown. @param {unknown} value */
function inWords(value) {
  let text = "";
  for (const piece of pieces(value, 0)) {
    text += piece;
    if (text.length > VALUE) break;
  }
  return text;
}

/**
 * A value that lies in so many others.
 * @param {unknown} value
 * @param {number} depth
 * @returns {Generator<string>}
 */
function* pieces(value, depth) {
  if (value === null || typeof value !== "object") {
    yield oneLine(String(value));
    return;
  }
  const names = Array.isArray(value) ? value.keys() : Object.keys(value).sort();
  let count = 0;
  for (const name of names) {
    if (count++) yield ", ";
    if (typeof name === "string") yield `${oneLine(name)} `;
    const part = /** @type {Record<string, unknown>} */ (value)[name];
    if (!hasParts(part)) yield* pieces(part, depth);
    else if (depth + 1 === DEPTH) yield "…";
    else {
      yield "(";
      yield* pieces(part, depth + 1);
      yield ")";
    }
  }
  if (!count) yield "none";
}

/** @param {unknown} value */
const hasParts = (value) => value !== null && typeof value === "object" && Object.keys(value).length > 0;
