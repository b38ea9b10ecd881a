// @ts-check
// The camera of the page: publishes a track as a stream, as the native sender does a camera. All but handing the frames over is
// a worker's.

/** A worker that has not begun after so long never will. */
const BEGINS_WITHIN = 10_000;
/** How many frames are shown to know when they were taken, and for how long at most. */
const LOOKS_AT = 20;
const LOOKS_FOR = 3000;
const VIDEO_OFF = "video off";
const GONE = "camera gone";
const PAUSED = "video paused by the browser";

/**
 * `asked` is what viewers ask for, in words; empty while nobody watches.
 * @typedef {{link: "connecting" | "connected" | "refused" | "off", why: string, viewers: number, asked: string}} CameraState
 * @typedef {import("./camera-sender.js").Stats & {sound: import("./sound-sender.js").SoundStats | null}} CameraStats
 * @typedef {{readable: ReadableStream<VideoFrame>}} Processor
 */

/** The browser's own processor of tracks in this context, where it has one. */
const processor = () =>
  /** @type {{MediaStreamTrackProcessor?: new (init: {track: MediaStreamTrack}) => Processor}} */ (/** @type {unknown} */ (globalThis))
    .MediaStreamTrackProcessor;

/** A `<video>` of a track, in no document. @param {MediaStreamTrack} track */
function playing(track) {
  const video = document.createElement("video");
  video.muted = video.playsInline = true;
  video.srcObject = new MediaStream([track]);
  void video.play().catch(() => {});
  return video;
}

/** @param {HTMLVideoElement} video */
function stopped(video) {
  video.pause();
  video.srcObject = null;
}

export class CameraPublisher {
  #onState;
  /** @type {Worker | null} */
  #worker = null;
  /** The worker has a processor of tracks. */
  #processes = false;
  #begun = false;
  #closed = false;
  #speaks = false;
  #waiting;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  /** What ends what was begun for the track. */
  #release = () => {};
  /** Ends a look at the track. */
  #looked = () => {};
  /** Gives the worker what a `<video>` shows, where there is no processor. */
  #pull = () => {};
  /** @type {CameraStats} */
  #stats = { fps: 0, width: 0, height: 0, kbytesPerSecond: 0, quality: 0, encodeMs: 0, sent: 0, skipped: 0, viewers: 0, sound: null };

  /**
   * @param {object} options
   * @param {string} options.url  of the hub's `/ws`
   * @param {string} options.room
   * @param {string} options.name  of the stream in the room
   * @param {(state: CameraState) => void} options.onState  whenever it changes
   * @param {boolean} [options.sound]  there is a microphone, or may be
   * @param {string} [options.key]  seals pictures and sound end to end
   */
  constructor({ url, room, name, onState, sound = false, key = "" }) {
    this.#onState = onState;
    this.#waiting = setTimeout(() => this.#begun || this.#fails(), BEGINS_WITHIN);
    try {
      const worker = new Worker(new URL("camera-worker.js", import.meta.url), { type: "module" });
      this.#worker = worker;
      worker.onmessage = ({ data }) => this.#hear(data);
      worker.onerror = () => this.#begun || this.#fails();
      this.#order({ do: "open", url, room, name, key, sound });
    } catch {
      this.#fails();
    }
  }

  /** What is published from now on. @param {MediaStreamTrack | null} track  a video; null: it is off */
  setTrack(track) {
    if (this.#closed || track === this.#track) return;
    this.#track = track;
    // What the worker can do is known when it has begun.
    if (this.#begun) this.#begin();
  }

  /** What is heard from now on. @param {MessagePort | null} microphone  null: nothing @param {number} [latency]  of the microphone, milliseconds */
  setSound(microphone, latency = 0) {
    if (!this.#closed) this.#order({ do: "sound", microphone, latency }, microphone ? [microphone] : []);
  }

  /** @param {boolean} speaks  whoever is at the microphone */
  tellSpeaks(speaks) {
    if (this.#closed || speaks === this.#speaks) return;
    this.#speaks = speaks;
    this.#order({ do: "speaks", speaks });
  }

  /** What was done in the last seconds, and since the beginning (`sent`, `skipped`, in frames). @returns {CameraStats} */
  stats() {
    return { ...this.#stats };
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#waiting);
    this.#release();
    // It says goodbye and ends itself.
    this.#order({ do: "close" });
    this.#onState({ link: "off", why: "", viewers: 0, asked: "" });
  }

  #fails() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#waiting);
    this.#release();
    this.#worker?.terminate();
    this.#onState({ link: "off", why: "this browser does not start the camera's worker", viewers: 0, asked: "" });
  }

  /** @param {import("./camera-worker.js").Order} order @param {Transferable[]} [transfer] */
  #order(order, transfer = []) {
    this.#worker?.postMessage(order, transfer);
  }

  /** @param {import("./camera-worker.js").Said} said */
  #hear(said) {
    if (this.#closed) return;
    if ("begun" in said) {
      this.#begun = true;
      this.#processes = said.processes;
      if (this.#track) this.#begin();
    } else if ("state" in said) {
      this.#onState(said.state);
    } else if ("stats" in said) {
      this.#stats = said.stats;
      // A page that stops a track itself is not told so.
      if (this.#track?.readyState === "ended") this.#gone();
    } else if ("pull" in said) {
      this.#pull();
    } else if ("look" in said) {
      this.#look();
    } else if ("over" in said) {
      this.#gone();
    }
  }

  #gone() {
    if (!this.#track) return;
    this.#release();
    this.#track = null;
    this.#order({ do: "none", reason: GONE });
  }

  /** Hands the track's frames to the worker, in the best way that this browser has. */
  #begin() {
    this.#release();
    const track = this.#track;
    if (!track) return this.#order({ do: "none", reason: VIDEO_OFF });
    if (track.readyState === "ended") return this.#gone();
    const settings = track.getSettings();
    const camera = { still: "displaySurface" in settings, fps: Math.round(settings.frameRate ?? 0) };
    const begun = this.#processedHere(track, camera) ?? this.#processedThere(track, camera) ?? this.#shown(track, camera);
    const listening = new AbortController();
    const { signal } = listening;
    track.addEventListener("ended", () => this.#gone(), { signal });
    track.addEventListener("mute", () => this.#order({ do: "stands", reason: PAUSED }), { signal });
    track.addEventListener("unmute", () => this.#order({ do: "stands", reason: "" }), { signal });
    if (track.muted) this.#order({ do: "stands", reason: PAUSED });
    this.#release = () => {
      listening.abort();
      begun();
      this.#looked();
      this.#release = this.#pull = this.#looked = () => {};
    };
  }

  /**
   * By a processor of the page, whose frames go to the worker and not through here.
   * @param {MediaStreamTrack} track
   * @param {import("./camera-worker.js").Camera} camera
   */
  #processedHere(track, camera) {
    const Processor = processor();
    if (!Processor) return null;
    try {
      const { readable } = new Processor({ track });
      this.#order({ do: "frames", readable, origin: performance.timeOrigin, camera }, [/** @type {Transferable} */ (/** @type {unknown} */ (readable))]);
      return () => {};
    } catch {
      return null;
    }
  }

  /**
   * By one of the worker: the track itself is given away, so it gets one of its own.
   * @param {MediaStreamTrack} track
   * @param {import("./camera-worker.js").Camera} camera
   */
  #processedThere(track, camera) {
    if (!this.#processes) return null;
    const copy = track.clone();
    try {
      this.#order({ do: "track", track: copy, camera }, [/** @type {Transferable} */ (/** @type {unknown} */ (copy))]);
      return () => {};
    } catch {
      copy.stop();
      return null;
    }
  }

  /** Shows some frames to nobody: of what a `<video>` shows browsers say when it was taken, and of other frames not. */
  #look() {
    this.#looked();
    if (!this.#track || !("requestVideoFrameCallback" in HTMLVideoElement.prototype)) return;
    const video = playing(this.#track);
    const timer = setTimeout(() => this.#looked(), LOOKS_FOR);
    this.#looked = () => {
      clearTimeout(timer);
      stopped(video);
      this.#looked = () => {};
    };
    let left = LOOKS_AT;
    const next = () => video.requestVideoFrameCallback((_, { captureTime: captured }) => {
      if (video.srcObject === null) return;
      if (captured === undefined || left-- === 0) return this.#looked();
      this.#order({ do: "seen", captured, shownAt: performance.now(), origin: performance.timeOrigin });
      next();
    });
    next();
  }

  /**
   * By a `<video>`, whose newest frame is given to the worker whenever it asks.
   * @param {MediaStreamTrack} track
   * @param {import("./camera-worker.js").Camera} camera
   */
  #shown(track, camera) {
    const video = playing(track);
    const hears = "requestVideoFrameCallback" in video;
    /** Of the newest frame that was not given yet. @type {VideoFrameCallbackMetadata | null} */
    let fresh = null;
    let [asked, over] = [false, false];
    const give = async () => {
      const captured = fresh?.captureTime;
      [asked, fresh] = [false, null];
      const image = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? await createImageBitmap(video).catch(() => null) : null;
      if (over) return image?.close();
      this.#order({ do: "shown", image, captured, origin: performance.timeOrigin }, image ? [image] : []);
    };
    const next = () => {
      if (over || !hears) return;
      video.requestVideoFrameCallback((_, metadata) => {
        fresh = metadata;
        if (asked) void give();
        next();
      });
    };
    // Of a page that nobody sees browsers tell no frames, though there are some.
    const blind = () => !hears || document.hidden;
    const hidden = () => {
      if (asked && blind()) void give();
    };
    document.addEventListener("visibilitychange", hidden);
    this.#pull = () => {
      asked = true;
      if (fresh || blind()) void give();
    };
    this.#order({ do: "pulled", camera });
    next();
    return () => {
      over = true;
      document.removeEventListener("visibilitychange", hidden);
      stopped(video);
    };
  }
}
