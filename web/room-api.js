// @ts-check
// What the page asks the hub of rooms.
import { plain } from "./packet.js";
import { tokenOf } from "./room-memory.js";

/**
 * A room as it is listed.
 * @typedef {{id: string, title: string, host: string, people: import("./room-people.js").Person[]}} Room
 * @typedef {{ok: true, told: any} | {ok: false, status: number, why: string}} Answer
 */

const SILENT = "The hub does not answer.";

/** Where a room's things are. @param {string} room @param {string} [rest] */
export const addressOf = (room, rest = "") => `rooms/${encodeURIComponent(room)}${rest}`;

/** The page of a room. @param {string} room */
export const pageOf = (room) => new URL(addressOf(room), document.baseURI.split("#")[0]).href;

/** The page of a room, with what lets somebody in and opens what is sealed there. @param {string} room @param {{token?: string, key?: string}} said */
export function linkOf(room, { token = "", key = "" }) {
  const parts = Object.entries({ token, key }).filter(([, value]) => value).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return parts.length ? `${pageOf(room)}#${parts.join("&")}` : pageOf(room);
}

/**
 * Asks the hub; gives its answer, or in words why there is none.
 * @param {string} path
 * @param {{body?: unknown, method?: string, headers?: Record<string, string>}} [options]
 * @returns {Promise<Answer>}
 */
export async function ask(path, { body, method = body === undefined ? "GET" : "POST", headers = {} } = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  /** @type {Record<string, string>} */
  const all = { Accept: "application/json", ...headers };
  if (body !== undefined) all["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers: all, cache: "no-store", ...sent }).catch(() => null);
  if (!answer) return { ok: false, status: 0, why: SILENT };
  const text = await answer.text().catch(() => "");
  let told = null;
  try {
    told = JSON.parse(text);
  } catch {
    // Some answers are words.
  }
  if (answer.ok) return { ok: true, told };
  const words = typeof told?.detail === "string" ? told.detail : typeof told?.error === "string" ? told.error : "";
  const isText = /^text\/plain\b/.test(answer.headers.get("content-type") ?? "");
  const why = plain((words || (isText ? text : "")).trim(), 600) || `HTTP status ${answer.status}`;
  return { ok: false, status: answer.status, why };
}

/** Does what only the host may do. @param {string} room @param {string} what  `close` or `people` @param {unknown} body */
export function askAsHost(room, what, body) {
  const token = tokenOf(room);
  return ask(addressOf(room, `/${what}`), { body, method: "POST", headers: token ? { "X-Host-Token": token } : {} });
}
