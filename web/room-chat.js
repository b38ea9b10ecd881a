// @ts-check
// What is said in a room, and who came and went. Words from others are only ever text.
import { add, by } from "./elements.js";
import { plain } from "./packet.js";
import { addressOf, ask } from "./room-api.js";
import { colourOf } from "./room-people.js";

/** Lines that are kept on the page. */
const MOST = 500;
/** The hub takes as many characters. */
const LONGEST = 2000;
/** What the same person says within so long stands under one name, in milliseconds. */
const TOGETHER = 120_000;
/** So near to the end means that somebody reads what is new, in pixels. */
const NEAR = 60;
/** Counts no further. */
const MOST_UNREAD = 99;

/**
 * @typedef {object} Line
 * @property {number | null} id
 * @property {string} name
 * @property {string} text
 * @property {string} colour
 * @property {number} at  milliseconds since 1970
 * @typedef {{at: number, line: Line | null, words: string}} Entry
 */

/** Words of more than one line, each part of which is shown as it is. @param {string} text */
const lines = (text) => text.slice(0, 2 * LONGEST).split(/\r\n|\r|\n/).map((line) => plain(line, LONGEST)).join("\n");

/** What somebody said, as the hub tells it; null where it makes no sense. @param {unknown} value @returns {Line | null} */
export function readLine(value) {
  const { id, user_name: name, text, color, created_at: at } = Object(value);
  if (typeof name !== "string" || typeof text !== "string" || !text) return null;
  const time = typeof at === "string" ? Date.parse(at) : NaN;
  return {
    id: Number.isSafeInteger(id) ? id : null,
    name,
    text: lines(text),
    colour: typeof color === "string" && /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.test(color) ? color : colourOf(name),
    at: Number.isNaN(time) ? Date.now() : time,
  };
}

/** @param {number} at */
const clock = (at) => new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });

export class Chat {
  #panel = by("chat");
  #log = by("chat-log");
  #text = /** @type {HTMLTextAreaElement} */ (by("chat-text"));
  #button = by("chat-button");
  #badge;
  #room;
  #own;
  #say;
  #heard;
  #unread = 0;
  #ids = new Set();
  /** What is on the page, in its order: an event has no line. @type {Entry[]} */
  #entries = [];

  /**
   * @param {object} options
   * @param {string} options.room
   * @param {string} options.own  name
   * @param {(text: string) => boolean} options.say  says it to the hub; gives whether it went
   * @param {(line: Line) => void} options.heard  something was said while the chat is closed
   * @param {() => void} options.turned  it was opened or closed
   */
  constructor({ room, own, say, heard, turned }) {
    this.#room = room;
    this.#own = own;
    this.#say = say;
    this.#heard = heard;
    this.turned = turned;
    // Somebody who comes back has a chat of before.
    this.#button.querySelector(".badge")?.remove();
    this.#log.replaceChildren();
    this.#badge = add(this.#button, "span", "badge");
    this.#count(0);
    this.#text.maxLength = LONGEST;
    const form = /** @type {HTMLFormElement} */ (by("chat-form"));
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    this.#text.onkeydown = (event) => {
      if (event.key === "Escape") return this.close();
      // With Shift it is a line of its own; a keyboard that composes words ends them with Enter.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    };
    by("chat-close").onclick = () => this.close();
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  toggle() {
    if (this.isOpen) return this.close();
    this.#panel.hidden = false;
    this.#count(0);
    this.#button.setAttribute("aria-pressed", "true");
    this.#log.scrollTop = this.#log.scrollHeight;
    this.turned();
    // What was said is read here now.
    by("toast").classList.remove("shown");
    this.#text.focus({ preventScroll: true });
  }

  close() {
    if (!this.isOpen) return;
    const had = this.#panel.contains(document.activeElement);
    this.#panel.hidden = true;
    this.#button.setAttribute("aria-pressed", "false");
    if (had) this.#button.focus();
    this.turned();
  }

  /** What was said before, and while there was no connection. */
  async recall() {
    const answer = await ask(addressOf(this.#room, "/messages"));
    if (!answer.ok || !Array.isArray(answer.told)) return;
    const said = answer.told.slice(-MOST).flatMap((one) => readLine(one) ?? []);
    for (const line of said) this.#put(line);
  }

  /** @param {unknown} message  of the hub */
  hear(message) {
    const line = readLine(message);
    if (!line || !this.#put(line) || this.isOpen || line.name === this.#own) return;
    this.#count(this.#unread + 1);
    this.#heard(line);
  }

  /** Something happened. @param {string} words */
  note(words) {
    this.#enter({ at: Date.now(), line: null, words });
  }

  /** Gives whether it is new. @param {Line} line */
  #put(line) {
    // A hub that keeps nothing numbers anew when it is started again.
    const id = `${line.id} ${line.at}`;
    if (line.id !== null && this.#ids.has(id)) return false;
    this.#ids.add(id);
    this.#enter({ at: line.at, line, words: "" });
    return true;
  }

  /** What was said before comes later, after a reload or a break. @param {Entry} entry */
  #enter(entry) {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    const follows = scrollHeight - scrollTop - clientHeight < NEAR;
    by("chat-empty").hidden = true;
    const before = this.#entries.at(-1);
    const isNewest = !before || entry.at >= before.at;
    this.#entries.push(entry);
    if (isNewest) this.#draw(entry, before);
    else {
      this.#entries.sort((a, b) => a.at - b.at);
      this.#log.replaceChildren();
      this.#entries.forEach((one, at) => this.#draw(one, this.#entries[at - 1]));
    }
    while (this.#entries.length > MOST) {
      this.#entries.shift();
      this.#log.firstElementChild?.remove();
    }
    if (follows) this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** @param {Entry} entry @param {Entry | undefined} before */
  #draw({ at, line, words }, before) {
    if (!line) {
      const event = add(this.#log, "p", "event", words);
      add(event, "time", "", clock(at));
      return;
    }
    const goesOn = before?.line?.name === line.name && at - before.at < TOGETHER;
    const said = add(this.#log, "div", goesOn ? "said more" : "said");
    const head = add(said, "p", "who");
    const name = add(head, "strong", "", line.name === this.#own ? "You" : plain(line.name, 80));
    name.style.color = line.colour;
    const time = add(head, "time", "", clock(at));
    time.dateTime = new Date(at).toISOString();
    add(said, "p", "text", line.text).title = time.textContent ?? "";
  }

  #send() {
    const text = this.#text.value.trim();
    if (!text) return;
    const went = this.#say(text);
    by("chat-why").textContent = went ? "" : "Not sent: there is no connection. Try again when it is back.";
    if (!went) return;
    this.#text.value = "";
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** @param {number} unread */
  #count(unread) {
    this.#unread = unread;
    this.#badge.hidden = unread === 0;
    this.#badge.textContent = unread > MOST_UNREAD ? `${MOST_UNREAD}+` : String(unread);
    this.#button.setAttribute("aria-label", unread ? `Chat, ${unread} unread` : "Chat");
  }
}
