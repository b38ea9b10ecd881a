// @ts-check
// How somebody wants to see a stream in this browser: turned and mirrored. A picture's own Exif orientation comes before it:
// what is drawn on the canvas is upright already.

import { delayOf } from "./smoothing.js";

/**
 * Turned by quarters, clockwise, and then mirrored.
 * @typedef {{turn: 0 | 1 | 2 | 3, mirror: boolean}} View
 */

/** @type {View} */
export const STRAIGHT = { turn: 0, mirror: false };
/** Streams that are remembered; of more the one that was changed first is forgotten. */
const MOST = 200;
/** Hubs under other paths of the same server have their own. */
const KEPT = () => `streamflow-views ${new URL(".", location.href).pathname}`;

/** What is seen a quarter further, clockwise. @param {View} view @returns {View} */
export function turned({ turn, mirror }) {
  return { turn: /** @type {View["turn"]} */ ((turn + (mirror ? 3 : 1)) % 4), mirror };
}

/** What is seen with left and right exchanged. @param {View} view @returns {View} */
export const mirrored = ({ turn, mirror }) => ({ turn, mirror: !mirror });

/** Whether it stands on its side: width and height are exchanged. @param {View} view */
export const isOnSide = ({ turn }) => turn % 2 === 1;

/** The shape of a picture as it is seen. @param {number} shape  width by height @param {View} view */
export const shapeOf = (shape, view) => (shape > 0 && isOnSide(view) ? 1 / shape : shape);

/** @param {View} view */
export function inWords({ turn, mirror }) {
  return [turn ? `turned by ${90 * turn}°` : "", mirror ? "mirrored" : ""].filter(Boolean).join(", ") || "as it comes";
}

/** What was kept, as far as it makes sense. @returns {[string, View][]} */
function all() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT()) ?? "[]");
    if (!Array.isArray(kept)) return [];
    return kept.slice(0, MOST).filter((one) => Array.isArray(one) && typeof one[0] === "string")
      .map(([stream, turn, mirror]) => [stream, { turn: [0, 1, 2, 3].includes(turn) ? turn : 0, mirror: mirror === true }]);
  } catch {
    return [];
  }
}

/** For as long as the page is open, where the browser keeps nothing. @type {Map<string, View>} */
const here = new Map();

/** How a stream is seen here. @param {string} stream  `ROOM/NAME` @returns {View} */
export function viewOf(stream) {
  return here.get(stream) ?? all().find(([one]) => one === stream)?.[1] ?? STRAIGHT;
}

/** @param {string} stream @param {View} view */
export function keepView(stream, view) {
  here.set(stream, view);
  const others = all().filter(([one]) => one !== stream);
  const kept = view.turn || view.mirror ? [...others, /** @type {[string, View]} */ ([stream, view])].slice(-MOST) : others;
  try {
    localStorage.setItem(KEPT(), JSON.stringify(kept.map(([one, { turn, mirror }]) => [one, turn, mirror])));
  } catch {
    // A browser may be told to keep nothing.
  }
}

const EVENLY = "streamflow-smooth";
/** For as long as the page is open, where the browser keeps nothing. */
let evenly = 0;

/** How much later than they could be pictures are shown here, for even motion: milliseconds, of whatever stream; 0: at once. */
export function smoothHere() {
  try {
    return delayOf(localStorage.getItem(EVENLY)) || evenly;
  } catch {
    return evenly;
  }
}

/** @param {number} delay */
export function keepSmooth(delay) {
  evenly = delay;
  try {
    localStorage.setItem(EVENLY, String(delay));
  } catch {
    // A browser may be told to keep nothing.
  }
}

/** Shows an element's canvas so: style.css has the rest. @param {HTMLElement} element @param {View} view */
export function apply(element, { turn, mirror }) {
  element.dataset.turn = String(turn);
  element.dataset.mirror = String(mirror);
}

/**
 * Draws a picture into a place, as it is seen.
 * @param {CanvasRenderingContext2D} context
 * @param {HTMLCanvasElement} picture
 * @param {import("./wall.js").Place} place
 * @param {View} view
 */
export function draw(context, picture, place, view) {
  const [across, down] = isOnSide(view) ? [picture.height, picture.width] : [picture.width, picture.height];
  const scale = Math.min(place.width / across, place.height / down);
  context.save();
  context.translate(place.x + place.width / 2, place.y + place.height / 2);
  context.scale(view.mirror ? -scale : scale, scale);
  context.rotate((view.turn * Math.PI) / 2);
  context.drawImage(picture, -picture.width / 2, -picture.height / 2);
  context.restore();
}
