// @ts-check
// The way to a room and back: who is there, what they say and what they turn on or off. Pictures go another way.
import { Backoff } from "./backoff.js";
import { now } from "./now.js";
import { plain } from "./packet.js";
import { isLoopback } from "./rights.js";

/** The hub asks every 5 s whether somebody is there: silence for so long is the end of a connection, in milliseconds. */
const DEAD_AFTER = 16_000;
const LOOK_EVERY = 2000;
/** A connection that held for so long begins the waits between tries anew. */
const HELD = 1000;
/** What the hub ends a connection with, and does not want to be tried again. */
export const ELSEWHERE = 4001;
export const CLOSED = 4002;
export const REMOVED = 4003;
export const REFUSED = 1008;
const FINAL = [ELSEWHERE, CLOSED, REMOVED, REFUSED];

/**
 * How the connection is. `ended` is by the hub's will, with the code and its words.
 * @typedef {{is: "connecting"} | {is: "connected"} | {is: "lost", tries: number} | {is: "ended", code: number, why: string}} LinkState
 */

/** The hub's address of a WebSocket. @param {string} path */
export function socketAddress(path) {
  const url = new URL(path, document.baseURI);
  url.hash = "";
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

export class RoomLink {
  #url;
  #hear;
  #tell;
  /** @type {WebSocket | null} */
  #socket = null;
  #isOpen = false;
  #backoff = new Backoff();
  #openedAt = 0;
  #heardAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #trying;
  #looking = setInterval(() => this.#look(), LOOK_EVERY);
  #online = () => this.#hurry();

  /**
   * @param {object} options
   * @param {string} options.room
   * @param {string} options.name
   * @param {(message: Record<string, unknown>) => void} options.hear
   * @param {(state: LinkState) => void} options.tell
   */
  constructor({ room, name, hear, tell }) {
    this.#url = socketAddress(`ws/${encodeURIComponent(room)}/${encodeURIComponent(name)}`);
    this.#hear = hear;
    this.#tell = tell;
    addEventListener("online", this.#online);
    this.#connect();
  }

  get isOpen() {
    return this.#isOpen;
  }

  /** Says something; gives whether it went. @param {Record<string, unknown>} message */
  say(message) {
    if (!this.#isOpen) return false;
    this.#socket?.send(JSON.stringify(message));
    return true;
  }

  /** Leaves. */
  close() {
    clearInterval(this.#looking);
    removeEventListener("online", this.#online);
    this.#drop();
  }

  #drop() {
    clearTimeout(this.#trying);
    this.#trying = undefined;
    this.#isOpen = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #connect() {
    this.#drop();
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#heardAt = now();
    this.#tell({ is: "connecting" });
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#isOpen = true;
      this.#openedAt = this.#heardAt = now();
      this.say({ type: "hello", pictures: false });
      this.#tell({ is: "connected" });
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#take(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      if (FINAL.includes(code)) {
        this.close();
        return this.#tell({ is: "ended", code, why: plain(reason, 200) });
      }
      this.#lost();
    };
  }

  /** @param {unknown} data */
  #take(data) {
    this.#heardAt = now();
    if (typeof data !== "string") return;
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (typeof message !== "object" || message === null) return;
    if (message.type === "ping") this.say({ type: "pong" });
    else this.#hear(message);
  }

  #lost() {
    if (this.#isOpen && now() - this.#openedAt >= HELD) this.#backoff.succeeded();
    this.#drop();
    this.#tell({ is: "lost", tries: this.#backoff.tries + 1 });
    const wait = this.#backoff.next(Math.random(), isLoopback(location.hostname));
    this.#trying = setTimeout(() => this.#connect(), wait);
  }

  /** A connection may be dead without anybody saying so. */
  #look() {
    if (this.#socket && now() - this.#heardAt > DEAD_AFTER) this.#lost();
  }

  /** There is a network again. */
  #hurry() {
    if (!this.#isOpen) this.#connect();
  }
}
