// @ts-check
// The lobby, or a room: the address says which.
import { Access } from "./access.js";
import { decoded, pasted, read, withoutToken } from "./address.js";
import { by, icon, say } from "./elements.js";
import { Gate } from "./gate.js";
import { Help } from "./help.js";
import { keep, keepOfRoom, keyOfRoom } from "./keys.js";
import { Lobby } from "./lobby.js";
import { may, mayJoin, mayWatch } from "./rights.js";
import { Invite } from "./room-invite.js";
import { Media } from "./room-media.js";
import { linkOf } from "./room-api.js";
import { drawButtons, lookAt, RoomPage } from "./room-page.js";
import { readPerson, whoInWords } from "./room-people.js";
import { Ready } from "./room-ready.js";
import { actionOf } from "./shortcuts.js";

/** Who is in a room is asked for so often before one enters, in milliseconds. */
const LOOK_EVERY = 3000;
const NOT_IN = "What you have shown does not let you into this room.";
const LOBBY = () => new URL("rooms", document.baseURI.split("#")[0]).href;

/** The room that the address names; empty in the lobby. */
function roomOf() {
  const base = new URL(".", document.baseURI).pathname;
  const [, id = ""] = location.pathname.slice(base.length).split("/");
  return decoded(id);
}

/** A token does not stay where it is seen and kept: in the address. Gives the one that was there. */
function takenToken() {
  const { token, key, stream } = read(location.hash);
  if (stream && key) keep(stream[0], stream[1], key);
  else if (key) keepOfRoom(roomOf(), key);
  if (token) history.replaceState(history.state, "", location.pathname + location.search + withoutToken(location.hash).replace(/^#\/&?$/, ""));
  return token;
}

const id = roomOf();
/** The room one is in. @type {RoomPage | null} */
let room = null;
/** @type {Ready | null} */
let ready = null;
/** @type {Lobby | null} */
let lobby = null;
/** Goes on when somebody was let in. @type {() => void} */
let then = () => {};
let title = id;

const access = new Access(() => {});
const invite = new Invite(access);
const help = new Help([["room-keys", "room"]]);
let media = freshMedia();
const gate = new Gate(enter, () => {
  gate.close();
  then();
});

function freshMedia() {
  return new Media(() => {
    ready?.update();
    room?.update();
  });
}

/** @param {ReturnType<typeof pasted>} said  by whoever was asked */
async function enter({ token, key, room: of }) {
  if (!(await access.show(token))) return access.why;
  gate.close();
  if (key && of === id && key !== keyOfRoom(id)) {
    keepOfRoom(id, key);
    history.replaceState(history.state, "", `${location.pathname}${location.search}#/&key=${encodeURIComponent(key)}`);
    // Who is in the room already was there without it.
    if (room) location.reload();
  }
  then();
  return "";
}

/** Asks for a link or a secret. Gives whether the hub wants one. @param {string} why @param {() => void} next */
async function askFor(why, next) {
  await access.look();
  const { rights } = access;
  if (!rights?.asks) return false;
  then = next;
  const isFirst = !rights.why && !rights.permissions.length && !access.why;
  gate.ask(isFirst ? "" : access.why || why, !id && mayWatch(rights));
  return true;
}

/** The hub gives a picture no right, or not any more. @type {import("./screen.js").Denied} */
async function denied(why, times, screen) {
  if (gate.isOpen) return;
  if (times < 2 && (await access.recover())) return screen.again();
  // Somebody's picture that may not be seen says so in its place; the room goes on.
  if (access.rights && !may(access.rights, "view", `${id}/*`)) await askFor(why, () => screen.again());
}

/** Shows the page that the address says. */
async function arrive() {
  const token = takenToken();
  if (token) {
    access.take(token);
    if (!(await access.recover()) && access.isRefused && (await askFor(access.why, () => void show()))) return;
  }
  await access.look();
  const { rights } = access;
  if (rights?.asks && !mayWatch(rights) && !(await access.recover()) && (await askFor("", () => void show()))) return;
  await show();
}

async function show() {
  if (!id) {
    lobby ??= new Lobby(async (why) => (await access.recover()) || askFor(why, () => void lobby?.list()));
    return lobby.list();
  }
  await prepare();
}

/** Whether one may be in the room, as far as is known; what was shown once is shown again where the hub has forgotten it. */
async function maybeIn() {
  const is = () => !access.rights || mayJoin(access.rights, id);
  return is() || ((await access.recover()) && is());
}

/** A look at oneself, before one goes in. */
async function prepare() {
  if (!(await maybeIn()) && (await askFor(NOT_IN, () => void prepare()))) return;
  const told = await lookAt(id);
  if (!told.answer.ok && [401, 403].includes(told.answer.status) && (await askFor(told.answer.why, () => void prepare()))) return;
  title = told.title;
  ready ??= new Ready(media, go, () => void invite.open(id, title));
  ready.open(title, who(told));
  document.title = `${title} · StreamFlow`;
  void media.start();
  const looking = setInterval(async () => {
    if (room || !ready) return clearInterval(looking);
    if (document.visibilityState !== "visible") return;
    const seen = await lookAt(id);
    if (!room && seen.answer.ok) ready.introduce((title = seen.title), who(seen));
  }, LOOK_EVERY);
}

/** @param {Awaited<ReturnType<typeof lookAt>>} told */
function who({ answer, participants }) {
  if (!answer.ok && answer.status !== 404) return answer.why;
  const people = (Array.isArray(participants) ? participants : []).flatMap((one) => readPerson(one) ?? []);
  return whoInWords(people.map(({ shown }) => shown));
}

let name = "";

/** @param {string} as  the name of whoever goes in */
function go(as) {
  name = as;
  ready?.close();
  room = new RoomPage({ id, name, title, media, access, denied, refused: () => void refused() });
  Object.assign(globalThis, { streamflowRoom: room });
}

/** There is no connection to the room: it may be for want of a right. */
async function refused() {
  if (gate.isOpen) return;
  await access.look();
  // Else it is not there, and comes back.
  if (!(await maybeIn())) await askFor(NOT_IN, () => {});
}

function leave() {
  room?.leave();
  location.assign(LOBBY());
}

/** Who hosts is asked whether only they go, or all. */
function asksToLeave() {
  if (!room?.isHost) return leave();
  by("leave-why").textContent = "";
  /** @type {HTMLDialogElement} */ (by("leaving")).showModal();
}

async function closeRoom() {
  const why = await room?.closeRoom();
  if (why) by("leave-why").textContent = why;
  else leave();
}

async function toggleFullscreen() {
  try {
    await (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
  } catch {
    say("This browser has no full screen");
  }
}

/** What each key and button does. @type {Partial<Record<import("./shortcuts.js").Action | import("./shortcuts.js").RoomAction, (key: string) => void>>} */
const acts = {
  sound: () => room?.toggleSound(),
  video: () => room?.toggleVideo(),
  present: () => void room?.togglePresent(),
  chat: () => room?.chat.toggle(),
  pip: () => void room?.pip(),
  back: () => room?.back(),
  open: (key) => room?.pinAt(Number(key)),
  save: () => void room?.save(),
  mirror: () => room?.mirror(),
  statistics: () => room?.toggleStatistics(),
  share: () => void invite.open(id, title),
  fullscreen: () => void toggleFullscreen(),
  help: () => help.toggle(),
};

addEventListener("keydown", (event) => {
  if (event.repeat || gate.isOpen || !room || by("room").hidden) return;
  const { target } = event;
  // Whoever types a key means no other.
  if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return;
  const action = actionOf(event, "room");
  if (document.querySelector("dialog[open]")) {
    if (help.isOpen && (action === "help" || event.key.toLowerCase() === "q")) help.close();
    return;
  }
  if (!action || !acts[action]) return;
  event.preventDefault();
  acts[action]?.(event.key);
});

drawButtons();
for (const [button, action] of /** @type {const} */ ([["sound", "sound"], ["video", "video"], ["present", "present"],
  ["chat-button", "chat"], ["invite-button", "share"], ["alone-invite", "share"], ["statistics", "statistics"],
  ["fullscreen", "fullscreen"], ["save", "save"]])) {
  by(button).onclick = () => acts[action]?.("");
}
by("devices").onclick = () => room?.chooseDevices();
by("present").hidden = !Media.canShare;
by("leave").onclick = asksToLeave;
by("leave-only").onclick = leave;
by("leave-all").onclick = () => void closeRoom();
by("over-again").onclick = () => {
  by("over").hidden = true;
  media = freshMedia();
  go(name);
  void media.start();
};
for (const one of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("a.lobby"))) one.href = LOBBY();
by("go-form").onsubmit = (event) => {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (by("go-room"));
  const said = field.value.trim();
  const inLink = /\/rooms\/([^/?#]+)/.exec(said)?.[1];
  const { token, key } = inLink ? pasted(said) : { token: "", key: "" };
  const to = inLink ? decoded(inLink) : said;
  if (to) location.assign(linkOf(to, { token, key }));
};
for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("button.x"))) icon(button, "M6 6l12 12M18 6L6 18");
for (const sheet of /** @type {NodeListOf<HTMLDialogElement>} */ (document.querySelectorAll("dialog.sheet"))) {
  sheet.onclick = ({ target }) => {
    if (target === sheet || (target instanceof Element && target.closest(".close"))) sheet.close();
  };
}
// Some browsers let a page hear only after a touch.
const touched = () => (room ? room.touched() : media.resume());
addEventListener("pointerdown", touched, { passive: true });
addEventListener("pointerup", touched, { passive: true });
addEventListener("keydown", touched, { passive: true });
// A whole link that is pasted into the address of this page changes what is behind # alone, and browsers load nothing anew for that.
addEventListener("hashchange", () => {
  const { token, key } = read(location.hash);
  if (token || (key && key !== keyOfRoom(id))) location.reload();
});
// A page that goes away leaves the room at once, and lets go of the camera.
addEventListener("pagehide", () => room?.leave());
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload();
});
by("trouble").remove();
void arrive();
