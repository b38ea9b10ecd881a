// @ts-check
// The keys of streams that are sealed end to end. They are kept in the page alone, for as long as it is open.

/** @type {Map<string, string>} */
const keys = new Map();

/** The key of a stream, where it is known. @param {string} room @param {string} name */
export const keyOf = (room, name) => keys.get(`${room}/${name}`) ?? "";

/** @param {string} room @param {string} name @param {string} key */
export function keep(room, name, key) {
  keys.set(`${room}/${name}`, key);
}
