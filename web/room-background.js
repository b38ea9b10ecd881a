// @ts-check
// Another background for the camera of whoever is here: gives a track that shows them before it. Workers do what there is to do, and
// are loaded when the first background is chosen.
import { backgroundPicture } from "./room-picture.js";

/** A worker that has said nothing for so long never will. */
const BEGINS_WITHIN = 15_000;
const USUAL_FPS = 30;

/**
 * `found`: it is known where the person is; until then all of the picture is blurred. `unsearched`: why it never will be.
 * @typedef {{found: boolean, unsearched: string}} BackgroundState
 * @typedef {import("./background-worker.js").BackgroundStats} BackgroundStats
 * @typedef {{readable: ReadableStream<VideoFrame>}} Processor
 * @typedef {MediaStreamTrack & {writable: WritableStream<VideoFrame>}} Generator
 */

const { MediaStreamTrackProcessor: Processor, MediaStreamTrackGenerator: Generator } =
  /** @type {{MediaStreamTrackProcessor?: new (init: {track: MediaStreamTrack}) => Processor, MediaStreamTrackGenerator?: new (init: {kind: "video"}) => Generator}} */ (
    /** @type {unknown} */ (globalThis)
  );

export class Background {
  /** @type {BackgroundState} */
  state = { found: false, unsearched: "" };
  /** @type {BackgroundStats | null} */
  stats = null;
  #changed;
  #failed;
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Worker | null} */
  #searcher = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #waiting;
  /** Ends what was begun for a track. */
  #release = () => {};
  /** @type {(image: ImageBitmap) => void} */
  #drawn = (image) => image.close();
  #pull = () => {};
  #isOver = false;
  /** Of what is chosen only the last counts. */
  #chosen = 0;
  /** Counts tracks: what fails when one has ended says nothing of the next. */
  #id = 0;

  /**
   * @param {() => void} changed  it has another state
   * @param {(why: string) => void} failed  nothing can be drawn: there are no pictures any more
   */
  constructor(changed, failed) {
    this.#changed = changed;
    this.#failed = failed;
    try {
      this.#worker = new Worker(new URL("background-worker.js", import.meta.url), { type: "module" });
      this.#worker.onmessage = ({ data }) => this.#hear(data);
      this.#worker.onerror = () => this.#fails("a part of the page has not come");
      this.#search();
    } catch {
      // Whoever made it hears of it when it is made.
      setTimeout(() => this.#fails("this browser has no workers"));
    }
  }

  /** Begins to look for the person. */
  #search() {
    const { port1, port2 } = new MessageChannel();
    const searcher = new Worker(new URL("background-mask.js", import.meta.url), { type: "module" });
    this.#searcher = searcher;
    const fails = (/** @type {string} */ why) => this.#searcher === searcher && this.#unsearched(why);
    searcher.onerror = () => fails("a part of the page has not come");
    searcher.postMessage({ port: port1 }, [port1]);
    this.#order({ do: "searcher", port: port2 }, [port2]);
  }

  /** @param {string} why */
  #unsearched(why) {
    console.warn("nobody can be told from what is behind them", why);
    this.#searcher?.terminate();
    this.#searcher = null;
    this.#order({ do: "searcher", port: null });
    this.state = { found: false, unsearched: why };
    this.#changed();
  }

  /** @param {string} look  of `BACKGROUNDS` */
  async choose(look) {
    const chosen = ++this.#chosen;
    const picture = look === "picture" ? await backgroundPicture() : null;
    if (chosen !== this.#chosen) return picture?.close();
    this.#order({ do: "look", look, picture }, picture ? [picture] : []);
  }

  /** A track that shows whoever the camera sees before the background that was chosen. @param {MediaStreamTrack} camera */
  put(camera) {
    this.#release();
    this.#id++;
    this.state = { ...this.state, found: false };
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => this.#fails("it does not begin"), BEGINS_WITHIN);
    const made = this.#processed(camera) ?? this.#shown(camera);
    const release = this.#release;
    this.#release = () => {
      this.#release = () => {};
      this.#id++;
      clearTimeout(this.#waiting);
      this.#order({ do: "none" });
      release();
      made.stop();
    };
    return made;
  }

  /** By the browser's own processor and generator: no frame goes through the page. @param {MediaStreamTrack} camera */
  #processed(camera) {
    if (!Processor || !Generator) return null;
    try {
      const { readable } = new Processor({ track: camera });
      const made = new Generator({ kind: "video" });
      const { writable } = made;
      const streams = /** @type {Transferable[]} */ (/** @type {unknown[]} */ ([readable, writable]));
      this.#order({ do: "frames", id: this.#id, readable, writable }, streams);
      return made;
    } catch {
      return null;
    }
  }

  /** By a `<video>`, whose frames the worker asks for, and a canvas. @param {MediaStreamTrack} camera */
  #shown(camera) {
    const video = document.createElement("video");
    video.muted = video.playsInline = true;
    video.srcObject = new MediaStream([camera]);
    void video.play().catch(() => {});
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d", { alpha: false });
    const [made] = canvas.captureStream().getVideoTracks();
    const hears = "requestVideoFrameCallback" in video;
    let [asked, fresh, over] = [false, false, false];
    const give = async () => {
      [asked, fresh] = [false, false];
      const image = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? await createImageBitmap(video).catch(() => null) : null;
      if (over) return image?.close();
      this.#order({ do: "frame", image }, image ? [image] : []);
    };
    const next = () => {
      if (over || !hears) return;
      video.requestVideoFrameCallback(() => {
        fresh = true;
        if (asked) void give();
        next();
      });
    };
    // Of a page that nobody sees browsers tell no frames, though there are some.
    const blind = () => !hears || document.hidden;
    const hidden = () => asked && blind() && void give();
    document.addEventListener("visibilitychange", hidden);
    this.#pull = () => {
      asked = true;
      if (fresh || blind()) void give();
    };
    this.#drawn = (image) => {
      if (canvas.width !== image.width || canvas.height !== image.height) [canvas.width, canvas.height] = [image.width, image.height];
      context?.drawImage(image, 0, 0);
      image.close();
    };
    this.#release = () => {
      over = true;
      document.removeEventListener("visibilitychange", hidden);
      this.#pull = () => {};
      this.#drawn = (image) => image.close();
      video.pause();
      video.srcObject = null;
    };
    this.#order({ do: "pulled", interval: 1000 / (camera.getSettings().frameRate || USUAL_FPS) });
    next();
    return made;
  }

  /** @param {import("./background-worker.js").Said} said */
  #hear(said) {
    clearTimeout(this.#waiting);
    if ("failed" in said) {
      if ((said.id ?? this.#id) === this.#id) this.#fails(said.failed);
    } else if ("unsearched" in said) this.#unsearched(said.unsearched);
    else if ("stats" in said) this.stats = said.stats;
    else if ("pull" in said) this.#pull();
    else if ("drawn" in said) this.#drawn(said.drawn);
    else {
      this.state = { ...this.state, found: said.found };
      this.#changed();
    }
  }

  /** @param {string} why */
  #fails(why) {
    if (this.#isOver) return;
    console.warn("no other background", why);
    this.close();
    this.#failed(why);
  }

  /** @param {import("./background-worker.js").Order} order @param {Transferable[]} [transfer] */
  #order(order, transfer = []) {
    this.#worker?.postMessage(order, transfer);
  }

  /** No camera is on. */
  rest() {
    this.#release();
  }

  close() {
    this.#isOver = true;
    this.#release();
    for (const worker of [this.#worker, this.#searcher]) worker?.terminate();
    this.#worker = this.#searcher = null;
  }
}
