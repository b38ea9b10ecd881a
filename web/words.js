// @ts-check
import { plain } from "./packet.js";

/** What is said of a stream that is sealed end to end, to whoever has no key. */
export const NEEDS_KEY = "encrypted end to end; open the link with its key, or type it";

/**
 * An age or a span: `0.4 ms`, `42 ms`, `1.24 s`, `3 min`; `–` where nobody knows.
 * @param {number | null} ms
 * @param {number} [digits]  of milliseconds
 */
export function inWords(ms, digits = 0) {
  if (ms === null) return "–";
  if (ms < 999.5) return `${ms.toFixed(digits)} ms`;
  const s = ms / 1000;
  return s < 120 ? `${s.toFixed(s < 10 ? 2 : 1)} s` : s < 7200 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h`;
}

/** A span in whole seconds, minutes or hours. @param {number} ms */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  return s < 120 ? `${s} s` : s < 7200 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h`;
}

/** A moment, as a clock shows it; with the day where it is another one. @param {number} at @param {number} now  milliseconds since 1970 */
export function momentInWords(at, now) {
  const date = new Date(at);
  const time = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const isToday = date.toDateString() === new Date(now).toDateString();
  return isToday ? time : `${date.toLocaleDateString(undefined, { day: "numeric", month: "short" })}, ${time}`;
}

/** A moment as a part of a file's name: `20260131-235959`. @param {Date} date */
export const stamp = (date) => date.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");

/**
 * The age of a report's picture, with what is said of it where it is an estimate.
 * @param {import("./meter.js").Report} report
 * @param {number} [digits]
 */
export function ageInWords({ age, estimated, error }, digits = 0) {
  if (age === null || !estimated) return inWords(age, digits);
  return `≈ ${inWords(age, digits)}${error === null ? "" : ` ± ${inWords(error)}`}`;
}

/**
 * How a stream is sealed: whether the hub's times fit those inside.
 * @param {import("./meter.js").Report} report
 */
export function sealInWords({ apart }) {
  return apart === null ? "end to end" : `the hub's times are wrong by ${(Math.abs(apart) / 1000).toFixed(1)} s`;
}

/**
 * Whether what is on the canvas is of another time.
 * @param {import("./meter.js").Report} report
 */
export function isOld({ state }) {
  return state !== "live" && state !== "late";
}

/**
 * What an answer says that is no success: the hub's own words, which are advice with addresses and options in it and are
 * not cut short like others, or the number where they are not the hub's.
 * @param {Response} answer
 */
export async function refusal(answer) {
  const isText = /^text\/plain\b/.test(answer.headers.get("content-type") ?? "");
  return (isText && plain((await answer.text()).trim(), 600)) || `HTTP status ${answer.status}`;
}

/**
 * Why the hub refuses the WebSocket of a page, as far as it says; browsers do not tell. It tells whoever asks in another way that needs
 * the same right.
 * @param {string} url  of the WebSocket
 */
export async function whyNot(url) {
  try {
    const answer = await fetch(url.replace(/^ws/, "http"), { method: "POST" });
    return [403, 421, 503].includes(answer.status) ? await refusal(answer) : "";
  } catch {
    return "";
  }
}
