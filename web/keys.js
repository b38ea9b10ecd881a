// @ts-check
// The keys of streams that are sealed end to end. They are kept in the page alone, for as long as it is open.

/** @type {Map<string, string>} */
const keys = new Map();

/** The key of a stream, or of its whole room, where it is known. @param {string} room @param {string} name */
export const keyOf = (room, name) => keys.get(`${room}/${name}`) ?? keyOfRoom(room);

/** The key that all in a room share. @param {string} room */
export const keyOfRoom = (room) => keys.get(`${room}/`) ?? "";

/** @param {string} room @param {string} name @param {string} key */
export function keep(room, name, key) {
  keys.set(`${room}/${name}`, key);
}

/** @param {string} room @param {string} key */
export const keepOfRoom = (room, key) => keep(room, "", key);

/** A new key: 128 random bits, as links have it. */
export function newKey() {
  const bytes = String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
