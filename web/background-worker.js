// @ts-check
// The page's camera before another background, off the page's main thread: draws every frame with the newest that is known of where the
// person is, and until that is known all of it blurred. Searching is another worker's, so that drawing keeps the camera's rate.
import { Composition } from "./background-gl.js";
import { SearchPace } from "./background-rules.js";
import { Recent } from "./recent.js";
import { now } from "./now.js";

/**
 * @typedef {{fps: number, drawMs: number, searches: number, searchMs: number}} BackgroundStats
 * @typedef {{do: "look", look: string, picture: ImageBitmap | null}
 *   | {do: "searcher", port: MessagePort | null}
 *   | {do: "frames", id: number, readable: ReadableStream<VideoFrame>, writable: WritableStream<VideoFrame>}
 *   | {do: "pulled", interval: number} | {do: "frame", image: VideoFrame | ImageBitmap | null} | {do: "none"}} Order
 * @typedef {{failed: string, id?: number} | {unsearched: string} | {found: boolean} | {stats: BackgroundStats} | {pull: true} | {drawn: ImageBitmap}} Said
 */

const REPORT_EVERY = 500;
/** Shorter waits for a frame are none: it was there. */
const WAS_THERE = 1;

const page = /** @type {{postMessage(message: Said, transfer?: Transferable[]): void}} */ (/** @type {unknown} */ (globalThis));

const canvas = new OffscreenCanvas(2, 2);
/** @type {Composition | null} */
let composition = null;
/** @type {MessagePort | null} */
let searcher = null;
let ready = false;
let pace = new SearchPace();
/** Counts what the frames are of. */
let turn = 0;
/** @type {boolean | null} */
let told = null;
let interval = 0;
/** Of the last frame: a phone that is turned gives others from the same camera. */
let shape = "";
let [drawn, drawing, searched] = [new Recent(), new Recent(), new Recent()];

/** Frames that are pulled are drawn in the order in which they came. */
let pulling = Promise.resolve();

try {
  composition = new Composition(canvas);
} catch (error) {
  page.postMessage({ failed: error instanceof Error ? error.message : "it cannot draw" });
}
canvas.addEventListener("webglcontextlost", () => page.postMessage({ failed: "the graphics card has gone" }));

/** @param {VideoFrame | ImageBitmap} image */
const sizeOf = (image) => "displayWidth" in image ? { width: image.displayWidth, height: image.displayHeight } : { width: image.width, height: image.height };

/** Asks where the person is, if it is time. @param {VideoFrame | ImageBitmap} image */
async function search(image) {
  if (!searcher || !ready || !pace.wants(now())) return;
  pace.begins(now());
  const copy = "clone" in image ? image.clone() : await createImageBitmap(image);
  searcher.postMessage({ image: copy, ...sizeOf(image), turn, shape }, [copy]);
}

/** Draws a frame into the canvas; false: it cannot. @param {VideoFrame | ImageBitmap} image */
async function draw(image) {
  if (!composition || composition.isLost) return false;
  const began = now();
  const { width, height } = sizeOf(image);
  if (shape !== `${width}x${height}`) {
    shape = `${width}x${height}`;
    pace.lose();
  }
  await search(image);
  const found = pace.knows(now());
  composition.draw(image, sizeOf(image), found);
  if (found !== told) page.postMessage({ found: (told = found) });
  drawing.add(now(), now() - began);
  drawn.add(now(), 1);
  return true;
}

/** @param {import("./background-mask.js").Found} heard */
function hear(heard) {
  if ("ready" in heard) ready = true;
  else if ("failed" in heard) {
    ready = false;
    pace.forget();
    page.postMessage({ unsearched: heard.failed });
  } else {
    // Where the person was in another camera's frames says nothing of these.
    if (heard.turn !== turn) return heard.mask.close();
    pace.found(now());
    if (heard.shape !== shape) {
      pace.lose();
      return heard.mask.close();
    }
    searched.add(now(), heard.took);
    composition?.found(heard.mask);
  }
}

/** @param {number} id @param {ReadableStream<VideoFrame>} readable @param {WritableStream<VideoFrame>} writable */
async function processed(id, readable, writable) {
  const own = turn;
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  try {
    while (own === turn) {
      const asked = performance.now();
      const { done, value: image } = await reader.read();
      if (done) break;
      const { timestamp } = image;
      pace.came(timestamp / 1000, performance.now() - asked < WAS_THERE);
      if (own !== turn) {
        image.close();
        break;
      }
      const isDrawn = await draw(image).finally(() => image.close());
      if (isDrawn) await writer.write(new VideoFrame(canvas, { timestamp }));
      else if (own === turn && !composition) break;
    }
  } catch (error) {
    // The page may have ended these already, and says so in a moment.
    if (own === turn) page.postMessage({ failed: error instanceof Error ? error.message : "it cannot draw", id });
  }
  void reader.cancel().catch(() => {});
  void writer.close().catch(() => {});
}

/** The page gives a frame, or has none. @param {VideoFrame | ImageBitmap | null} image */
async function pulled(image) {
  const own = turn;
  setTimeout(() => own === turn && interval && page.postMessage({ pull: true }), interval * 0.8);
  if (!image) return;
  const isDrawn = await draw(image).finally(() => image.close());
  if (!isDrawn || own !== turn) return;
  const made = canvas.transferToImageBitmap();
  page.postMessage({ drawn: made }, [made]);
}

addEventListener("message", (/** @type {MessageEvent<Order>} */ { data }) => {
  switch (data.do) {
    case "look":
      composition?.choose(data.look, data.picture);
      break;
    case "searcher":
      searcher = data.port;
      ready = false;
      pace = new SearchPace();
      if (searcher) searcher.onmessage = ({ data }) => hear(data);
      break;
    case "frames":
      anew(0);
      void processed(data.id, data.readable, data.writable);
      break;
    case "pulled":
      anew(data.interval);
      page.postMessage({ pull: true });
      break;
    case "frame": {
      const { image } = data;
      pulling = pulling.then(() => pulled(image)).catch((error) => page.postMessage({ failed: error instanceof Error ? error.message : "it cannot draw" }));
      break;
    }
    case "none":
      anew(0);
      break;
  }
});

/** Other frames, or none. @param {number} every  milliseconds between two that are asked for; 0: they come by themselves */
function anew(every) {
  turn++;
  interval = every;
  pace = new SearchPace();
  told = null;
  [drawn, drawing, searched] = [new Recent(), new Recent(), new Recent()];
}

setInterval(() => {
  if (!drawn.rate(now())) return;
  const round = (/** @type {number} */ n) => Math.round(n * 10) / 10;
  page.postMessage({ stats: {
    fps: round(drawn.rate(now())),
    drawMs: round(drawing.quantile(now(), 0.5) ?? 0),
    searches: round(searched.rate(now())),
    searchMs: round(searched.quantile(now(), 0.5) ?? 0),
  } });
}, REPORT_EVERY);
