// @ts-check
import { Access } from "./access.js";
import { fragmentOf, read, withoutToken } from "./address.js";
import { by, icon } from "./elements.js";
import { Gate } from "./gate.js";
import { Grid } from "./grid.js";
import { keep } from "./keys.js";
import { Lock } from "./lock.js";
import { plain } from "./packet.js";
import { mayWatch } from "./rights.js";
import { Share } from "./share.js";
import { Stage } from "./stage.js";
import { refusal } from "./words.js";

/** How often the list of streams is asked for, in milliseconds. */
const LIST_EVERY = 2000;
const NO_HUB = "what answers here is no hub, trying again";
/** What the page is made of; old browsers have not all of it, and others may be told to hide some. */
const NEEDS = ["WebSocket", "fetch", "createImageBitmap", "ImageBitmapRenderingContext", "IntersectionObserver",
  "Array.prototype.at", "String.prototype.replaceAll", "Element.prototype.replaceChildren"];

/** Those of `NEEDS` that this browser has not. */
function lacking() {
  /** @param {any} of @param {string} part */
  const inside = (of, part) => of?.[part];
  return NEEDS.filter((path) => typeof path.split(".").reduce(inside, globalThis) !== "function");
}

/** Says why the page cannot be, and where the pictures are all the same. @param {string[]} missing */
function decline(missing) {
  const { stream } = read(location.hash);
  const plainly = /** @type {HTMLAnchorElement} */ (by("plain"));
  by("trouble").classList.add("told");
  by("trouble-title").textContent = "This browser cannot show this page";
  by("why").textContent = `It lacks ${missing.join(", ")}. A newer browser has what the page needs.`;
  plainly.href = ["stream", ...(stream ?? [])].map(encodeURIComponent).join("/");
  plainly.textContent = `Show ${stream ? plain(stream.join("/")) : "the first stream"} without this page`;
}

/** A token does not stay where it is seen and kept: in the address. Gives the one that was there. */
function takenToken() {
  const { token } = read(location.hash);
  if (token) history.replaceState(history.state, "", location.pathname + location.search + withoutToken(location.hash));
  return token;
}

const missing = lacking();
if (missing.length) {
  takenToken();
  decline(missing);
  addEventListener("hashchange", () => decline(missing));
  // Nothing below can work.
  throw new Error(`this browser lacks ${missing.join(", ")}`);
}

const access = new Access(() => {
  lock.update();
  share.update();
});
const grid = new Grid(by("grid"), (...args) => void denied(...args));
const stage = new Stage((...args) => void denied(...args), () => lock.update());
const gate = new Gate(enter, () => {
  location.hash = "#/";
  arrived();
});
const lock = new Lock(access, { shown: () => stage.report, forget, another: () => void ask("") });
const share = new Share(access, shareable);
const keys = /** @type {HTMLDialogElement} */ (by("keys"));
/** How often the hub gave no list in a row, for want of a right. */
let unlisted = 0;

/** Goes where the address says, with what it shows. */
async function arrive() {
  const token = takenToken();
  if (token) {
    access.take(token);
    if (!(await access.recover()) && access.isRefused) return ask(access.why);
  } else if (!access.rights) void access.look();
  arrived();
}

/** Nothing is in the way of what the address says. */
function arrived() {
  gate.close();
  route();
  void list();
}

/** Shows what the address says: all streams, or one. */
function route() {
  const { stream, key } = read(location.hash);
  if (stream && key) keep(stream[0], stream[1], key);
  if (stream) stage.open(stream[0], stream[1]);
  else stage.close();
  lock.update();
  share.update();
  turn();
}

/**
 * Asks for a link or a secret. Gives whether the hub wants one.
 * @param {string} why
 */
async function ask(why) {
  await access.look();
  const { rights } = access;
  if (!rights?.asks) return false;
  // That nothing was shown is what the form says anyway.
  const isFirst = !rights.why && !rights.permissions.length && !access.why;
  gate.ask(isFirst ? "" : why, mayWatch(rights));
  turn();
  return true;
}

/**
 * The hub gives a screen no right, or not any more. It may have forgotten what it was shown.
 * @type {import("./screen.js").Denied}
 */
async function denied(why, times, screen) {
  if (gate.isOpen) return;
  if (times < 2 && (await access.recover())) return screen.again();
  await ask(access.why || why);
}

/** @param {import("./address.js").Said} said  by whoever was asked */
async function enter({ stream, token, key }) {
  if (!(await access.show(token))) return access.why;
  if (stream && key) keep(stream[0], stream[1], key);
  if (stream) location.hash = fragmentOf(...stream);
  arrived();
  return "";
}

async function forget() {
  // What is open was opened with it; the hub ends it as well, in other tabs too.
  stage.turn(false);
  grid.turn(false);
  await access.forget();
  grid.show([]);
  turn();
  void list();
}

/** What there is to give links for: the stream that is watched, or the rooms that are seen. */
function shareable() {
  if (stage.isOpen) return [stage.stream];
  const rooms = new Set(grid.streams.map((stream) => stream.split("/")[0]));
  return [...(rooms.size ? rooms : ["main"])].map((room) => `${room}/*`);
}

/** What nobody sees is not watched. */
function turn() {
  const seen = document.visibilityState === "visible" && !gate.isOpen;
  stage.turn(seen);
  grid.turn(seen && !stage.isOpen);
}

/**
 * The streams that the hub says there are, or in words why nobody knows.
 * @returns {Promise<{streams: (import("./grid.js").StreamInfo & {published?: boolean})[], viewers?: number}
 *   | {why: string, status: number}>}
 */
async function listed() {
  let answer;
  try {
    answer = await fetch("api/streams", { cache: "no-store" });
  } catch {
    return { why: "hub unreachable, trying again", status: 0 };
  }
  if (!answer.ok) return { why: await refusal(answer), status: answer.status };
  const told = await answer.json().catch(() => null);
  return Array.isArray(told?.streams) ? told : { why: NO_HUB, status: answer.status };
}

/** Says why there is no list: where the streams would be, or beside those that are there. @param {string} why */
function untold(why) {
  const isBare = grid.streams.length === 0;
  by("summary").textContent = isBare ? "" : why;
  by("untold-why").textContent = why;
  by("untold").hidden = !isBare;
  // Nobody knows that nothing is live.
  by("empty").hidden = true;
}

async function list() {
  if (document.visibilityState !== "visible" || stage.isOpen || gate.isOpen) return;
  const told = await listed();
  if (stage.isOpen || gate.isOpen) return;
  if ("why" in told) {
    const wantsRight = told.status === 401 || told.status === 403;
    if (wantsRight && ++unlisted === 1 && (await access.recover())) return list();
    if (!wantsRight || !(await ask(access.why || told.why))) untold(told.why);
    return;
  }
  unlisted = 0;
  by("untold").hidden = true;
  // A name that somebody waits for and that nobody has published yet is only a name.
  const streams = told.streams.filter((s) => s.published || s.reason);
  grid.show(streams);
  by("empty").hidden = streams.length > 0;
  const live = streams.filter((s) => s.live).length;
  // How many watch is not for everybody.
  const watching = told.viewers === undefined ? "" : ` · ${told.viewers} watching`;
  by("summary").textContent = streams.length ? `${live} live${watching}` : "";
  share.update();
  if (!access.rights) void access.look();
}

/** @type {Record<string, () => void>} */
const onStage = {
  s: () => void stage.snapshot(),
  t: () => stage.toggleOverlay(),
  f: () => void stage.toggleFullscreen(),
  q: () => (location.hash = "#/"),
  escape: () => (location.hash = "#/"),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  // Whoever types a key means no other.
  if (event.target instanceof HTMLInputElement || gate.isOpen || lock.isOpen || share.isOpen) return;
  const key = event.key.toLowerCase();
  if (key === "h" || key === "?") {
    if (keys.open) keys.close();
    else keys.showModal();
  } else if (keys.open) {
    if (key === "q") keys.close();
  } else if (key === "l") {
    share.open();
    event.preventDefault();
  } else if (stage.isOpen && event.target instanceof HTMLSelectElement) {
    // The letters choose in an open list.
  } else if (stage.isOpen) {
    onStage[key]?.();
  } else if (/^[1-9]$/.test(key)) {
    const stream = grid.streams[Number(key) - 1];
    const [room, name] = stream?.split("/") ?? [];
    if (name) location.hash = fragmentOf(room, name);
  }
});

by("help").onclick = () => keys.showModal();
keys.onclick = () => keys.close();
for (const sheet of /** @type {NodeListOf<HTMLDialogElement>} */ (document.querySelectorAll("dialog.sheet"))) {
  sheet.onclick = ({ target }) => {
    if (target === sheet || (target instanceof Element && target.matches(".close"))) sheet.close();
  };
}
for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("button.share"))) {
  icon(button, "M12 15V3M8 7l4-4 4 4M5 12v8h14v-8");
}
addEventListener("hashchange", () => void arrive());
document.addEventListener("visibilitychange", () => {
  turn();
  void list();
});
void arrive();
setInterval(() => void list(), LIST_EVERY);
// Whatever went wrong before has left it where it is.
by("trouble").remove();
// For tests and for people with a console.
Object.assign(globalThis, { streamflow: stage });
