// @ts-check
// What of a room leaves the page: a picture in a window of its own, and a picture of the room as a file.
import { plain } from "./packet.js";
import { pipIsPossible } from "./room-tile.js";
import { wall } from "./wall.js";
import { stamp } from "./words.js";

const [WIDTH, HEIGHT, GAP] = [1920, 1080, 12];
const FONT = "system-ui, sans-serif";

/** A person in a window of the browser's own, above all others. */
export class Outside {
  /** @type {import("./room-tile.js").PersonTile | null} */
  #tile = null;
  #video = document.createElement("video");

  constructor() {
    this.#video.muted = true;
    this.#video.playsInline = true;
  }

  /** Who is seen there. */
  get tile() {
    return document.pictureInPictureElement ? this.#tile : null;
  }

  /** Shows somebody there, or ends it. Gives why not. @param {import("./room-tile.js").PersonTile | null} tile */
  async toggle(tile) {
    if (!pipIsPossible()) return "This browser has no picture in picture.";
    if (document.pictureInPictureElement) {
      const same = this.#tile === tile;
      await document.exitPictureInPicture().catch(() => {});
      if (same) return "";
    }
    const picture = tile?.picture;
    if (!tile || !picture) return "There is no picture to show.";
    const video = picture instanceof HTMLVideoElement ? picture : this.#video;
    try {
      if (picture instanceof HTMLCanvasElement) {
        this.#video.srcObject = picture.captureStream();
        await this.#video.play();
      }
      await video.requestPictureInPicture();
    } catch {
      this.#video.srcObject = null;
      return "The browser shows no picture in picture.";
    }
    this.#tile = tile;
    tile.isOut = true;
    tile.learn(tile.person);
    video.addEventListener("leavepictureinpicture", () => {
      this.#video.srcObject = null;
      tile.isOut = false;
      tile.learn(tile.person);
      if (this.#tile === tile) this.#tile = null;
    }, { once: true });
    return "";
  }
}

/** Everybody as one picture; null where nobody has one. @param {import("./room-tile.js").PersonTile[]} tiles @param {string} title @param {Date} at */
export async function roomPicture(tiles, title, at) {
  const seen = tiles.filter((tile) => tile.picture);
  if (!seen.length) return null;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const context = canvas.getContext("2d");
  if (!context) return null;
  context.fillStyle = "#0a0d12";
  context.fillRect(0, 0, WIDTH, HEIGHT);
  const room = { width: WIDTH - 2 * GAP, height: HEIGHT - 2 * GAP, gap: GAP, caption: 0 };
  const { places } = wall(seen.map(({ shape }) => shape), room, { most: seen.length, least: 0 });
  seen.forEach((tile, n) => {
    const { x, y, width, height } = places[n];
    const picture = tile.picture;
    if (picture) context.drawImage(picture, x + GAP, y + GAP, width, height);
    context.font = `600 20px ${FONT}`;
    context.fillStyle = "#0a0d12cc";
    const name = tile.person.shown;
    const wide = Math.min(width - 20, context.measureText(name).width + 20);
    context.fillRect(x + GAP + 8, y + GAP + height - 42, wide, 34);
    context.fillStyle = "#e8edf5";
    context.fillText(name, x + GAP + 18, y + GAP + height - 18, wide - 20);
  });
  /** @type {Blob | null} */
  const file = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  const name = plain(title, 60).replaceAll(/[^\p{L}\p{N}_-]+/gu, "-").replaceAll(/^-+|-+$/g, "") || "room";
  return file && { file, name: `${name}-${stamp(at)}.jpg` };
}
