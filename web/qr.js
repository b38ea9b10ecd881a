// @ts-check
// QR codes of addresses (ISO/IEC 18004): bytes, error correction level M, versions 1 to 20.

/** Of each version: bytes of error correction in a block, and blocks. */
const CHECK = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];

/** Modules that hold data or its correction, in bits. @param {number} version */
function capacity(version) {
  const align = version > 1 ? Math.floor(version / 7) + 2 : 0;
  const patterns = align ? (25 * align - 10) * align - 55 : 0;
  return (16 * version + 128) * version + 64 - patterns - (version >= 7 ? 36 : 0);
}

/** Multiplies in the field of the code. @param {number} a @param {number} b */
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) product = (product << 1) ^ ((product >> 7) * 0x11d) ^ (((b >> bit) & 1) * a);
  return product;
}

/** The bytes that correct a block. @param {number[]} data @param {number} count */
function correction(data, count) {
  const divisor = Array(count).fill(0);
  divisor[count - 1] = 1;
  for (let power = 0, root = 1; power < count; power++, root = times(root, 2)) {
    for (let at = 0; at < count; at++) divisor[at] = times(divisor[at], root) ^ (divisor[at + 1] ?? 0);
  }
  const rest = Array(count).fill(0);
  for (const byte of data) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    divisor.forEach((one, at) => (rest[at] ^= times(one, factor)));
  }
  return rest;
}

/** All bytes of a code, in their order. @param {Uint8Array} text @param {number} version */
function codewords(text, version) {
  const [check, blocks] = [CHECK[version - 1], BLOCKS[version - 1]];
  const all = Math.floor(capacity(version) / 8);
  const room = all - check * blocks;
  /** @type {number[]} */
  const bits = [];
  const put = (/** @type {number} */ value, /** @type {number} */ count) => {
    for (let bit = count - 1; bit >= 0; bit--) bits.push((value >> bit) & 1);
  };
  put(4, 4);
  put(text.length, version < 10 ? 8 : 16);
  for (const byte of text) put(byte, 8);
  put(0, Math.min(4, room * 8 - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < room * 8; pad ^= 0xec ^ 0x11) put(pad, 8);
  const bytes = Array.from({ length: room }, (_, at) => parseInt(bits.slice(8 * at, 8 * at + 8).join(""), 2));
  const short = blocks - (all % blocks);
  const size = Math.floor(all / blocks) - check;
  /** @type {number[][]} */
  const data = [];
  for (let block = 0, at = 0; block < blocks; block++) {
    const length = size + (block < short ? 0 : 1);
    data.push(bytes.slice(at, at + length));
    at += length;
  }
  const checks = data.map((block) => correction(block, check));
  const made = [];
  for (let at = 0; at <= size; at++) for (const block of data) if (at < block.length) made.push(block[at]);
  for (let at = 0; at < check; at++) for (const block of checks) made.push(block[at]);
  return made;
}

/** Where alignment patterns have their middle. @param {number} version */
function alignments(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((4 * version + 4) / (2 * count - 2)) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, at) => 4 * version + 10 - step * (count - 2 - at))];
}

/** @type {((x: number, y: number) => boolean)[]} */
const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** A number with its own check behind it. @param {number} value @param {number} bits  of the check @param {number} by */
function checked(value, bits, by) {
  let rest = value;
  for (let step = 0; step < bits; step++) rest = (rest << 1) ^ ((rest >> (bits - 1)) * by);
  return (value << bits) | rest;
}

/** What is always the same in a version, and which modules that is. @param {number} version */
function fixed(version) {
  const size = 4 * version + 17;
  const dark = Array.from({ length: size }, () => Array(size).fill(false));
  const taken = Array.from({ length: size }, () => Array(size).fill(false));
  const set = (/** @type {number} */ x, /** @type {number} */ y, /** @type {boolean} */ is) => {
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    dark[y][x] = is;
    taken[y][x] = true;
  };
  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]]) {
    for (let y = -4; y <= 4; y++) {
      for (let x = -4; x <= 4; x++) {
        const ring = Math.max(Math.abs(x), Math.abs(y));
        set(cx + x, cy + y, ring !== 2 && ring !== 4);
      }
    }
  }
  const middles = alignments(version);
  const last = middles.length - 1;
  middles.forEach((cx, column) => middles.forEach((cy, row) => {
    if ((column === 0 && row === 0) || (column === 0 && row === last) || (column === last && row === 0)) return;
    for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) set(cx + x, cy + y, Math.max(Math.abs(x), Math.abs(y)) !== 1);
  }));
  if (version >= 7) {
    const bits = checked(version, 12, 0x1f25);
    for (let at = 0; at < 18; at++) {
      const [far, near] = [size - 11 + (at % 3), Math.floor(at / 3)];
      set(far, near, ((bits >> at) & 1) === 1);
      set(near, far, ((bits >> at) & 1) === 1);
    }
  }
  /** Level M is 0. @param {number} mask */
  const format = (mask) => {
    const bits = checked(mask, 10, 0x537) ^ 0x5412;
    const is = (/** @type {number} */ at) => ((bits >> at) & 1) === 1;
    for (let at = 0; at <= 5; at++) set(8, at, is(at));
    set(8, 7, is(6));
    set(8, 8, is(7));
    set(7, 8, is(8));
    for (let at = 9; at < 15; at++) set(14 - at, 8, is(at));
    for (let at = 0; at < 8; at++) set(size - 1 - at, 8, is(at));
    for (let at = 8; at < 15; at++) set(8, size - 15 + at, is(at));
    set(8, size - 8, true);
  };
  format(0);
  return { size, dark, taken, format };
}

/** How hard a code is to read: runs, blocks, and far from half dark. @param {boolean[][]} dark */
function penalty(dark) {
  const size = dark.length;
  let sum = 0;
  for (const turned of [false, true]) {
    for (let y = 0; y < size; y++) {
      let line = "";
      for (let x = 0; x < size; x++) line += (turned ? dark[x][y] : dark[y][x]) ? "1" : "0";
      for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) sum += run.length - 2;
      sum += 40 * (line.match(/(?=00001011101|10111010000)/g)?.length ?? 0);
    }
  }
  let count = 0;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      count += Number(dark[y][x]);
      if (x && y && dark[y][x] === dark[y][x - 1] && dark[y][x] === dark[y - 1][x] && dark[y][x] === dark[y - 1][x - 1]) sum += 3;
    }
  }
  return sum + 10 * Math.floor(Math.abs((20 * count) / (size * size) - 10));
}

/**
 * The modules of a code, row by row, dark ones true; null where the text is too long.
 * @param {string} text
 * @returns {boolean[][] | null}
 */
export function qr(text) {
  const bytes = new TextEncoder().encode(text);
  const fits = (/** @type {number} */ version) =>
    (Math.floor(capacity(version) / 8) - CHECK[version - 1] * BLOCKS[version - 1]) * 8 >= 4 + (version < 10 ? 8 : 16) + 8 * bytes.length;
  const version = CHECK.findIndex((_, at) => fits(at + 1)) + 1;
  if (!version) return null;
  const { size, dark, taken, format } = fixed(version);
  const data = codewords(bytes, version);
  let bit = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      for (const x of [right, right - 1]) {
        const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
        if (taken[y][x]) continue;
        dark[y][x] = (((data[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
        bit++;
      }
    }
  }
  const masked = (/** @type {number} */ mask) => {
    format(mask);
    return dark.map((row, y) => row.map((is, x) => is !== (!taken[y][x] && MASKS[mask](x, y))));
  };
  const order = MASKS.map((_, mask) => ({ mask, bad: penalty(masked(mask)) })).sort((a, b) => a.bad - b.bad);
  return masked(order[0].mask);
}

/** Draws it, with the margin that readers need. @param {HTMLCanvasElement} canvas @param {boolean[][]} modules */
export function drawQr(canvas, modules) {
  const [scale, margin] = [6, 4];
  canvas.width = canvas.height = (modules.length + 2 * margin) * scale;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#000";
  modules.forEach((row, y) => row.forEach((is, x) => {
    if (is) context.fillRect((x + margin) * scale, (y + margin) * scale, scale, scale);
  }));
}
