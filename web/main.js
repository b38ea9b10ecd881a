// @ts-check
import { Access } from "./access.js";
import { fragmentOf, read, withoutToken } from "./address.js";
import { Controls } from "./controls.js";
import { Details } from "./details.js";
import { by, icon, save, say } from "./elements.js";
import { Gate } from "./gate.js";
import { Grid, sorted } from "./grid.js";
import { Help } from "./help.js";
import { keep } from "./keys.js";
import { Lock } from "./lock.js";
import { plain } from "./packet.js";
import { Menu } from "./menu.js";
import { mayWatch } from "./rights.js";
import { Share } from "./share.js";
import { actionOf } from "./shortcuts.js";
import { Stage } from "./stage.js";
import { wallPicture } from "./wall-picture.js";
import { refusal } from "./words.js";

/** How often the list of streams is asked for, in milliseconds. */
const LIST_EVERY = 2000;
/** Of so many times only one, while one stream is watched. */
const LIST_SELDOM = 3;
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
const help = new Help();
const controls = new Controls(access);
const details = new Details(access);
/** The streams of the last list. @type {import("./tile.js").StreamInfo[]} */
let known = [];
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
  if (stage.stream !== stream?.join("/")) {
    controls.close();
    menu.close();
  }
  if (stream) stage.open(stream[0], stream[1]);
  else stage.close();
  // On the wall the header is there, and the wall is as high as it leaves.
  document.body.classList.toggle("staged", stage.isOpen);
  introduce();
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
  // Pictures that nobody here may see any more are not kept behind it.
  grid.clear();
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
  stage.turn(false, false);
  grid.turn(false);
  await access.forget();
  grid.clear();
  known = [];
  turn();
  void list();
}

/** Tells the stage what the list says of its stream, and whether there are others. */
function introduce() {
  if (!stage.isOpen) return;
  const info = known.find(({ room, name }) => `${room}/${name}` === stage.stream);
  // The list may be older than this page's own watching.
  stage.learn(info?.called ?? "", info ? Math.max(1, info.viewers) : null);
  const others = known.some(({ room, name }) => `${room}/${name}` !== stage.stream);
  by("previous").hidden = by("next").hidden = !others;
}

/** Goes to the stream before or behind the one that is watched; behind the last is the first. @param {number} by  1 or -1 */
function step(by) {
  if (!stage.isOpen) return grid.step(by);
  const all = sorted(known).filter(({ room, name, live }) => live || `${room}/${name}` === stage.stream);
  const at = all.findIndex(({ room, name }) => `${room}/${name}` === stage.stream);
  const next = all.at((at < 0 && by < 0 ? -1 : at + by) % (all.length || 1));
  if (next) location.hash = fragmentOf(next.room, next.name);
}

/** Saves one picture of all that is on the wall. */
async function saveWall() {
  say("Looking at all of them");
  const tiles = await grid.whole();
  const made = tiles.length ? await wallPicture(tiles, new Date()) : null;
  grid.partly();
  if (!made) return say("There is no picture yet");
  save(made.file, made.name);
  say(`Saved ${made.name}`);
}

/** What there is to give links for: the stream that is watched, or the rooms that are seen. */
function shareable() {
  if (stage.isOpen) return [stage.stream];
  const rooms = new Set(grid.streams.map((stream) => stream.split("/")[0]));
  return [...(rooms.size ? rooms : ["main"])].map((room) => `${room}/*`);
}

/** What nobody sees is not watched; whoever listens goes on to. */
function turn() {
  const seen = document.visibilityState === "visible" && !gate.isOpen;
  stage.turn(seen, !gate.isOpen);
  grid.turn(seen && !stage.isOpen);
}

/**
 * The streams that the hub says there are, or in words why nobody knows.
 * @returns {Promise<{streams: (import("./tile.js").StreamInfo & {published?: boolean})[], viewers?: number, program?: unknown}
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

/** @param {unknown} program  as the hub names itself: `streamflow/0.1.0` */
function introduceHub(program) {
  const [, version = ""] = typeof program === "string" ? program.split("/") : [];
  const shown = plain(version, 40);
  for (const one of document.querySelectorAll(".version")) one.textContent = shown;
  by("hub-version").textContent = shown && `The hub is StreamFlow ${shown}.`;
}

/** What the list says while one stream is watched: how it is called, and which others there are. */
async function listBeside() {
  const told = await listed();
  if ("why" in told) return;
  introduceHub(told.program);
  known = told.streams.filter((s) => s.published || s.reason);
  introduce();
}

async function list() {
  if (document.visibilityState !== "visible" || gate.isOpen) return;
  if (stage.isOpen) return listBeside();
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
  introduceHub(told.program);
  known = streams;
  grid.show(streams);
  const isBare = grid.tiles.length === 0;
  by("empty").hidden = !isBare;
  by("wall-picture").hidden = isBare;
  const live = streams.filter((s) => s.live).length;
  // How many watch is not for everybody.
  const watching = told.viewers === undefined ? "" : ` · ${told.viewers} watching`;
  by("summary").textContent = streams.length ? `${live} live${watching}` : "";
  share.update();
  if (!access.rights) void access.look();
}

/** What each key, button and entry of the menu does. @type {Record<import("./shortcuts.js").Action, (key: string) => void>} */
const acts = {
  previous: () => step(-1),
  next: () => step(1),
  back: () => (controls.isOpen ? controls.close() : (location.hash = "#/")),
  open: (key) => {
    const [room, name] = grid.streams[Number(key) - 1]?.split("/") ?? [];
    if (name) location.hash = fragmentOf(room, name);
  },
  save: () => void (stage.isOpen ? stage.snapshot() : saveWall()),
  rotate: () => stage.rotate(),
  mirror: () => stage.mirror(),
  statistics: () => stage.toggleOverlay(),
  sound: () => stage.toggleSound(),
  controls: () => controls.toggle(stage.stream),
  details: () => details.open(stage.address, stage.title, stage.report?.sealed || stage.report?.locked || false),
  share: () => share.open(),
  fullscreen: () => void stage.toggleFullscreen(),
  help: () => help.toggle(),
};
const menu = new Menu((action) => acts[action](""), (action) => action !== "controls" || controls.mayOperate(stage.stream));

addEventListener("keydown", (event) => {
  if (event.repeat || gate.isOpen) return;
  // Whoever types a key means no other, and letters choose in an open list.
  if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) {
    if (event.key === "Escape" && controls.isOpen) controls.close();
    return;
  }
  const action = actionOf(event, stage.isOpen ? "stage" : "wall");
  if (document.querySelector("dialog[open]")) {
    if (help.isOpen && (action === "help" || event.key.toLowerCase() === "q")) help.close();
    return;
  }
  if (event.key === "Escape" && menu.isOpen) return menu.close();
  if (!action) return;
  event.preventDefault();
  acts[action](event.key);
});

icon(by("rooms-link"), "M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM2.5 20a6.5 6.5 0 0113 0M15.5 4.3a3.5 3.5 0 010 6.4M18 14.2a6.5 6.5 0 013.5 5.8");
icon(by("wall-picture"), "M4 8h3l2-3h6l2 3h3v11H4zM12 16.5a3.3 3.3 0 100-6.6 3.3 3.3 0 000 6.6z");
icon(by("wall-fullscreen"), "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5");
icon(by("previous"), "M15 5l-7 7 7 7");
icon(by("next"), "M9 5l7 7-7 7");
by("wall-picture").onclick = () => acts.save("");
by("wall-fullscreen").onclick = () => acts.fullscreen("");
by("previous").onclick = () => acts.previous("");
by("next").onclick = () => acts.next("");
for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("button.x"))) icon(button, "M6 6l12 12M18 6L6 18");
for (const sheet of /** @type {NodeListOf<HTMLDialogElement>} */ (document.querySelectorAll("dialog.sheet"))) {
  sheet.onclick = ({ target }) => {
    if (target === sheet || (target instanceof Element && target.closest(".close"))) sheet.close();
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
let ticks = 0;
setInterval(() => {
  if (!stage.isOpen || ++ticks % LIST_SELDOM === 0) void list();
}, LIST_EVERY);
// Whatever went wrong before has left it where it is.
by("trouble").remove();
// For tests and for people with a console.
Object.assign(globalThis, { streamflow: stage });
