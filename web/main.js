// @ts-check
import { by } from "./elements.js";
import { Grid } from "./grid.js";
import { keep } from "./keys.js";
import { plain } from "./packet.js";
import { Stage } from "./stage.js";
import { refusal } from "./words.js";

/** How often the list of streams is asked for, in milliseconds. */
const LIST_EVERY = 2000;
const NO_HUB = "what answers here is no hub, trying again";
/** What the page is made of; old browsers have not all of it, and others may be told to hide some. */
const NEEDS = ["WebSocket", "fetch", "createImageBitmap", "ImageBitmapRenderingContext", "IntersectionObserver",
  "Array.prototype.at", "String.prototype.replaceAll", "Element.prototype.replaceChildren"];

/** A part of the address, or what it is where its percent signs mean nothing. @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The parts of the address's fragment: `#/ROOM/NAME`, and parameters as `key=…`, each behind an `&`. */
const fragment = () => location.hash.slice(1).split("&");

/** Room and name of the stream that the address names, if it names one. */
function named() {
  const path = fragment().find((part) => !part.includes("=")) ?? "";
  const parts = path.split("/").filter(Boolean).map(decoded);
  return parts.length === 2 ? parts : null;
}

/** A parameter of the fragment; empty where there is none. @param {string} name */
function parameter(name) {
  return fragment().find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
}

/** Those of `NEEDS` that this browser has not. */
function lacking() {
  /** @param {any} of @param {string} part */
  const inside = (of, part) => of?.[part];
  return NEEDS.filter((path) => typeof path.split(".").reduce(inside, globalThis) !== "function");
}

/** Says why the page cannot be, and where the pictures are all the same. @param {string[]} missing */
function decline(missing) {
  const stream = named();
  const plainly = /** @type {HTMLAnchorElement} */ (by("plain"));
  by("trouble").classList.add("told");
  by("trouble-title").textContent = "This browser cannot show this page";
  by("why").textContent = `It lacks ${missing.join(", ")}. A newer browser has what the page needs.`;
  plainly.href = ["stream", ...(stream ?? [])].map(encodeURIComponent).join("/");
  plainly.textContent = `Show ${stream ? plain(stream.join("/")) : "the first stream"} without this page`;
}

const missing = lacking();
if (missing.length) {
  decline(missing);
  addEventListener("hashchange", () => decline(missing));
  // Nothing below can work.
  throw new Error(`this browser lacks ${missing.join(", ")}`);
}

const grid = new Grid(by("grid"));
const stage = new Stage();
const keys = /** @type {HTMLDialogElement} */ (by("keys"));

/** Shows what the address says: all streams, or one. */
function route() {
  const stream = named();
  const key = decoded(parameter("key"));
  if (stream && key) keep(stream[0], stream[1], key);
  if (stream) stage.open(stream[0], stream[1]);
  else stage.close();
  turn();
}

/** What nobody sees is not watched. */
function turn() {
  const seen = document.visibilityState === "visible";
  stage.turn(seen);
  grid.turn(seen && !stage.isOpen);
}

/**
 * The streams that the hub says there are, or in words why nobody knows.
 * @returns {Promise<{streams: (import("./grid.js").StreamInfo & {published?: boolean})[], viewers: number} | string>}
 */
async function ask() {
  let answer;
  try {
    answer = await fetch("api/streams", { cache: "no-store" });
  } catch {
    return "hub unreachable, trying again";
  }
  if (!answer.ok) return refusal(answer);
  const told = await answer.json().catch(() => null);
  return Array.isArray(told?.streams) ? told : NO_HUB;
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
  if (document.visibilityState !== "visible" || stage.isOpen) return;
  const told = await ask();
  if (typeof told === "string") return untold(told);
  by("untold").hidden = true;
  // A name that somebody waits for and that nobody has published yet is only a name.
  const streams = told.streams.filter((s) => s.published || s.reason);
  grid.show(streams);
  by("empty").hidden = streams.length > 0;
  const live = streams.filter((s) => s.live).length;
  by("summary").textContent = streams.length ? `${live} live · ${told.viewers} watching` : "";
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
  if (event.target instanceof HTMLInputElement) return;
  const key = event.key.toLowerCase();
  if (key === "h" || key === "?") {
    if (keys.open) keys.close();
    else keys.showModal();
  } else if (keys.open) {
    if (key === "q") keys.close();
  } else if (stage.isOpen && event.target instanceof HTMLSelectElement) {
    // The letters choose in an open list.
  } else if (stage.isOpen) {
    onStage[key]?.();
  } else if (/^[1-9]$/.test(key)) {
    const stream = grid.streams[Number(key) - 1];
    if (stream) location.hash = `#/${stream.split("/").map(encodeURIComponent).join("/")}`;
  }
});

by("help").onclick = () => keys.showModal();
keys.onclick = () => keys.close();
addEventListener("hashchange", () => {
  route();
  void list();
});
document.addEventListener("visibilitychange", () => {
  turn();
  void list();
});
route();
void list();
setInterval(() => void list(), LIST_EVERY);
// Whatever went wrong before has left it where it is.
by("trouble").remove();
// For tests and for people with a console.
Object.assign(globalThis, { streamflow: stage });
