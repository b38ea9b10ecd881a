// @ts-check
// One picture of the whole wall, with the names, to be saved.
import { title } from "./tile.js";
import { draw, viewOf } from "./view.js";
import { stamp } from "./words.js";
import { wall } from "./wall.js";

const [WIDTH, HEIGHT] = [1920, 1080];
const [GAP, CAPTION, HEAD] = [12, 34, 44];
const FONT = "system-ui, sans-serif";

/** @param {import("./tile.js").Tile[]} tiles  those that have a picture @param {Date} at */
export async function wallPicture(tiles, at) {
  const room = { width: WIDTH - 2 * GAP, height: HEIGHT - HEAD - GAP, gap: GAP, caption: CAPTION };
  const { places, height } = wall(tiles.map((tile) => tile.shape), room);
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  // More than fit are below each other; a browser draws no canvas that is longer.
  canvas.height = Math.min(16_000, Math.max(HEIGHT, Math.ceil(height + HEAD + GAP)));
  const context = canvas.getContext("2d");
  if (!context) return null;
  context.fillStyle = "#0a0d12";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "middle";
  context.fillStyle = "#94a2b8";
  context.font = `18px ${FONT}`;
  context.fillText(at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }), GAP, HEAD / 2);
  tiles.forEach((tile, n) => {
    const place = { ...places[n], x: places[n].x + GAP, y: places[n].y + HEAD };
    const { classList } = tile.element;
    const old = classList.contains("lost");
    context.fillStyle = "#05070a";
    context.fillRect(place.x, place.y, place.width, place.height);
    context.filter = old ? "grayscale(1) brightness(.5)" : "none";
    draw(context, tile.screen.canvas, place, viewOf(tile.stream));
    context.filter = "none";
    const middle = place.y + place.height + CAPTION / 2;
    context.fillStyle = old ? "#94a2b8" : classList.contains("late") ? "#ffb454" : "#5ef2c2";
    context.beginPath();
    context.arc(place.x + 7, middle, 5, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = "#e8edf5";
    context.font = `600 17px ${FONT}`;
    const name = title(tile.info);
    context.fillText(name, place.x + 20, middle, place.width - 20);
    const wide = Math.min(place.width - 20, context.measureText(name).width);
    context.fillStyle = "#94a2b8";
    context.font = `15px ${FONT}`;
    const said = old ? tile.reason.textContent?.split("\n").at(-1) ?? "" : tile.numbers.textContent ?? "";
    const left = place.width - 20 - wide - 14;
    if (left > 90) context.fillText(said, place.x + 20 + wide + 14, middle, left);
  });
  /** @type {Blob | null} */
  const file = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  return file && { file, name: `wall-${stamp(at)}.jpg` };
}
