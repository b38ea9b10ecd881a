// @ts-check
// All viewers of the page, off its main thread: it hears, decodes and counts here, and only draws there.
import { Viewer } from "./viewer.js";

/** @type {Map<number, Viewer>} */
const viewers = new Map();
/** Who waits for a picture to be drawn. @type {Map<number, () => void>} */
const drawn = new Map();
const page = /** @type {{postMessage(message: unknown, transfer?: Transferable[]): void}} */ (
  /** @type {unknown} */ (globalThis)
);

/**
 * @typedef {{id: number, do: "open", url: string, room: string, name: string, quality: number | null}
 *   | {id: number, do: "watch", wanted: boolean} | {id: number, do: "choose", quality: number | null}
 *   | {id: number, do: "drawn"} | {id: number, do: "picture"} | {id: number, do: "close"}} Order
 */

addEventListener("message", (/** @type {MessageEvent<Order>} */ { data }) => {
  const { id } = data;
  const viewer = viewers.get(id);
  switch (data.do) {
    case "open":
      viewers.set(id, new Viewer({
        ...data,
        show: (bitmap) => new Promise((resolve) => {
          drawn.set(id, resolve);
          page.postMessage({ id, bitmap }, [bitmap]);
        }),
        report: (report) => page.postMessage({ id, report }),
      }));
      break;
    case "drawn":
      drawn.get(id)?.();
      break;
    case "watch":
      viewer?.watch(data.wanted);
      break;
    case "choose":
      viewer?.choose(data.quality);
      break;
    case "picture": {
      const picture = viewer?.picture;
      page.postMessage({ id, picture: picture ? new Blob([picture], { type: "image/jpeg" }) : null });
      break;
    }
    case "close":
      viewer?.close();
      viewers.delete(id);
      drawn.delete(id);
      break;
  }
});
