// @ts-check
// What the page lets be heard: the streams' sound goes to one mixer, and from there to the loudspeaker, where the browser lets it.
import { RATE } from "./sound-buffer.js";

/** How often the mixer is told how far the loudspeaker is, in milliseconds. */
const TELL_EVERY = 2000;

export const INSECURE = "Browsers play sound only on a page that came by https, or from this machine.";
const NONE = "This browser cannot play the sound of streams. A newer one can.";

/** Why there can be no sound here; empty where there can. */
export function whySilent() {
  if (!isSecureContext) return INSECURE;
  return typeof AudioWorkletNode === "function" && typeof AudioDecoder === "function" ? "" : NONE;
}

export class SoundPlayer {
  #changed;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Promise<AudioWorkletNode> | null} */
  #mixer = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #telling;
  #isClosed = false;
  /** All that is heard, for whoever measures it. @type {AudioNode | null} */
  output = null;

  /** @param {() => void} [changed]  the browser lets it be heard, or does not any more */
  constructor(changed = () => {}) {
    this.#changed = changed;
  }

  /** It waits for a click, which browsers want before a page is heard. */
  get isHeld() {
    return this.#context !== null && this.#context.state !== "running" && !this.#isClosed;
  }

  /** Where the sound of a stream goes to; null where there can be none. */
  connect() {
    if (this.#isClosed || whySilent()) return null;
    const { port1, port2 } = new MessageChannel();
    this.#mixer ??= this.#begin();
    this.#mixer.then((node) => node.port.postMessage({ stream: port1 }, [port1]), (error) => console.warn("no sound", error));
    return port2;
  }

  async #begin() {
    const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    this.#context = context;
    context.onstatechange = () => this.#changed();
    this.#changed();
    await context.audioWorklet.addModule(new URL("sound-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "mixer", { numberOfInputs: 0, outputChannelCount: [1] });
    node.connect(context.destination);
    this.output = node;
    const tell = () => {
      const output = 1000 * (context.outputLatency || context.baseLatency || 0);
      node.port.postMessage({ output });
    };
    tell();
    this.#telling = setInterval(tell, TELL_EVERY);
    return node;
  }

  /** To be called when somebody clicks or presses a key. */
  resume() {
    if (this.isHeld) void this.#context?.resume().catch(() => {});
  }

  /** Costs nothing until it is resumed. */
  suspend() {
    void this.#context?.suspend().catch(() => {});
  }

  close() {
    this.#isClosed = true;
    clearInterval(this.#telling);
    void this.#context?.close().catch(() => {});
  }
}
