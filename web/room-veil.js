// @ts-check
// What is behind whoever the camera sees: hidden by the camera itself where it can blur, else by workers of the page, or as it is.
import { AS_IT_IS } from "./background-rules.js";
import { Background } from "./room-background.js";

/** What some cameras have of their own; no browser's types know it yet. @typedef {{backgroundBlur?: boolean[]}} Able @typedef {{backgroundBlur?: boolean}} Set */

/** Whether the camera blurs what is behind a person. @param {MediaStreamTrack} camera */
const blurs = (camera) => /** @type {Set} */ (camera.getSettings()).backgroundBlur === true;

/** Has the camera blur, or not; gives whether it does as it was told. @param {MediaStreamTrack} camera @param {boolean} on */
async function tellToBlur(camera, on) {
  const { backgroundBlur: able = [] } = /** @type {Able} */ (camera.getCapabilities?.() ?? {});
  if (!able.includes(on)) return false;
  if (blurs(camera) !== on) await camera.applyConstraints(/** @type {MediaTrackConstraints} */ ({ backgroundBlur: { exact: on } })).catch(() => {});
  return blurs(camera) === on;
}

export class Veil {
  #told;
  /** @type {Background | null} */
  #own = null;
  /** The camera that this made blur, and what ends listening to it. @type {{camera: MediaStreamTrack, listening: AbortController} | null} */
  #blurring = null;
  /** What `own` shows. @type {{camera: MediaStreamTrack, shown: MediaStreamTrack} | null} */
  #put = null;
  #turn = Promise.resolve();
  #isClosed = false;

  /**
   * @param {object} told
   * @param {() => void} told.changed  there are other words
   * @param {() => void} told.failed  there is no picture any more
   * @param {() => void} told.lost  the camera does not blur any more: somebody told it so outside of the page
   */
  constructor(told) {
    this.#told = told;
  }

  /** A track that shows what the camera sees before that background. @param {MediaStreamTrack} camera @param {string} look  of `BACKGROUNDS` @returns {Promise<MediaStreamTrack>} */
  put(camera, look) {
    const made = this.#turn.then(() => this.#putNow(camera, look));
    this.#turn = made.then(() => {}, () => {});
    return made;
  }

  /** @param {MediaStreamTrack} camera @param {string} look */
  async #putNow(camera, look) {
    const itself = (look === "light" || look === "strong") && (await tellToBlur(camera, true));
    if (this.#isClosed) return camera;
    if (itself) this.#listen(camera);
    // Until another background is drawn the camera goes on blurring: the person is found in a blurred picture as well.
    else if (look === AS_IT_IS) await this.#unblur(camera);
    if (itself || look === AS_IT_IS) {
      this.#drop();
      return camera;
    }
    this.#own ??= new Background(() => this.#told.changed(), () => {
      this.#own = this.#put = null;
      this.#told.failed();
    });
    void this.#own.choose(look);
    if (this.#put?.camera !== camera) this.#put = { camera, shown: this.#own.put(camera) };
    return this.#put.shown;
  }

  /** The camera blurs, and somebody may tell it otherwise: the system has a switch for it. @param {MediaStreamTrack} camera */
  #listen(camera) {
    if (this.#blurring?.camera === camera) return;
    this.#blurring?.listening.abort();
    const listening = new AbortController();
    this.#blurring = { camera, listening };
    camera.addEventListener("configurationchange", () => blurs(camera) || this.#told.lost(), { signal: listening.signal });
  }

  /** What this switched on it switches off; what somebody else did stays. @param {MediaStreamTrack} camera */
  async #unblur(camera) {
    if (!this.#blurring) return;
    this.#blurring.listening.abort();
    this.#blurring = null;
    await tellToBlur(camera, false);
  }

  /** What is to be known while the background is not as it was chosen; empty while it is. */
  get words() {
    if (!this.#own || this.#own.state.found || this.isUnsearched) return "";
    return "All of your picture is blurred until you are found in it";
  }

  /** Nobody looks for the person, and all of the picture stays blurred. */
  get isUnsearched() {
    return Boolean(this.#own?.state.unsearched);
  }

  get stats() {
    return this.#own?.stats ?? null;
  }

  /** No camera is on. */
  rest() {
    this.#put = null;
    this.#own?.rest();
  }

  #drop() {
    this.#put = null;
    this.#own?.close();
    this.#own = null;
  }

  close() {
    this.#isClosed = true;
    this.#blurring?.listening.abort();
    this.#drop();
  }
}
