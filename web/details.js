// @ts-check
// What there is to know of a stream: its links to copy, and who watches it.
import { fragmentOf } from "./address.js";
import { add, by } from "./elements.js";
import { plain } from "./packet.js";
import { inWords, refusal, span } from "./words.js";

/** Who watches is asked so often while it is shown, in milliseconds. */
const EVERY = 2000;
const MOST = 200;

/** How a viewer speaks, in words. @type {Record<string, string>} */
const SPEAKS = {
  native: "program", websocket: "web page", plain: "plain pictures", multipart: "MJPEG", detection: "dashboard", quality: "by quality",
  room: "room",
};

/** A page with a picture needs no more than this. @param {string} address @param {string} name */
export function embed(address, name) {
  const escaped = (/** @type {string} */ text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<img src="${escaped(address)}" alt="${escaped(name)}">`;
}

/** A stream's addresses. @param {string} base  of the page @param {string} room @param {string} name */
export function addresses(base, room, name) {
  const path = `${encodeURIComponent(room)}/${encodeURIComponent(name)}`;
  return { page: `${base}${fragmentOf(room, name)}`, stream: `${base}stream/${path}`, snapshot: `${base}snapshot/${path}` };
}

/**
 * A viewer as the hub tells of it, in words: from where, how, for how long, and how its pictures are.
 * @param {Record<string, unknown>} viewer
 */
export function viewerInWords(viewer) {
  const number = (/** @type {unknown} */ value) => (Number.isFinite(value) ? Number(value) : null);
  const [fps, age, seconds] = [number(viewer.fps), number(viewer.age_ms), number(viewer.seconds)];
  const speaks = String(viewer.speaks ?? "");
  return [
    plain(String(viewer.address ?? "somewhere"), 60),
    SPEAKS[speaks] ?? plain(speaks, 30),
    seconds === null ? "" : `for ${span(1000 * seconds)}`,
    [fps === null ? "" : `${fps.toFixed(0)} fps`, age === null ? "" : inWords(age)].filter(Boolean).join(" · "),
  ];
}

export class Details {
  #dialog = /** @type {HTMLDialogElement} */ (by("details"));
  #access;
  #stream = { room: "", name: "" };
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #asking;

  /** @param {import("./access.js").Access} access */
  constructor(access) {
    this.#access = access;
    this.#dialog.onclose = () => clearInterval(this.#asking);
  }

  /** @param {{room: string, name: string}} stream @param {string} title @param {boolean} sealed */
  open(stream, title, sealed) {
    this.#stream = stream;
    const { room, name } = stream;
    const links = addresses(new URL(".", location.href).href, room, name);
    by("details-title").textContent = title;
    by("details-name").textContent = `${plain(room)}/${plain(name)}`;
    const fill = (/** @type {string} */ id, /** @type {string} */ text) => {
      const field = /** @type {HTMLInputElement} */ (by(id));
      field.value = text;
    };
    fill("link-page", links.page);
    fill("link-stream", links.stream);
    fill("link-snapshot", links.snapshot);
    fill("link-embed", embed(links.stream, title));
    by("details-hint").textContent = sealed ? "It is encrypted end to end: only a page or a program with its key shows its pictures."
      : this.#access.rights?.asks ? "This hub asks for a link or a secret. Programs show it by ?token=… at the end of the address; Share makes one." : "";
    by("details-viewers").replaceChildren();
    by("details-watching").textContent = "";
    this.#dialog.showModal();
    void this.#ask();
    clearInterval(this.#asking);
    this.#asking = setInterval(() => void this.#ask(), EVERY);
  }

  async #ask() {
    if (document.visibilityState !== "visible") return;
    const { room, name } = this.#stream;
    const path = `api/streams/${encodeURIComponent(room)}/${encodeURIComponent(name)}`;
    const answer = await fetch(path, { cache: "no-store" }).catch(() => null);
    const told = answer?.ok ? await answer.json().catch(() => null) : null;
    if (!this.#dialog.open || room !== this.#stream.room || name !== this.#stream.name) return;
    const list = by("details-viewers");
    if (!told) {
      list.replaceChildren();
      by("details-watching").textContent = answer && !answer.ok ? await refusal(answer) : "The hub does not answer.";
      return;
    }
    const count = Number(told.viewers) || 0;
    const who = Array.isArray(told.per_viewer) ? told.per_viewer.slice(0, MOST) : null;
    by("details-watching").textContent = `${count} watching${who ? "" : ". Only whoever runs the hub sees from where."}`;
    list.replaceChildren();
    for (const viewer of who ?? []) {
      const row = add(list, "tr", "");
      for (const cell of viewerInWords(Object(viewer))) add(row, "td", "", cell);
    }
  }
}
