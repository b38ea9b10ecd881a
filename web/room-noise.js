// @ts-check
// RNNoise: hears voices in noise by a small neural network, on the thread of the sound. Loaded when somebody chooses it.

/** As it calls itself. */
const NAME = "@sapphi-red/web-noise-suppressor/rnnoise";
/** It knows no other rate. */
const RATE = 48_000;
/** Where it was loaded. @type {WeakMap<AudioContext, Promise<ArrayBuffer>>} */
const loaded = new WeakMap();

/** @param {AudioContext} context */
async function load(context) {
  const [answer] = await Promise.all([
    fetch(new URL("rnnoise.wasm", import.meta.url)),
    context.audioWorklet.addModule(new URL("rnnoise-worklet.js", import.meta.url)),
  ]);
  if (!answer.ok) throw new Error(`the hub has no rnnoise.wasm: ${answer.status}`);
  return answer.arrayBuffer();
}

/** A node that lets voices through. @param {AudioContext} context */
export async function suppressor(context) {
  if (context.sampleRate !== RATE) throw new Error(`it needs ${RATE} samples a second`);
  if (!loaded.has(context)) loaded.set(context, load(context));
  const wasmBinary = await loaded.get(context);
  return new AudioWorkletNode(context, NAME, { channelCount: 1, channelCountMode: "explicit", processorOptions: { maxChannels: 1, wasmBinary } });
}
