// @ts-check
// What is behind somebody: what there is to choose from, where a picture lies in the model's, and how often the person is looked for.
// Nothing here knows WebGL or a worker. Times are milliseconds.

/** What to choose from. @type {Record<string, string>} */
export const BACKGROUNDS = {
  none: "As it is",
  light: "Blurred lightly",
  strong: "Blurred strongly",
  picture: "A picture",
};
export const AS_IT_IS = "none";

/** What the model takes and gives. */
export const MODEL = { width: 256, height: 144 };
/** The shorter side of the picture that is blurred, for what is blurred has no details; and how far colours run, in pixels of that. */
const BLURS = { light: { side: 90, sigma: 1.6 }, strong: { side: 60, sigma: 3.4 } };

/** How a picture is blurred. Before anybody knows where the person is, nothing may be recognised. @param {string} look @param {boolean} found */
export const blurOf = (look, found) => (found && look === "light" ? BLURS.light : BLURS.strong);

/** The size in which a picture is blurred. @param {number} width @param {number} height @param {{side: number}} blur */
export function blurredSize(width, height, { side }) {
  const by = Math.min(1, side / Math.min(width, height));
  return { width: Math.max(1, Math.round(width * by)), height: Math.max(1, Math.round(height * by)) };
}

/** How far colours are mixed at most, in pixels. */
const FARTHEST = 12;
/** The most places that a pixel is mixed from, on either side. */
export const TAPS = FARTHEST / 2;

/**
 * The places on one side that a pixel is mixed from, and how much of each; and of itself. A place between two pixels has something of both.
 * @param {number} sigma  at most 5
 */
export function taps(sigma) {
  const weight = (/** @type {number} */ at) => (at <= Math.min(FARTHEST, Math.ceil(2.5 * sigma)) ? Math.exp((-0.5 * at * at) / (sigma * sigma)) : 0);
  const [places, weights] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
  for (let at = 1; at < FARTHEST; at += 2) {
    const [one, next] = [weight(at), weight(at + 1)];
    if (one + next === 0) break;
    places.push(at + next / (one + next));
    weights.push(one + next);
  }
  const sum = 1 + 2 * weights.reduce((all, one) => all + one, 0);
  return { places, weights: weights.map((one) => one / sum), own: 1 / sum };
}

/** The sizes on the way to a smaller one, each at least a quarter of the one before: so no pixel is passed over. @param {{width: number, height: number}} from @param {{width: number, height: number}} to */
export function between(from, to) {
  const steps = [];
  let { width, height } = from;
  while (width > 4 * to.width || height > 4 * to.height) {
    width = Math.max(to.width, Math.ceil(width / 4));
    height = Math.max(to.height, Math.ceil(height / 4));
    steps.push({ width, height });
  }
  return steps;
}

/**
 * The part of the model's picture that this picture has: all of it is in, in its own shape.
 * @param {number} width @param {number} height
 * @returns {{x: number, y: number, width: number, height: number}}  of 1
 */
export function inModel(width, height) {
  const by = Math.min(MODEL.width / width, MODEL.height / height);
  const [w, h] = [(width * by) / MODEL.width, (height * by) / MODEL.height];
  return { x: (1 - w) / 2, y: (1 - h) / 2, width: w, height: h };
}

/**
 * The part of a picture that fills another size, with nothing left over and nothing out of shape.
 * @param {{width: number, height: number}} picture @param {{width: number, height: number}} room
 * @returns {{x: number, y: number, width: number, height: number}}  of 1
 */
export function filling(picture, room) {
  const by = Math.max(room.width / picture.width, room.height / picture.height);
  const [width, height] = [room.width / (picture.width * by), room.height / (picture.height * by)];
  return { x: (1 - width) / 2, y: (1 - height) / 2, width, height };
}

/** Where somebody was so long ago they may not be any more: what is behind them would be seen. */
const STALE = 1500;
/** The longest pause between two searches, and how it grows and shrinks from one to the next. */
const LONGEST_PAUSE = 150;
const [LONGER, SHORTER] = [15, 5];
/** So much longer than usual between two frames, one was missed; and such a share of them is too much. */
const MISSED = 1.6;
const MANY = 0.08;

/**
 * How often the person is looked for: with every frame, as long as the camera's rate is kept. Where it is not, searches are paused, and
 * drawing goes on with the newest that was found.
 */
export class SearchPace {
  #busy = false;
  #began = -Infinity;
  #ended = -Infinity;
  /** When the frame was there in which the person was found last. */
  #known = -Infinity;
  #pause = 0;
  /** Of the last frame. */
  #taken = -Infinity;
  /** The least time between two frames. */
  #between = Infinity;
  /** The share of frames before which one was missed. */
  #missed = 0;

  /**
   * A frame came. One that was there already may have taken the place of another; a camera that has fewer in the dark lets one wait.
   * @param {number} taken @param {boolean} waited  it was there before the one before it was drawn
   */
  came(taken, waited) {
    const between = taken - this.#taken;
    this.#taken = taken;
    if (between > 0) this.#between = Math.min(this.#between, between);
    this.#missed += (Number(waited && between > MISSED * this.#between) - this.#missed) / 32;
  }

  /** Whether to search now. @param {number} now */
  wants(now) {
    return !this.#busy && now - this.#ended >= this.#pause;
  }

  /** @param {number} now */
  begins(now) {
    this.#busy = true;
    this.#began = now;
  }

  /** @param {number} now */
  found(now) {
    this.#busy = false;
    this.#ended = now;
    this.#known = this.#began;
    if (this.#missed > MANY) this.#pause = Math.min(LONGEST_PAUSE, this.#pause + LONGER);
    else if (this.#missed < MANY / 2) this.#pause = Math.max(0, this.#pause - SHORTER);
  }

  /** Nobody searches any more, or begins anew. */
  forget() {
    this.#busy = false;
    this.#ended = -Infinity;
    this.lose();
  }

  /** What was found says nothing of the frames that come now. */
  lose() {
    this.#known = -Infinity;
  }

  /** Whether it is known where the person is. @param {number} now */
  knows(now) {
    return now - this.#known <= STALE;
  }
}
