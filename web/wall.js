// @ts-check
// Where the tiles of a wall stand: pure, in pixels.

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Place  of a picture; its caption is below it
 * @typedef {object} Room
 * @property {number} width  of the wall
 * @property {number} height  that can be seen without scrolling
 * @property {number} gap  between tiles
 * @property {number} caption  height of what stands below a picture
 */

/** So many streams are made to fit into the window. */
const MOST_FITTED = 16;
/** The size below which pictures are too small to be of use, and the wall scrolls: the root of their area, of all on average. */
const LEAST = 110;
/** The same of pictures on a wall that scrolls, where there is room for it. */
const SCROLLED = 300;
/** Shapes beyond these leave no room for others; the picture then has bars. */
const NARROWEST = 0.4;
const WIDEST = 3;

/** The shape that a picture is given: width by height. @param {number} shape */
export const shown = (shape) => (shape > 0 ? Math.min(WIDEST, Math.max(NARROWEST, shape)) : 4 / 3);

/** Cuts shapes into rows, in their order, so that the longest row is as short as can be. @param {number[]} shapes @param {number} rows */
function cut(shapes, rows) {
  let [low, high] = [Math.max(...shapes), shapes.reduce((sum, shape) => sum + shape, 0)];
  /** @param {number} most */
  const filled = (most) => {
    /** @type {number[][]} */
    const made = [[]];
    let sum = 0;
    for (const shape of shapes) {
      if (sum + shape > most * (1 + 1e-9) && sum > 0) [sum] = [0, made.push([])];
      sum += shape;
      made[made.length - 1].push(shape);
    }
    return made;
  };
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (filled(middle).length <= rows) high = middle;
    else low = middle;
  }
  return filled(high);
}

/**
 * The heights of rows that share a height: all the same, and what some are too wide to use goes to the others.
 * @param {number[]} limits  what each may have at most
 * @param {number} height  for all
 */
function heights(limits, height) {
  const given = limits.map(() => 0);
  let left = height;
  const order = limits.map((limit, row) => ({ limit, row })).sort((a, b) => a.limit - b.limit);
  order.forEach(({ limit, row }, done) => {
    given[row] = Math.max(0, Math.min(limit, left / (order.length - done)));
    left -= given[row];
  });
  // What is rounded up would be scrolled.
  return given.map((one) => Math.floor(one * 100) / 100);
}

/** @param {number[]} row @param {Room} room */
const widest = (row, { width, gap }) => Math.max(1, (width - gap * (row.length - 1)) / row.reduce((sum, shape) => sum + shape, 0));

/**
 * @param {number[][]} rows
 * @param {number[]} tall  the height of each
 * @param {Room} room
 * @param {boolean} middle  whether what is left stands around it
 */
function placed(rows, tall, room, middle) {
  const all = tall.reduce((sum, height) => sum + height + room.caption, room.gap * (rows.length - 1));
  let y = middle ? Math.max(0, (room.height - all) / 2) : 0;
  /** @type {Place[]} */
  const places = [];
  rows.forEach((row, at) => {
    const height = tall[at];
    const length = row.reduce((sum, shape) => sum + shape * height, room.gap * (row.length - 1));
    let x = Math.max(0, (room.width - length) / 2);
    for (const shape of row) {
      places.push({ x, y, width: shape * height, height });
      x += shape * height + room.gap;
    }
    y += height + room.caption + room.gap;
  });
  return { places, height: y - room.gap };
}

/**
 * Where all can be seen at once, as large as can be; null where they would be too small.
 * @param {number[]} shapes @param {Room} room @param {number} least @param {boolean} even
 */
function fitted(shapes, room, least, even) {
  let best = { worth: 0, rows: /** @type {number[][]} */ ([]), tall: /** @type {number[]} */ ([]) };
  for (let count = 1; count <= shapes.length; count++) {
    const rows = cut(shapes, count);
    const height = room.height - room.gap * (rows.length - 1) - room.caption * rows.length;
    if (height <= 0) continue;
    const limits = rows.map((row) => widest(row, room));
    const tall = even ? limits.map(() => Math.floor(100 * Math.min(...limits, height / rows.length)) / 100) : heights(limits, height);
    const sizes = rows.flatMap((row, at) => row.map((shape) => tall[at] * Math.sqrt(shape)));
    const worth = sizes.reduce((sum, size) => sum + size, 0);
    if (worth > best.worth) best = { worth, rows, tall };
  }
  return best.worth < least * shapes.length ? null : placed(best.rows, best.tall, room, true);
}

/** Rows under each other, as many as there are. @param {number[]} shapes @param {Room} room */
function scrolled(shapes, room) {
  const size = Math.min(SCROLLED, room.width / 2);
  /** @type {number[][]} */
  const rows = [];
  /** @type {number[]} */
  let row = [];
  for (const shape of shapes) {
    row.push(shape);
    if (widest(row, room) > size) continue;
    rows.push(row);
    row = [];
  }
  if (row.length) rows.push(row);
  const most = Math.min(size * 1.25, room.height * 0.8);
  return placed(rows, rows.map((one) => Math.min(most, widest(one, room))), room, false);
}

/**
 * The wall: the place of each picture, and how high all of it is. All of up to 16 can be seen at once, by the rows that
 * give the largest pictures; more, or such as would be too small, are scrolled.
 * @param {number[]} shapes  width by height of each picture; 0 where nobody knows
 * @param {Room} room
 * @param {{most?: number, least?: number, even?: boolean}} [limits]  how many are made to fit, how small they may be for it, and
 *   whether all rows are as high as each other, where they fit
 */
export function wall(shapes, room, { most = MOST_FITTED, least = LEAST, even = false } = {}) {
  const given = shapes.map(shown);
  if (!given.length) return { places: /** @type {Place[]} */ ([]), height: 0 };
  return (given.length <= most && fitted(given, room, least, even)) || scrolled(given, room);
}
