// @ts-check
// The rooms there are: who is where, the newest picture of each, and making another.
import { add, by } from "./elements.js";
import { plain } from "./packet.js";
import { newKey } from "./keys.js";
import { addressOf, ask, linkOf, pageOf } from "./room-api.js";
import { fitted, rememberedName, rememberName, rememberToken } from "./room-memory.js";
import { colourOf, initials, readPerson } from "./room-people.js";

/** The list and the pictures are asked for so often, in milliseconds, while somebody sees them. */
const LIST_EVERY = 2000;
const PICTURE_EVERY = 1000;
/** Rooms that are shown; of more the newest. */
const MOST = 200;
/** Faces on a card. */
const FACES = 5;

/** @typedef {import("./room-api.js").Room} Room */

/** A room of the list; null where it makes no sense. @param {unknown} value @returns {Room | null} */
export function readRoom(value) {
  const { room_id: id, title, host_name: host, participants } = Object(value);
  if (typeof id !== "string" || !id || id.length > 200) return null;
  return {
    id,
    title: plain(typeof title === "string" && title ? title : id, 120),
    host: plain(typeof host === "string" ? host : "", 80),
    people: (Array.isArray(participants) ? participants.slice(0, 64) : []).flatMap((one) => readPerson(one) ?? []),
  };
}

/** Whether a room is one of those that somebody looks for. @param {Room} room @param {string} words */
export function matches(room, words) {
  const all = [room.title, room.id, room.host, ...room.people.map(({ name }) => name)].join("\n").toLocaleLowerCase();
  return words.toLocaleLowerCase().split(/\s+/).every((word) => all.includes(word));
}

/** How many are there, in words. @param {Room} room */
export function countInWords({ people }) {
  const cameras = people.filter(({ isCamera }) => isCamera).length;
  const persons = people.length - cameras;
  const some = (/** @type {number} */ count, /** @type {string} */ one, /** @type {string} */ more) => (count === 1 ? `1 ${one}` : `${count} ${more}`);
  if (!people.length) return "nobody here";
  return [persons || !cameras ? some(persons, "person", "people") : "", cameras ? some(cameras, "camera", "cameras") : ""].filter(Boolean).join(", ");
}

/** A room among the others. */
class Card {
  near = false;
  room;
  #picture;
  #url = "";
  #isAsking = false;

  /** @param {Room} room */
  constructor(room) {
    this.room = room;
    this.element = document.createElement("li");
    this.element.className = "card";
    this.element.dataset.room = room.id;
    const frame = add(this.element, "div", "thumb");
    this.#picture = add(frame, "img", "");
    this.#picture.alt = "";
    this.faces = add(frame, "div", "faces");
    this.count = add(frame, "span", "count");
    this.link = add(this.element, "a", "");
    this.link.href = pageOf(room.id);
    this.title = add(this.link, "strong", "");
    this.host = add(this.element, "p", "");
    this.learn(room);
  }

  /** @param {Room} room */
  learn(room) {
    this.room = room;
    this.title.textContent = room.title;
    this.host.textContent = room.host ? `by ${room.host}` : "";
    this.count.textContent = countInWords(room);
    this.link.setAttribute("aria-label", `Enter ${room.title}, ${countInWords(room)}`);
    const faces = room.people.slice(0, FACES);
    const told = faces.map(({ name }) => name).join("\n");
    if (this.faces.dataset.told === told) return;
    this.faces.dataset.told = told;
    this.faces.replaceChildren();
    for (const { name, shown } of faces) {
      const face = add(this.faces, "span", "", initials(shown));
      face.title = shown;
      face.style.setProperty("--colour", colourOf(name));
    }
  }

  /** Takes the newest picture, if anybody sees it. */
  async refresh() {
    if (!this.near || this.#isAsking) return;
    this.#isAsking = true;
    try {
      const answer = await fetch(addressOf(this.room.id, "/thumbnail"), { cache: "no-store" });
      const kind = answer.headers.get("content-type") ?? "";
      if (!answer.ok || !kind.startsWith("image/")) return this.#show("");
      // What the hub draws where there is no picture says no more than the faces do.
      this.#show(kind.startsWith("image/svg") ? "" : URL.createObjectURL(await answer.blob()));
    } catch {
      // The hub is away; the list says so.
    } finally {
      this.#isAsking = false;
    }
  }

  /** @param {string} url */
  #show(url) {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = url;
    this.element.classList.toggle("has-picture", url !== "");
    if (url) this.#picture.src = url;
    else this.#picture.removeAttribute("src");
  }

  close() {
    this.#show("");
    this.element.remove();
  }
}

export class Lobby {
  #list = by("rooms");
  #search = /** @type {HTMLInputElement} */ (by("search"));
  #dialog = /** @type {HTMLDialogElement} */ (by("make"));
  #title = /** @type {HTMLInputElement} */ (by("make-title"));
  #name = /** @type {HTMLInputElement} */ (by("make-name"));
  #sealed = /** @type {HTMLInputElement} */ (by("make-sealed"));
  #go = /** @type {HTMLButtonElement} */ (by("make-go"));
  /** @type {Map<string, Card>} */
  #cards = new Map();
  #isKnown = false;
  #denied;
  #observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const card = [...this.#cards.values()].find(({ element }) => element === target);
      if (!card) continue;
      card.near = isIntersecting;
      if (isIntersecting) void card.refresh();
    }
  });

  /** @param {(why: string) => Promise<boolean>} denied  the hub gives no list: gives whether it asks for something now */
  constructor(denied) {
    this.#denied = denied;
    by("lobby").hidden = false;
    document.title = "Rooms · StreamFlow";
    this.#search.oninput = () => this.#arrange();
    for (const id of ["new-room", "first-room"]) by(id).onclick = () => this.#ask();
    /** @type {HTMLFormElement} */ (by("make-form")).onsubmit = (event) => {
      event.preventDefault();
      void this.#make();
    };
    addEventListener("keydown", (event) => {
      if (event.key !== "/" || document.querySelector("dialog[open]") || event.target instanceof HTMLInputElement) return;
      event.preventDefault();
      this.#search.focus();
    });
    document.addEventListener("visibilitychange", () => void this.list());
    setInterval(() => void this.list(), LIST_EVERY);
    setInterval(() => {
      if (!this.#isSeen) return;
      for (const card of this.#cards.values()) void card.refresh();
    }, PICTURE_EVERY);
    void this.list();
  }

  get #isSeen() {
    return document.visibilityState === "visible" && !document.body.classList.contains("gated");
  }

  /** Asks which rooms there are. */
  async list() {
    if (!this.#isSeen) return;
    const answer = await ask("rooms");
    if (answer.ok && Array.isArray(answer.told)) {
      const rooms = answer.told.slice(-MOST).reverse().flatMap((one) => readRoom(one) ?? []);
      this.#isKnown = true;
      by("lobby-why").textContent = "";
      return this.#show(rooms);
    }
    const status = answer.ok ? 0 : answer.status;
    const why = answer.ok ? "What answers here has no rooms." : answer.why;
    if ((status === 401 || status === 403) && (await this.#denied(why))) return;
    by("lobby-why").textContent = `${why} Trying again.`;
  }

  /** @param {Room[]} rooms */
  #show(rooms) {
    const listed = new Set(rooms.map(({ id }) => id));
    for (const [id, card] of this.#cards) {
      if (listed.has(id)) continue;
      this.#observer.unobserve(card.element);
      card.close();
      this.#cards.delete(id);
    }
    for (const room of rooms) {
      const card = this.#cards.get(room.id);
      if (card) card.learn(room);
      else {
        const made = new Card(room);
        this.#cards.set(room.id, made);
        this.#observer.observe(made.element);
      }
    }
    this.#order = rooms.map(({ id }) => id);
    this.#arrange();
  }

  /** @type {string[]} */
  #order = [];

  /** Shows those that are looked for. */
  #arrange() {
    const words = this.#search.value.trim();
    const cards = this.#order.flatMap((id) => this.#cards.get(id) ?? []);
    const found = cards.filter(({ room }) => matches(room, words)).map(({ element }) => element);
    const now = [...this.#list.children];
    if (now.length !== found.length || found.some((one, at) => one !== now[at])) this.#list.replaceChildren(...found);
    by("no-rooms").hidden = !this.#isKnown || cards.length > 0;
    by("not-found").hidden = !cards.length || found.length > 0;
    by("not-found").textContent = `No room has “${plain(words, 60)}”.`;
  }

  #ask() {
    by("make-why").textContent = "";
    this.#name.value = rememberedName();
    this.#sealed.checked = false;
    // Without WebCrypto nothing can be sealed.
    this.#sealed.disabled = !isSecureContext;
    this.#dialog.showModal();
    this.#title.focus();
  }

  async #make() {
    const name = fitted(this.#name.value);
    const title = fitted(this.#title.value) || `${name}’s room`;
    if (!name || this.#go.disabled) return;
    rememberName(name);
    this.#go.disabled = true;
    const answer = await ask("rooms", { body: { title, host_name: name } });
    this.#go.disabled = false;
    const told = answer.ok ? Object(answer.told) : null;
    if (!told || typeof told.room_id !== "string") {
      by("make-why").textContent = answer.ok ? "The hub made no room." : answer.why;
      if (!answer.ok && answer.status === 401 && (await this.#denied(answer.why))) this.#dialog.close();
      return;
    }
    if (typeof told.host_token === "string") rememberToken(told.room_id, told.host_token);
    location.assign(linkOf(told.room_id, { key: this.#sealed.checked ? newKey() : "" }));
  }
}
