// What stands in the way of a better picture, as `adapt::limit` of the native viewer works it out.

/**
 * What a stage needs for what was asked, and what it has, in the stage's own unit.
 * @typedef {{needs: number, has: number}} Stage
 * @typedef {"camera" | "encoder" | "uplink" | "hub" | "downlink" | "decoder"} StageName
 * @typedef {Partial<Record<StageName, Stage>>} Load
 * @typedef {{size: string, quality: number, fps: number, bytes: number, interval: number}} Asked
 */

/** From the camera to the screen: of two about equal the nearer one is the cause of the other. @type {StageName[]} */
const STAGES = ["camera", "encoder", "uplink", "hub", "downlink", "decoder"];

/** A camera at 29.2 of 30 fps is as asked. */
const CAMERA_SLACK = 1.07;

/** Percent of its time that a delivery loop works from which on pictures begin to wait for it. */
const HUB_BUSY = 85;

/**
 * The stage that is furthest behind, with the numbers behind that; "nothing" where all keep up.
 * @param {Load} load
 */
export function limit(load) {
  let name = "";
  let worst = 1;
  for (const stage of STAGES) {
    const { needs = 0, has = 0 } = load[stage] ?? {};
    const share = has > 0 ? needs / has : 0;
    if (stage === "camera" && share <= CAMERA_SLACK) continue;
    if (share > worst * (name ? 1.1 : 1)) [name, worst] = [stage, share];
  }
  const stage = load[/** @type {StageName} */ (name)];
  return stage ? `${name} ${inWords(name, stage)}` : "nothing";
}

/**
 * @param {string} name
 * @param {Stage} stage
 */
function inWords(name, { needs, has }) {
  switch (name) {
    case "camera": return `gives ${has.toFixed(1)} of ${needs.toFixed(1)} fps`;
    case "hub": return `is busy ${needs.toFixed(0)} % of the time`;
    case "uplink":
    case "downlink": return `carries ${(has / 1000).toFixed(has < 9950 ? 1 : 0)} of ${(needs / 1000).toFixed(0)} kB a picture`;
    default: return `takes ${needs.toFixed(0)} ms of ${has.toFixed(0)}`;
  }
}

/**
 * A publisher's or a hub's numbers, as far as they make sense.
 * @param {unknown} value
 * @returns {Load}
 */
export function readLoad(value) {
  /** @type {Load} */
  const load = {};
  if (typeof value !== "object" || value === null) return load;
  for (const name of STAGES) {
    const { needs, has } = Object(/** @type {Record<string, unknown>} */ (value)[name]);
    if (Number.isFinite(needs) && Number.isFinite(has)) load[name] = { needs, has };
  }
  return load;
}

/**
 * What the publisher says its pictures would be if nothing limited them.
 * @param {unknown} value
 * @returns {Asked | null}
 */
export function readAsked(value) {
  if (typeof value !== "object" || value === null) return null;
  const { size, quality, fps, bytes, interval_ms: ms } = /** @type {Record<string, unknown>} */ (value);
  const rate = Number(fps) || 0;
  const interval = Number(ms) || (rate > 0 ? 1000 / rate : 0);
  return { size: typeof size === "string" ? size : "", quality: Number(quality) || 0, fps: rate, bytes: Number(bytes) || 0, interval };
}

/**
 * How busy every stage is: those of the publisher as it says, the rest as seen from here.
 * @param {{asked: Asked | null, load: Load} | null} state  what the publisher says
 * @param {{bytes: number, busy: number}} link  what the hub says of the connection; 0 is no limit
 * @param {{fps: number, kbytes: number, budget: [string, number | null][]}} numbers
 * @param {boolean} chosen  the quality was chosen here
 * @returns {Load}
 */
export function loadSeen(state, link, numbers, chosen) {
  const { asked, load } = state ?? {};
  const fps = asked?.fps || numbers.fps;
  if (!fps || !numbers.fps) return {};
  const spent = Object.fromEntries(numbers.budget.map(([name, ms]) => [name, ms ?? 0]));
  const { bytes, busy } = link;
  // The publisher knows how large its own quality is; of another, what comes tells.
  const full = chosen ? (1000 * numbers.kbytes) / numbers.fps : asked?.bytes;
  return {
    encoder: { needs: spent.encode, has: 1000 / fps },
    ...load,
    ...(busy ? { hub: { needs: busy, has: HUB_BUSY } } : {}),
    ...(bytes ? { downlink: { needs: full || bytes * 1.25, has: bytes } } : {}),
    decoder: { needs: spent.decode, has: 1000 / fps },
  };
}

/**
 * What the pictures would be if nothing limited them: the publisher's word, and the quality that was chosen here.
 * @param {Asked | null} asked @param {number | null} chosen
 */
export function askedInWords(asked, chosen) {
  if (!asked?.size) return "";
  const quality = asked.quality && (chosen || asked.quality);
  return `${asked.size}${quality ? ` · quality ${quality}` : ""}`;
}
