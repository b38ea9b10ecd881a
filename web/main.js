// @ts-check
import { by } from "./elements.js";
import { Grid } from "./grid.js";
import { Stage } from "./stage.js";

/** How often the list of streams is asked for, in milliseconds. */
const LIST_EVERY = 2000;

const grid = new Grid(by("grid"));
const stage = new Stage();
const keys = /** @type {HTMLDialogElement} */ (by("keys"));

/** A part of the address, or what it is where its percent signs mean nothing. @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Shows what the address says: all streams, or one. */
function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
  if (parts.length === 2) stage.open(parts[0], parts[1]);
  else stage.close();
  turn();
}

/** What nobody sees is not watched. */
function turn() {
  const seen = document.visibilityState === "visible";
  stage.turn(seen);
  grid.turn(seen && !stage.isOpen);
}

async function list() {
  if (document.visibilityState !== "visible" || stage.isOpen) return;
  try {
    const answer = await fetch("api/streams", { cache: "no-store" });
    const { streams: all, viewers } = await answer.json();
    // A name that somebody waits for and that nobody has published yet is only a name.
    const streams = all.filter((/** @type {{published?: boolean, reason?: string}} */ s) => s.published || s.reason);
    grid.show(streams);
    by("empty").hidden = streams.length > 0;
    const live = streams.filter((/** @type {{live: boolean}} */ s) => s.live).length;
    by("summary").textContent = streams.length ? `${live} live · ${viewers} watching` : "";
  } catch {
    by("summary").textContent = "hub unreachable, trying again";
  }
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
// For tests and for people with a console.
Object.assign(globalThis, { streamflow: stage });
