// @ts-check
// The camera of the page, off its main thread: so that it goes on at its own pace while the page is busy, or hidden.
import { PulledFrames, TrackFrames } from "./camera-frames.js";
import { Jpegs } from "./camera-jpeg.js";
import { CameraLink } from "./camera-link.js";
import { askedInWords, CameraSender } from "./camera-sender.js";
import { InOrder } from "./in-order.js";
import { GRAIN, now } from "./now.js";
import { Sealer } from "./sealer.js";
import { SoundSender } from "./sound-sender.js";

/**
 * What is known of a track: `still`, its frames come when something changes, as those of a screen; `fps`, how many there may be, 0 unknown.
 * @typedef {{still: boolean, fps: number}} Camera
 * @typedef {{do: "open", url: string, room: string, name: string, key: string, sound: boolean}
 *   | {do: "frames", readable: ReadableStream<VideoFrame>, origin: number, camera: Camera}
 *   | {do: "track", track: MediaStreamTrack, camera: Camera}
 *   | {do: "pulled", camera: Camera}
 *   | {do: "none", reason: string} | {do: "stands", reason: string}
 *   | {do: "seen", captured: number, shownAt: number, origin: number}
 *   | {do: "sound", microphone: MessagePort | null, latency: number} | {do: "speaks", speaks: boolean}
 *   | ({do: "shown"} & import("./camera-frames.js").Shown) | {do: "close"}} Order
 * @typedef {{begun: true, processes: boolean} | {pull: true} | {stats: import("./camera-sender.js").Stats & {sound: import("./sound-sender.js").SoundStats | null}}
 *   | {look: true} | {state: import("./camera-link.js").LinkState & {asked: string}} | {over: true}} Said
 */

/** How often the page is told that viewers ask for something else. */
const ASKED_EVERY = 1000;
/** Packets of sound that may wait to be sealed: 200 ms, as everywhere. */
const MOST_SEALED = 10;
/** Between two frames of a camera that does not say its rate. */
const USUAL_FPS = 30;

const page = /** @type {{postMessage(message: Said): void, close(): void}} */ (/** @type {unknown} */ (globalThis));
const { MediaStreamTrackProcessor: Processor } =
  /** @type {{MediaStreamTrackProcessor?: new (init: {track: MediaStreamTrack}) => {readable: ReadableStream<VideoFrame>}}} */ (
    /** @type {unknown} */ (globalThis)
  );

/** @type {CameraLink | null} */
let link = null;
/** @type {CameraSender | null} */
let sender = null;
/** @type {SoundSender | null} */
let sound = null;
/** @type {TrackFrames | PulledFrames | null} */
let frames = null;

/** What the page knows, and when it was told. */
let told = { words: "", link: "", at: -Infinity };
/** @type {ReturnType<typeof setTimeout> | undefined} */
let telling;

/** Tells the page how it is: at once, but what is asked for in other words once a second, for it changes with every viewer's link. */
function tell() {
  if (!link) return;
  clearTimeout(telling);
  const words = JSON.stringify(link.state);
  const asked = askedInWords(link.rungs, link.viewers);
  const wait = words === told.link ? told.at + ASKED_EVERY - now() : 0;
  if (words + asked === told.words) return;
  if (wait > 0) {
    telling = setTimeout(tell, wait);
    return;
  }
  told = { words: words + asked, link: words, at: now() };
  page.postMessage({ state: { ...link.state, asked } });
}

/** @param {{url: string, room: string, name: string, key: string, sound: boolean}} to */
function open({ key, ...to }) {
  const sealer = key ? new Sealer(key, to.room, to.name) : null;
  const made = new CameraLink({
    ...to,
    sealed: sealer !== null,
    changed: tell,
    demanded: () => {
      frames?.watch((link?.viewers ?? 0) > 0);
      sender?.demanded();
      sound?.demanded();
      tell();
    },
    free: () => sender?.turn(),
  });
  link = made;
  const report = (/** @type {import("./camera-sender.js").Stats} */ stats) => page.postMessage({ stats: { ...stats, sound: sound?.stats() ?? null } });
  sender = new CameraSender({ link: made, jpegs: new Jpegs(), grain: GRAIN, report, ...(sealer ? { seal: (picture) => sealer.picture(picture) } : {}) });
  if (to.sound) sound = new SoundSender({ link: sealer ? sealing(made, sealer) : made });
}

/** A link whose sound is sealed before it is given, in its order. @param {CameraLink} to @param {Sealer} sealer @returns {import("./sound-sender.js").Link} */
function sealing(to, sealer) {
  const inOrder = new InOrder(MOST_SEALED);
  /** Counts the times at which what waits was not wanted any more. */
  let forgotten = 0;
  return {
    get listens() {
      return to.listens;
    },
    get passesSound() {
      return to.passesSound;
    },
    get dropped() {
      return to.dropped + inOrder.left;
    },
    giveSound: (packet) => inOrder.add(async () => {
      const before = forgotten;
      const sealed = await sealer.sound(packet);
      if (before === forgotten) to.giveSound(sealed);
    }),
    tellSound: (audio) => to.tellSound(audio),
    forgetSound: () => {
      forgotten++;
      inOrder.clear();
      to.forgetSound();
    },
  };
}

/**
 * Another camera, or none.
 * @param {TrackFrames | PulledFrames | null} next
 * @param {string} reason
 * @param {Camera} [camera]
 */
function take(next, reason, camera) {
  frames?.close();
  frames = next;
  sender?.camera(reason, camera);
  frames?.watch((link?.viewers ?? 0) > 0);
}

/** @param {ReadableStream<VideoFrame>} readable @param {number} origin @param {Camera} camera @param {() => void} [closed] */
function processed(readable, origin, camera, closed = () => {}) {
  /** @type {TrackFrames} */
  const made = new TrackFrames({
    readable,
    origin,
    still: camera.still,
    came: (frame) => (frames === made ? sender?.came(frame) : frame.image.close()),
    over: () => {
      if (frames === made) page.postMessage({ over: true });
    },
    closed,
    look: () => page.postMessage({ look: true }),
  });
  take(made, "", camera);
}

addEventListener("message", (/** @type {MessageEvent<Order>} */ { data }) => {
  switch (data.do) {
    case "open":
      open(data);
      break;
    case "frames":
      processed(data.readable, data.origin, data.camera);
      break;
    case "track": {
      const { track, camera } = data;
      // It is a copy: the camera would stay on for it alone.
      if (Processor) processed(new Processor({ track }).readable, performance.timeOrigin, camera, () => track.stop());
      break;
    }
    case "pulled": {
      const interval = 1000 / (data.camera.fps || USUAL_FPS);
      const came = (/** @type {import("./camera-frames.js").Frame} */ frame) => sender?.came(frame);
      take(new PulledFrames({ pull: () => page.postMessage({ pull: true }), interval, came }), "", data.camera);
      break;
    }
    case "none":
      take(null, data.reason);
      break;
    case "stands":
      sender?.stands(data.reason);
      break;
    case "seen":
      if (frames instanceof TrackFrames) frames.seen(data);
      break;
    case "shown":
      if (frames instanceof PulledFrames) frames.answered(data);
      else data.image?.close();
      break;
    case "sound":
      sound?.take(data.microphone, data.latency);
      break;
    case "speaks":
      sound?.speaks(data.speaks);
      break;
    case "close":
      take(null, "video off");
      sender?.close();
      sound?.close();
      link?.close();
      page.close();
      break;
  }
});

page.postMessage({ begun: true, processes: Processor !== undefined });
