// @ts-check
// What an address or a link says: the stream, its key, and the token that lets somebody in.

/**
 * @typedef {[room: string, name: string]} StreamName
 * @typedef {{stream: StreamName | null, token: string, key: string, pin: string}} Said
 */

/** A part of the address, or what it is where its percent signs mean nothing. @param {string} part */
export function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Room and name of a path, if it has both. @param {string} path @returns {StreamName | null} */
function streamOf(path) {
  const parts = path.split("/").filter(Boolean).map(decoded);
  return parts.length === 2 ? [parts[0], parts[1]] : null;
}

/**
 * What a fragment says: `#/ROOM/NAME`, and parameters as `key=…`, each behind an `&`.
 * @param {string} hash
 * @returns {Said}
 */
export function read(hash) {
  const parts = hash.replace(/^#/, "").split("&");
  const value = (/** @type {string} */ name) =>
    decoded(parts.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1) ?? "");
  const path = parts.find((part) => !part.includes("=")) ?? "";
  return { stream: streamOf(path), token: value("token"), key: value("key"), pin: value("pin") };
}

/** The same fragment without its token; it names a place in the page in any case. @param {string} hash */
export function withoutToken(hash) {
  const rest = hash.replace(/^#/, "").split("&").filter((part) => !part.startsWith("token=")).join("&");
  return rest.startsWith("/") ? `#${rest}` : rest ? `#/&${rest}` : "#/";
}

/** The fragment that shows a stream. @param {string} room @param {string} name */
export const fragmentOf = (room, name) => `#/${encodeURIComponent(room)}/${encodeURIComponent(name)}`;

/**
 * What somebody typed or pasted: a secret, or a whole link, of browsers or of programs. `host` is that of a link, and empty
 * for a secret; `room` is that of a room's page, else empty.
 * @param {string} text
 * @returns {Said & {host: string, room: string, isLink: boolean}}
 */
export function pasted(text) {
  // As it is copied out of a message or a command line.
  const bare = text.trim().replace(/^(.*--join[ =])?\s*/, "").replace(/^<(.*)>$/, "$1").replace(/^(["'])(.*)\1$/, "$2");
  const [, scheme, host, path, query, hash] =
    /^(https?|wss?|sf):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/i.exec(bare) ?? [];
  if (scheme === undefined) return { stream: null, token: text.trim(), key: "", pin: "", host: "", room: "", isLink: false };
  const said = read(hash ?? "");
  // For programs the stream is in the path; others know a token in the path or the query.
  const [, inPath] = /^\/~([^/]+)/.exec(path) ?? [];
  const inQuery = read(query ?? "").token;
  return {
    ...said,
    stream: said.stream ?? (scheme.toLowerCase() === "sf" ? streamOf(path) : null),
    token: said.token || inQuery || decoded(inPath ?? ""),
    host: host.slice(host.lastIndexOf("@") + 1).toLowerCase(),
    room: decoded(/\/rooms\/([^/]+)/.exec(path)?.[1] ?? ""),
    isLink: true,
  };
}
