// @ts-check
// The camera, the microphone and the screen of whoever is here.
import { AS_IT_IS, BACKGROUNDS } from "./background-rules.js";
import { decibels, share, Speaking } from "./room-level.js";
import { now } from "./now.js";
import { suppressor } from "./room-noise.js";
import { Veil } from "./room-veil.js";

/** Sizes to choose from. @type {Record<string, [width: number, height: number, name: string]>} */
export const SIZES = {
  small: [320, 180, "Small, 320 × 180"],
  medium: [640, 360, "Medium, 640 × 360"],
  large: [1280, 720, "Large, 1280 × 720"],
};
const USUAL = "medium";
/** What is done about noise. @type {Record<string, string>} */
export const NOISES = {
  browser: "Suppressed by the browser",
  rnnoise: "Suppressed more strongly, by RNNoise",
  off: "Left as it is, for music",
};
const USUAL_NOISE = "browser";
const KEPT = "streamflow-room-devices";

/**
 * What somebody chose. Devices by their id; empty: the browser's own choice.
 * @typedef {{camera: string, microphone: string, size: string, noise: string, background: string, video: boolean, sound: boolean}} Choice
 */

/** @returns {Choice} */
function kept() {
  const usual = { camera: "", microphone: "", size: USUAL, noise: USUAL_NOISE, background: AS_IT_IS, video: true, sound: true };
  try {
    const told = Object(JSON.parse(localStorage.getItem(KEPT) ?? "{}"));
    const text = (/** @type {unknown} */ value) => (typeof value === "string" ? value : "");
    return {
      camera: text(told.camera),
      microphone: text(told.microphone),
      size: Object.hasOwn(SIZES, text(told.size)) ? told.size : USUAL,
      noise: Object.hasOwn(NOISES, text(told.noise)) ? told.noise : USUAL_NOISE,
      background: Object.hasOwn(BACKGROUNDS, text(told.background)) ? told.background : AS_IT_IS,
      video: told.video !== false,
      sound: told.sound !== false,
    };
  } catch {
    return usual;
  }
}

/**
 * Why there is no camera or microphone, and what to do.
 * @param {unknown} error @param {string} what
 */
export function whyInWords(error, what) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return `This page may not use the ${what}. Allow that with the sign beside the page's address, and turn it on again.`;
    case "NotFoundError":
      return `There is no ${what} here. You can come in without one.`;
    case "NotReadableError":
    case "AbortError":
      return `The ${what} does not start: another program may be using it. Close that, and turn it on again.`;
    case "InsecureContext":
      return `Browsers give the ${what} only to a page that came by https, or from this machine.`;
    default:
      return `The ${what} does not start. You can come in without it.`;
  }
}

/** @param {"camera" | "microphone"} what @returns {Error} */
const insecure = (what) => Object.assign(new Error(what), { name: "InsecureContext" });

export class Media {
  choice = kept();
  /** Why there is none of what is wanted; empty where there is, or none is wanted. */
  why = { camera: "", microphone: "" };
  /** What others may see of the camera: before another background, where one was chosen. @type {MediaStreamTrack | null} */
  camera = null;
  /** The camera itself. @type {MediaStreamTrack | null} */
  device = null;
  /** @type {MediaStreamTrack | null} */
  microphone = null;
  /** @type {MediaStreamTrack | null} */
  screen = null;
  /** How loud it is, 0 to 1, and whether somebody speaks. */
  level = 0;
  speaks = false;
  /** @type {() => void} */
  onLevel = () => {};
  /** There is another microphone that can be heard, or none. @type {() => void} */
  onSound = () => {};
  #changed;
  #speaking = new Speaking();
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {AudioNode[]} */
  #nodes = [];
  /** @type {AudioWorkletNode | null} */
  #meter = null;
  #isClosed = false;
  /** Of what is asked for only the last counts. */
  #asked = { camera: 0, microphone: 0 };
  #veil = new Veil({
    changed: () => this.#unsearched(),
    failed: () => this.#unveiled(),
    lost: () => this.#unblurred(),
  });

  /** @param {() => void} changed  is called when there is another camera, microphone or screen, or a reason why not */
  constructor(changed) {
    this.#changed = changed;
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#changed());
  }

  /** What others see: the screen, the camera, or nothing. */
  get seen() {
    return this.screen ?? this.camera;
  }

  get isMuted() {
    return !this.microphone;
  }

  /** Whether the page has what the microphone hears. */
  get hears() {
    return this.#meter !== null;
  }

  /** What the microphone hears from now on, for one who takes it; null: it is muted, or does not hear yet. */
  sound() {
    if (!this.#meter) return null;
    const { port1: to, port2 } = new MessageChannel();
    this.#meter.port.postMessage({ to }, [to]);
    return port2;
  }

  /** From the air to the page, as far as the browser says, in milliseconds. */
  get latency() {
    const { latency } = /** @type {{latency?: number}} */ (this.microphone?.getSettings() ?? {});
    return 1000 * Math.min(0.5, Math.max(0, latency ?? 0));
  }

  /** What is wanted from the beginning, so that the browser asks once. */
  async start() {
    const { video, sound } = this.choice;
    if (video && sound && navigator.mediaDevices) {
      const asked = [++this.#asked.camera, ++this.#asked.microphone];
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ video: this.#wanted("camera"), audio: this.#wanted("microphone") });
        if (asked[0] !== this.#asked.camera || asked[1] !== this.#asked.microphone || this.#isClosed) return stopAll(stream);
        this.#have("microphone", stream.getAudioTracks()[0] ?? null);
        await this.#show(stream.getVideoTracks()[0] ?? null, asked[0]);
        return this.#changed();
      } catch (error) {
        // Whoever said no once is not asked twice more.
        if (error instanceof DOMException && error.name === "NotAllowedError") {
          this.why = { camera: whyInWords(error, "camera and the microphone"), microphone: "" };
          return this.#changed();
        }
      }
    }
    if (video) await this.turn("camera", true);
    if (sound) await this.turn("microphone", true);
  }

  /** Turns the camera or the microphone on or off. @param {"camera" | "microphone"} what @param {boolean} on */
  async turn(what, on) {
    this.#keep(what === "camera" ? { video: on } : { sound: on });
    this.why[what] = "";
    const asked = ++this.#asked[what];
    if (!on) {
      this.#have(what, null);
      return this.#changed();
    }
    try {
      if (!navigator.mediaDevices) throw insecure(what);
      const kind = what === "camera" ? "video" : "audio";
      const stream = await this.#get(what, kind);
      if (asked !== this.#asked[what] || this.#isClosed) return stopAll(stream);
      if (what === "microphone") this.#have(what, stream.getTracks()[0] ?? null);
      else await this.#show(stream.getTracks()[0] ?? null, asked);
    } catch (error) {
      if (asked !== this.#asked[what] || this.#isClosed) return;
      this.#have(what, null);
      this.why[what] = whyInWords(error, what);
    }
    this.#changed();
  }

  /** The camera is this one from now on, before the background that was chosen. @param {MediaStreamTrack | null} device @param {number} asked */
  async #show(device, asked) {
    const { background } = this.choice;
    const shown = device && (await this.#veil.put(device, background));
    if (asked !== this.#asked.camera || this.#isClosed) {
      device?.stop();
      if (!this.device) this.#veil.rest();
      return;
    }
    this.#have("camera", device, shown);
    if (background !== this.choice.background) await this.veil(this.choice.background);
  }

  /** @param {"camera" | "microphone"} what @param {"video" | "audio"} kind */
  async #get(what, kind) {
    try {
      return await navigator.mediaDevices.getUserMedia({ [kind]: this.#wanted(what) });
    } catch (error) {
      // The one that was chosen is not there any more.
      if (!this.choice[what] || !(error instanceof DOMException) || !["OverconstrainedError", "NotFoundError"].includes(error.name)) throw error;
      this.#keep({ [what]: "" });
      return navigator.mediaDevices.getUserMedia({ [kind]: this.#wanted(what) });
    }
  }

  /** @param {"camera" | "microphone"} what @returns {MediaTrackConstraints} */
  #wanted(what) {
    const id = this.choice[what];
    const device = id ? { deviceId: { exact: id } } : {};
    const { noise } = this.choice;
    // Music is made quieter by what makes voices louder.
    if (what === "microphone") return { ...device, echoCancellation: true, noiseSuppression: noise === "browser", autoGainControl: noise !== "off" };
    const [width, height] = SIZES[this.choice.size];
    return { ...device, width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 } };
  }

  /** @param {"camera" | "microphone"} what @param {string} id */
  async choose(what, id) {
    this.#keep({ [what]: id });
    await this.turn(what, true);
  }

  /** @param {string} size  of `SIZES` */
  async resize(size) {
    if (!Object.hasOwn(SIZES, size)) return;
    this.#keep({ size });
    if (this.camera) await this.turn("camera", true);
  }

  /** @param {string} noise  of `NOISES` */
  async suppress(noise) {
    if (!Object.hasOwn(NOISES, noise)) return;
    this.#keep({ noise });
    if (this.microphone) await this.turn("microphone", true);
  }

  /** Another background, or another picture for it. @param {string} background  of `BACKGROUNDS` */
  async veil(background) {
    if (!Object.hasOwn(BACKGROUNDS, background)) return;
    this.#keep({ background });
    const { device } = this;
    if (!device) return this.choice.video ? this.turn("camera", true) : this.#changed();
    this.why.camera = "";
    const shown = await this.#veil.put(device, background);
    if (device !== this.device || background !== this.choice.background || this.#isClosed) return;
    this.camera = shown;
    this.#changed();
  }

  /** What is to be known of the background while it is not yet as chosen; empty where it is. */
  get veiled() {
    return this.camera ? this.#veil.words : "";
  }

  /** What the background costs; null where it costs nothing. */
  get veilStats() {
    return this.camera ? this.#veil.stats : null;
  }

  /** Nothing is drawn any more. Whoever wanted to be seen before another background is not seen before their own. */
  #unveiled() {
    this.#have("camera", null);
    this.why.camera = "Your background cannot be changed in this browser, so the camera is off: nobody sees what is behind you. " +
      `To be seen as it is, choose “${BACKGROUNDS[AS_IT_IS]}” under Background.`;
    this.#changed();
  }

  /** The camera does not blur any more, and nobody is to be seen until it does, or something else. */
  #unblurred() {
    this.camera = null;
    this.#changed();
    void this.veil(this.choice.background);
  }

  #unsearched() {
    if (this.#veil.isUnsearched) {
      this.why.camera = "You cannot be told from what is behind you here, so all of your picture is blurred. " +
        `To be seen as it is, choose “${BACKGROUNDS[AS_IT_IS]}” under Background.`;
    }
    this.#changed();
  }

  /** What there is to choose from. Browsers name them only to who may use them. */
  async devices() {
    const all = await navigator.mediaDevices?.enumerateDevices?.().catch(() => []) ?? [];
    const of = (/** @type {string} */ kind) => all.filter((one) => one.kind === kind && one.deviceId);
    return { cameras: of("videoinput"), microphones: of("audioinput") };
  }

  /** Shows the screen, or a window, instead of the camera. Gives why not; empty where it is seen, or nobody wanted to. */
  async shareScreen() {
    if (!Media.canShare) return "This browser cannot show its screen.";
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15 } }, audio: false });
      const [track] = stream.getVideoTracks();
      if (this.#isClosed || !track) return stopAll(stream) ?? "";
      // Text is to be read.
      track.contentHint = "detail";
      track.onended = () => this.hideScreen();
      this.screen?.stop();
      this.screen = track;
      this.#changed();
      return "";
    } catch (error) {
      const isNo = error instanceof DOMException && ["NotAllowedError", "AbortError"].includes(error.name);
      return isNo ? "" : "The screen cannot be shown.";
    }
  }

  hideScreen() {
    if (!this.screen) return;
    this.screen.onended = null;
    this.screen.stop();
    this.screen = null;
    this.#changed();
  }

  static get canShare() {
    return typeof navigator.mediaDevices?.getDisplayMedia === "function";
  }

  /** Lets go of all of it. */
  close() {
    this.#isClosed = true;
    this.hideScreen();
    this.#have("camera", null);
    this.#have("microphone", null);
    this.#veil.close();
    void this.#context?.close().catch(() => {});
  }

  /** @param {"camera" | "microphone"} what @param {MediaStreamTrack | null} track @param {MediaStreamTrack | null} [shown]  what others see of it */
  #have(what, track, shown = track) {
    const used = () => (what === "camera" ? this.device : this.microphone);
    const before = used();
    if (before && before !== track) {
      before.onended = null;
      before.stop();
    }
    if (what === "camera") this.device = track;
    this[what] = shown;
    if (what === "camera" && !track) this.#veil.rest();
    if (track) {
      track.onended = () => {
        // It was unplugged, or the browser took it back.
        if (used() !== track) return;
        this.#have(what, null);
        this.why[what] = `The ${what} has ended. Turn it on again when it is back.`;
        this.#changed();
      };
    }
    if (what === "microphone") void this.#listen(track);
  }

  /** @param {MediaStreamTrack | null} track */
  async #listen(track) {
    for (const node of this.#nodes.splice(0)) {
      node.disconnect();
      if (node instanceof AudioWorkletNode) node.port.postMessage("destroy");
    }
    this.#meter = null;
    this.onSound();
    this.level = 0;
    this.speaks = false;
    this.#speaking.silence();
    this.onLevel();
    if (!track) return;
    try {
      this.#context ??= await this.#begun();
      const context = this.#context;
      if (context.state === "suspended") void context.resume();
      const filter = this.choice.noise === "rnnoise" ? await suppressor(context).catch((error) => this.#unsuppressed(error)) : null;
      if (this.microphone !== track) return;
      const source = context.createMediaStreamSource(new MediaStream([track]));
      const meter = new AudioWorkletNode(context, "level", { numberOfOutputs: 0 });
      meter.port.onmessage = ({ data }) => this.#hear(data);
      (filter ? source.connect(filter) : source).connect(meter);
      this.#nodes = [source, ...(filter ? [filter] : []), meter];
      this.#meter = meter;
      this.onSound();
    } catch (error) {
      console.warn("the microphone cannot be heard", error);
    }
  }

  async #begun() {
    // Firefox knows a microphone by the rate of its device alone.
    const context = navigator.userAgent.includes("Firefox/") ? new AudioContext() : new AudioContext({ sampleRate: 48_000 });
    await context.audioWorklet.addModule(new URL("room-worklet.js", import.meta.url));
    return context;
  }

  /** @param {unknown} error */
  async #unsuppressed(error) {
    console.warn("RNNoise does not start", error);
    await this.suppress("browser");
    this.why.microphone = "RNNoise does not start here: the browser suppresses the noise.";
    this.#changed();
    return null;
  }

  /** @param {number} rms */
  #hear(rms) {
    if (!this.microphone) return;
    const level = decibels(rms);
    this.level = share(level);
    this.speaks = this.#speaking.hear(level, now());
    this.onLevel();
  }

  /** Whoever began by a click may let sound be heard by the page. */
  resume() {
    if (this.#context?.state === "suspended") void this.#context.resume();
  }

  /** @param {Partial<Choice>} changes */
  #keep(changes) {
    this.choice = { ...this.choice, ...changes };
    try {
      localStorage.setItem(KEPT, JSON.stringify(this.choice));
    } catch {
      // A browser may be told to keep nothing.
    }
  }
}

/** @param {MediaStream} stream */
function stopAll(stream) {
  for (const track of stream.getTracks()) track.stop();
}
