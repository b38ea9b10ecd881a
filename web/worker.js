// @ts-check
// All viewers of the page, off its main thread: it hears, decodes and counts here, and only draws there.
/** @type {Map<number, import("./viewer.js").Viewer>} */
const viewers = new Map();
/** Who waits for a picture to be drawn. @type {Map<number, () => void>} */
const drawn = new Map();
const page = /** @type {{postMessage(message: unknown, transfer?: Transferable[]): void}} */ (
  /** @type {unknown} */ (globalThis)
);

/**
 * @typedef {{id: number, do: "open", url: string, room: string, name: string, quality: number | null, key?: string}
 *   | {id: number, do: "watch", wanted: boolean} | {id: number, do: "choose", quality: number | null}
 *   | {id: number, do: "smooth", delay: number}
 *   | {id: number, do: "unlock", key: string} | {id: number, do: "listen", mixer: MessagePort | null} | {id: number, do: "drawn"} | {id: number, do: "picture"} | {id: number, do: "close"}} Order
 */

// That it has begun, before the rest has come: on a slow line that takes longer than a worker that never starts is waited for.
page.postMessage({ id: 0 });
const loading = import("./viewer.js");
loading.catch(() => page.postMessage({ id: 0, failed: true }));

addEventListener("message", (/** @type {MessageEvent<Order>} */ { data }) => {
  // In the order in which they came.
  loading.then(({ Viewer }) => obey(data, Viewer), () => {});
});

/**
 * @param {Order} data
 * @param {typeof import("./viewer.js").Viewer} Viewer
 */
function obey(data, Viewer) {
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
    case "smooth":
      viewer?.smooth(data.delay);
      break;
    case "listen":
      viewer?.listen(data.mixer);
      break;
    case "unlock":
      viewer?.unlock(data.key);
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
}
