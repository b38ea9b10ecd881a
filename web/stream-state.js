// @ts-check
// What the hub and a publisher say of a stream, as far as it makes sense.
import { readAsked, readLoad } from "./limit.js";

/**
 * @typedef {{live: boolean, published: boolean, reason: string, since: number, room: string, name: string, asked: import("./limit.js").Asked | null,
 *   load: import("./limit.js").Load, sealed: boolean, audio: {muted: boolean, speaking: boolean} | null}} StreamState
 */

/**
 * @param {import("./packet.js").Control} control
 * @param {string} room @param {string} name  those that were asked for
 * @param {number} at  when it came, milliseconds
 * @returns {StreamState}
 */
export function readState(control, room, name, at) {
  return {
    live: control.live === true,
    published: control.published === true,
    reason: String(control.reason ?? ""),
    since: at - (Number.isFinite(control.since_ms) ? Number(control.since_ms) : 0),
    room: String(control.room ?? room),
    name: String(control.name ?? name),
    asked: readAsked(control.asked),
    load: readLoad(control.load),
    sealed: control.sealed === true,
    audio: readAudio(control.audio),
  };
}

/** What a publisher says of its sound; null: it has none. @param {unknown} value */
function readAudio(value) {
  if (typeof value !== "object" || value === null) return null;
  const { muted, speaking } = /** @type {Record<string, unknown>} */ (value);
  return { muted: muted === true, speaking: speaking === true && muted !== true };
}
