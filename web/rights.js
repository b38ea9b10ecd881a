// @ts-check
// What somebody may do at a hub, and how the way to it is protected, in words.
import { plain } from "./packet.js";

/**
 * @typedef {{roles: string[], streams: string[]}} Permission
 * @typedef {{asks: boolean, encrypted: boolean, permissions: Permission[], ends: number | null, why: string | null}} Rights
 */

const DOES = /** @type {Record<string, string>} */ ({
  view: "watch",
  publish: "publish",
  operate: "share",
  replay: "watch recordings of",
  admin: "administer",
});

/** @param {string} scope */
function streams(scope) {
  if (scope === "*") return "all streams";
  const [room, name] = scope.split("/");
  return name === "*" ? `all streams of room ${plain(room)}` : plain(scope);
}

/** @param {string[]} words */
const listed = (words) =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;

/** A line for each permission: `Watch and publish all streams of room main`. @param {Permission[]} permissions */
export function permissionsInWords(permissions) {
  return permissions.map(({ roles, streams: scopes }) => {
    const line = `${listed(roles.map((role) => DOES[role] ?? plain(role)))} ${listed(scopes.map(streams))}`;
    return line.charAt(0).toUpperCase() + line.slice(1);
  });
}

/** Whether all streams of one scope are in another: `*`, `ROOM/*`, `ROOM/NAME`. @param {string} scope @param {string} other */
function includes(scope, other) {
  return scope === "*" || scope === other || (scope.endsWith("/*") && other.startsWith(scope.slice(0, -1)));
}

/** Whether somebody may do something with all streams of a scope. @param {Rights} rights @param {string} role @param {string} scope */
export function may(rights, role, scope) {
  return rights.permissions.some(({ roles, streams: scopes }) =>
    roles.includes(role) && scopes.some((one) => includes(one, scope)));
}

/** Whether somebody may be in a room: see all of it, and be seen by some name. @param {Rights} rights @param {string} room */
export function mayJoin(rights, room) {
  const isIn = (/** @type {string} */ scope) => scope === "*" || scope.startsWith(`${room}/`);
  const publishes = rights.permissions.some(({ roles, streams: scopes }) => roles.includes("publish") && scopes.some(isIn));
  return !rights.asks || (publishes && may(rights, "view", `${room}/*`));
}

/** Whether a link for a scope can be made, or needs none. @param {Rights} rights @param {string} scope */
export function mayShare(rights, scope) {
  return !rights.asks || (may(rights, "operate", scope) && may(rights, "view", scope));
}

/** Whether any stream may be watched. @param {Rights} rights */
export const mayWatch = (rights) => rights.permissions.some(({ roles }) => roles.includes("view") || roles.includes("admin"));

/** @param {string} hostname */
export const isLoopback = (hostname) =>
  hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);

/**
 * How the way between this browser and the hub is protected.
 * @param {boolean} encrypted  as the hub says
 * @param {{protocol: string, hostname: string}} at  where the page is from
 * @returns {{kind: "encrypted" | "local" | "proxy" | "clear", label: string, words: string}}
 */
export function wayInWords(encrypted, { protocol, hostname }) {
  const isHttps = protocol === "https:";
  if (isHttps && encrypted) {
    return { kind: "encrypted", label: "Encrypted", words: "Nobody between this browser and the hub can see or change anything." };
  }
  if (isHttps) {
    return {
      kind: "proxy",
      label: "Encrypted to a proxy",
      words: "It is encrypted from this browser to a proxy. The hub cannot tell how the proxy reaches it.",
    };
  }
  if (isLoopback(hostname)) {
    return { kind: "local", label: "On this machine", words: "The hub is reached on this machine, without encryption." };
  }
  return {
    kind: "clear",
    label: "Not encrypted",
    words: "Whoever is between this browser and the hub can see everything. Open the page by https instead.",
  };
}

/**
 * Whether a stream is sealed end to end, as far as is known; empty before a picture came.
 * @param {{sealed: boolean, locked: boolean, size: string} | null} report
 */
export function endToEndInWords(report) {
  if (!report) return "";
  if (report.sealed) return "This stream is encrypted end to end: the hub cannot see its pictures.";
  if (report.locked) return "This stream is encrypted end to end, and this page has no key that opens it.";
  return report.size ? "This stream is not encrypted end to end: the hub can see its pictures." : "";
}

/** When a right ends. @param {number | null} ends  seconds since 1970 @param {number} now  milliseconds since 1970 */
export function endInWords(ends, now) {
  if (ends === null) return "It does not end by itself.";
  const date = new Date(ends * 1000);
  if (Number.isNaN(date.getTime())) return "It does not end by itself.";
  const minutes = Math.round((ends * 1000 - now) / 60_000);
  const spans = minutes < 1 ? "in less than a minute" : minutes < 120 ? `in ${minutes} min`
    : minutes < 48 * 60 ? `in ${Math.round(minutes / 60)} h` : `in ${Math.round(minutes / 1440)} days`;
  const day = date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return minutes < 0 ? `It ended on ${day}.` : `It ends ${spans}, on ${day}.`;
}
