// @ts-check
// JPEGs of frames, by the browser's own encoder, in a worker.

/** A picture that takes longer is left out. Browsers cannot be told to end it. */
const STUCK = 3000;

/** A canvas for each rung, which keeps its size from frame to frame. */
export class Jpegs {
  /** @type {{canvas: OffscreenCanvas, context: OffscreenCanvasRenderingContext2D}[]} */
  #canvases = [];

  /**
   * The frame at this size and quality. Colour is at half the resolution, as browsers have it below the best quality.
   * @param {CanvasImageSource} image
   * @param {number} place  of the rung
   * @param {{width: number, height: number}} size
   * @param {number} quality  1 to 100
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async make(image, place, { width, height }, quality) {
    const { canvas, context } = (this.#canvases[place] ??= made());
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    // Forgotten by the context when the canvas gets another size.
    context.imageSmoothingQuality = "medium";
    context.drawImage(image, 0, 0, width, height);
    return encoded(canvas, quality);
  }
}

function made() {
  const canvas = new OffscreenCanvas(1, 1);
  // Its pixels are read each time: in the graphics card they would have to be fetched from there.
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (!context) throw new Error("this browser has no canvas for pictures");
  return { canvas, context };
}

/** @param {OffscreenCanvas} canvas @param {number} quality */
async function encoded(canvas, quality) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const stuck = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`a picture takes longer than ${STUCK / 1000} s to encode`)), STUCK);
  });
  try {
    const blob = await Promise.race([canvas.convertToBlob({ type: "image/jpeg", quality: quality / 100 }), stuck]);
    if (blob.type !== "image/jpeg") throw new Error("this browser makes no JPEG");
    return new Uint8Array(await blob.arrayBuffer());
  } finally {
    clearTimeout(timer);
  }
}
