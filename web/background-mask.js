// @ts-check
// Finds the person in pictures: MediaPipe's segmentation, in a worker of its own, so that a search that takes long holds up no picture.
// Loaded when somebody chooses another background. What is asked for and found goes through a port of whoever draws.
import { Showing } from "./background-gl.js";
import { inModel, MODEL } from "./background-rules.js";

/**
 * `turn` and `shape` come back with what was found.
 * @typedef {{image: VideoFrame | ImageBitmap, width: number, height: number, turn: number, shape: string}} Search
 * @typedef {{ready: true} | {failed: string} | {mask: ImageBitmap, took: number, turn: number, shape: string}} Found
 */

const LOADED = "third_party/mediapipe/modules/selfie_segmentation/selfie_segmentation_landscape.tflite";

/** @param {string} name */
const place = (name) => new URL(name, import.meta.url).href;

/** @param {string} name */
async function bytes(name) {
  const answer = await fetch(place(name));
  if (!answer.ok) throw new Error(`the hub has no ${name}: ${answer.status}`);
  return answer.arrayBuffer();
}

/** An option of a part of MediaPipe's graph. @param {string} calculatorType @param {string} calculatorName @param {string} fieldName @param {number | boolean} value */
const option = (calculatorType, calculatorName, fieldName, value) =>
  ({ calculatorType, calculatorName, calculatorIndex: 0, fieldName, valueNumber: Number(value), valueBoolean: Boolean(value), valueString: "" });

class Segmentation {
  #wasm;
  #solution;
  #gl;
  #showing;
  #canvas;
  #input;
  /** What the model takes, in MediaPipe's own table of textures. */
  #given;
  /** The shape of the last picture. */
  #shape = 0;
  /** @type {{glName: number, width: number, height: number} | null} */
  #out = null;

  static async load() {
    const canvas = new OffscreenCanvas(MODEL.width, MODEL.height);
    const [{ default: create }, graph, model] = await Promise.all([
      import(place("selfie-segmentation.js")), bytes("selfie-segmentation.binarypb"), bytes("selfie-segmentation.tflite"),
    ]);
    const quiet = () => {};
    const wasm = await create({ locateFile: () => place("selfie-segmentation.wasm"), canvas, print: quiet, printErr: quiet });
    return new Segmentation(wasm, canvas, graph, model);
  }

  /** @param {any} wasm @param {OffscreenCanvas} canvas @param {ArrayBuffer} graph @param {ArrayBuffer} model */
  constructor(wasm, canvas, graph, model) {
    wasm.canvas = canvas;
    const context = wasm.GL.createContext(canvas, { alpha: false, antialias: false, depth: false, stencil: false, majorVersion: 2 });
    if (!context) throw new Error("this browser has no WebGL2");
    wasm.GL.makeContextCurrent(context);
    this.#wasm = wasm;
    this.#canvas = canvas;
    this.#gl = /** @type {WebGL2RenderingContext} */ (canvas.getContext("webgl2"));
    this.#showing = new Showing(this.#gl);
    this.#given = wasm.createTexture();
    this.#input = this.#showing.texture(MODEL);
    wasm.GL.textures[this.#given] = this.#input;
    const solution = new wasm.SolutionWasm();
    this.#solution = solution;
    solution.loadGraph(graph);
    const names = new wasm.StringList();
    names.push_back("segmentation_mask");
    solution.attachMultiListener(names, wasm.PacketListener.implement({
      onResults: (/** @type {any} */ results) => (this.#out = results.get(0)),
    }));
    names.delete();
    solution.overrideFile(LOADED, model);
    const options = new wasm.GraphOptionChangeRequestList();
    options.push_back(option("InferenceCalculator", "", "use_cpu_inference", true));
    options.push_back(option("ConstantSidePacketCalculator", "ConstantSidePacketCalculatorModelSelection", "int_value", 1));
    solution.changeOptions(options);
    options.delete();
  }

  /** Where the person is. @param {Search} search */
  async find({ image, width, height }) {
    const [wasm, part] = [this.#wasm, inModel(width, height)];
    const size = { resizeWidth: Math.round(MODEL.width * part.width), resizeHeight: Math.round(MODEL.height * part.height) };
    // Small before it is a texture: it is searched by the processor, and most cameras' frames are in its memory.
    const small = await createImageBitmap(image, { ...size, resizeQuality: "medium" });
    this.#take(small, Math.round(MODEL.width * part.x), Math.round(MODEL.height * part.y), width / height);
    small.close();
    this.#out = null;
    const list = new wasm.PacketDataList();
    list.pushTexture2d({ glName: this.#given, ...MODEL, stream: "input_frames_gpu", timestamp: 1000 * performance.now() });
    this.#solution.send(list);
    list.delete();
    const out = /** @type {any} */ (this.#out);
    if (!out) throw new Error("no mask came");
    this.#showing.show(wasm.GL.textures[out.glName], MODEL);
    out.delete?.();
    return this.#canvas.transferToImageBitmap();
  }

  /** @param {ImageBitmap} small @param {number} x @param {number} y @param {number} shape */
  #take(small, x, y, shape) {
    const gl = this.#gl;
    gl.bindTexture(gl.TEXTURE_2D, this.#input);
    // A picture of another shape leaves parts of the one before beside it: they are cleared.
    if (shape !== this.#shape) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, MODEL.width, MODEL.height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    this.#shape = shape;
    gl.texSubImage2D(gl.TEXTURE_2D, 0, x, y, gl.RGBA, gl.UNSIGNED_BYTE, small);
    gl.bindTexture(gl.TEXTURE_2D, null);
  }
}

const loading = Segmentation.load();

addEventListener("message", (/** @type {MessageEvent<{port: MessagePort}>} */ { data: { port } }) => {
  const tell = (/** @type {Found} */ found, /** @type {Transferable[]} */ transfer = []) => port.postMessage(found, transfer);
  const fails = (/** @type {unknown} */ error) => tell({ failed: error instanceof Error ? error.message : String(error) });
  port.onmessage = async (/** @type {MessageEvent<Search>} */ { data }) => {
    try {
      const finder = await loading;
      const began = performance.now();
      const mask = await finder.find(data);
      tell({ mask, took: performance.now() - began, turn: data.turn, shape: data.shape }, [mask]);
    } catch (error) {
      fails(error);
    } finally {
      data.image.close();
    }
  };
  loading.then(() => tell({ ready: true }), fails);
});
