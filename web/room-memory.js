// @ts-check
// What this browser remembers of rooms: the name, and what shows that a room is its own.

/** Hubs under other paths of the same server have their own. */
const path = () => new URL(".", document.baseURI).pathname;
const NAME = "streamflow-room-name";
/** Rooms that are remembered as made here; of more the first is forgotten. */
const MOST = 50;
/** The hub takes names of so many bytes. */
const LONGEST = 200;

/** @param {string} key */
function kept(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} key @param {string} value */
function keep(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A browser may be told to keep nothing.
  }
}

/** A name as it can be given: without spaces around it, and not longer than the hub takes. @param {string} name */
export function fitted(name) {
  let made = name.trim().replace(/\s+/g, " ");
  while (new TextEncoder().encode(made).length > LONGEST) made = [...made].slice(0, -1).join("");
  return made;
}

export const rememberedName = () => fitted(kept(NAME));

/** @param {string} name */
export const rememberName = (name) => keep(NAME, name);

const tokens = () => `streamflow-room-tokens ${path()}`;

/** @returns {[room: string, token: string][]} */
function all() {
  try {
    const told = JSON.parse(kept(tokens()) || "[]");
    if (!Array.isArray(told)) return [];
    return told.slice(-MOST).filter((one) => Array.isArray(one) && typeof one[0] === "string" && typeof one[1] === "string");
  } catch {
    return [];
  }
}

/** What shows that a room was made here; empty where it was not. @param {string} room */
export const tokenOf = (room) => all().find(([one]) => one === room)?.[1] ?? "";

/** @param {string} room @param {string} token */
export function rememberToken(room, token) {
  keep(tokens(), JSON.stringify([...all().filter(([one]) => one !== room), [room, token]].slice(-MOST)));
}
