// @ts-check
// The connection of the page's camera to its hub: says hello as a publisher, answers, is paced by acknowledgements, and comes
// back by itself. Times are milliseconds.
import { Backoff } from "./backoff.js";
import { readRungs } from "./camera-ladder.js";
import { Pacer } from "./camera-pace.js";
import { now, Standstill } from "./now.js";
import { plain, read, write, writePicture, writeSound } from "./packet.js";
import { SoundQueue } from "./sound-queue.js";
import { refusal } from "./words.js";

/** Silence for so long means that the connection is dead. */
const DEAD_AFTER = 10_000;
/** Five pings within the first half second, then one every 5 s. */
const EARLY_PINGS = 5;
const EARLY = 100;
const PING_EVERY = 5000;
/** A connection that held for so long begins the waits between tries anew. */
const HELD = 1000;
/** A hub that said no is asked again after this; the first time sooner, for it may be a page of before that is about to go. */
const REFUSED_WAITS = [1000, 2000, 5000];
/** How often this thread looks whether it has time to hear, and what is a pause of it. */
const BEAT = 4;
const PAUSE = 9;
const UNREACHABLE = "hub unreachable, trying again";
/** How often it is looked whether sound that waits has room. */
const SOUND_ASKS = 5;
/** How often everything is looked at. */
const LOOK = 250;

/**
 * How the connection is, for a person.
 * @typedef {{link: "connecting" | "connected" | "refused" | "off", why: string, viewers: number}} LinkState
 */

export class CameraLink {
  #url;
  #room;
  #name;
  #changed;
  #demanded;
  #free;
  #hasSound;
  /** Pictures and sound are sealed end to end. */
  #isSealed;
  /** By it a publisher has its name back from its own connection that broke. */
  #instance;
  /** @type {WebSocket | null} */
  #socket = null;
  /** The hub has said welcome. */
  #open = false;
  #closed = false;
  /** When the hub said welcome; 0: it has not. */
  #welcomed = 0;
  #everWelcomed = false;
  #backoff = new Backoff();
  #refusals = 0;
  /** A hub that was started anew is given one chance. */
  #turnedAway = false;
  /** Why the hub said no, and whether it is asked again. @type {{why: string, again: boolean} | null} */
  #no = null;
  /** Why the hub does not let this page connect, as far as it said. */
  #declined = "";
  #heard = 0;
  #pings = 0;
  #standstill = new Standstill();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pinging;
  #looking;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #beating;
  #beat = 0;
  #turned = 0;
  #pacer = new Pacer();
  #maxPicture = Infinity;
  /** What the hub was told last on this connection, and what it is to be told. */
  #told = "";
  #supply = "";
  /** @type {import("./packet.js").Control | null} */
  #state = null;
  #sound = new SoundQueue();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soundWaits;
  /** @type {{muted: boolean, speaking: boolean} | null} */
  #audio = null;
  /** Whether the hub passes sound on, and whether anybody listens. */
  passesSound = false;
  listens = false;
  /** @type {LinkState} */
  #is = { link: "connecting", why: "", viewers: 0 };
  /** What is demanded. @type {import("./camera-ladder.js").Rung[]} */
  rungs = [];

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {string} options.room
   * @param {string} options.name
   * @param {(state: LinkState) => void} options.changed  it is otherwise now
   * @param {() => void} options.demanded  others watch, or want something else
   * @param {() => void} options.free  a picture has arrived: there may be room for the next
   * @param {boolean} [options.sound]  there is sound that may be asked for
   * @param {boolean} [options.sealed]  what is given is sealed end to end
   */
  constructor({ url, room, name, changed, demanded, free, sound = false, sealed = false }) {
    this.#hasSound = sound;
    this.#isSealed = sealed;
    this.#url = url;
    this.#room = room;
    this.#name = name;
    this.#changed = changed;
    this.#demanded = demanded;
    this.#free = free;
    const [high, low] = crypto.getRandomValues(new Uint32Array(2));
    this.#instance = 1 + (high % 2 ** 20) * 2 ** 32 + low;
    this.#looking = setInterval(() => this.#look(), LOOK);
    this.#connect();
  }

  get state() {
    return this.#is;
  }

  /** How many watch. */
  get viewers() {
    return this.#is.viewers;
  }

  /** Bytes that the pictures of a frame may have; `Infinity`: any. */
  get carries() {
    return this.#pacer.carries;
  }

  /** The longest picture that the hub takes. */
  get maxPicture() {
    return this.#maxPicture;
  }

  /** May a picture be given now? 0: yes. Else how long to wait before the next question. @param {number} interval */
  ask(interval) {
    if (!this.#open || !this.#socket) return interval;
    // Sound goes before.
    if (this.#sound.waits) return SOUND_ASKS;
    return this.#pacer.ask(now(), interval, this.#socket.bufferedAmount);
  }

  /** What viewers are told of the stream; said when it is otherwise than before. @param {Record<string, unknown>} state */
  tell(state) {
    this.#state = { type: "state", published: true, ...(this.#isSealed ? { sealed: true } : {}), ...state };
    this.#sayState();
  }

  /** What viewers are told of its sound. @param {{muted: boolean, speaking: boolean}} audio */
  tellSound(audio) {
    this.#audio = this.#hasSound ? audio : null;
    this.#sayState();
  }

  #sayState() {
    if (!this.#open || !this.#state) return;
    const state = this.#audio ? { ...this.#state, audio: this.#audio } : this.#state;
    const told = JSON.stringify(state);
    if (told === this.#told) return;
    this.#told = told;
    this.#say(state);
  }

  /** Gives sound. @param {import("./packet.js").SentSound} sound */
  giveSound(sound) {
    if (!this.#open || !this.listens) return;
    this.#sound.add(writeSound(sound), now());
    this.#passSound();
  }

  /** What waits is not to be heard any more. */
  forgetSound() {
    this.#sound.clear();
  }

  /** Packets of sound that became too old here. */
  get dropped() {
    return this.#sound.dropped;
  }

  #passSound() {
    clearTimeout(this.#soundWaits);
    const socket = this.#socket;
    if (!socket) return;
    for (let packet; (packet = this.#sound.next(now(), socket.bufferedAmount)); ) socket.send(packet);
    if (this.#sound.waits) this.#soundWaits = setTimeout(() => this.#passSound(), SOUND_ASKS);
  }

  /**
   * Gives a picture.
   * @param {import("./packet.js").Sent} picture
   * @param {unknown[]} supply  what the pictures of its frame are encoded for
   */
  give(picture, supply) {
    if (!this.#open || !this.#socket) return;
    const rungs = JSON.stringify(supply);
    if (rungs !== this.#supply) {
      this.#supply = rungs;
      this.#say({ type: "supply", rungs: supply });
    }
    const packet = writePicture(picture);
    const at = this.#sayPing();
    this.#pacer.given(picture.sequence, packet.length, at);
    this.#socket.send(packet);
    if (!this.#beating) {
      this.#turned = this.#beat = at;
      this.#beating = setTimeout(() => this.#beats(), BEAT);
    }
  }

  close() {
    this.#closed = true;
    clearInterval(this.#looking);
    this.#say({ type: "bye", cause: "stopping", reason: "" });
    this.#disconnect();
    this.#becomes({ link: "off", why: "", viewers: 0 });
  }

  /** @param {import("./packet.js").Control} control */
  #say(control) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(write(control));
  }

  /** @param {Partial<LinkState>} what */
  #becomes(what) {
    const before = this.#is;
    this.#is = { ...before, ...what };
    const { link, why, viewers } = this.#is;
    if (link !== before.link || why !== before.why || viewers !== before.viewers) this.#changed(this.#is);
  }

  #connect() {
    this.#disconnect();
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#heard = now();
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#declined = "";
      this.#heard = now();
      const hello = { role: "publish", room: this.#room, name: this.#name, program: "web page", can: ["rungs", ...(this.#hasSound ? ["audio"] : [])] };
      this.#say({ type: "hello", instance: this.#instance, ...hello });
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket && data instanceof ArrayBuffer) this.#take(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      if (code === 1008) this.#no ??= { why: plain(reason) || "the hub does not let this page in", again: true };
      if (!opened) void this.#askWhy();
      this.#lost(opened ? "the connection to the hub broke" : UNREACHABLE);
    };
  }

  /** Browsers do not tell a page why a WebSocket was refused. The hub tells whoever asks in another way that needs the same right. */
  async #askWhy() {
    try {
      const answer = await fetch(this.#url.replace(/^ws/, "http"), { method: "POST" });
      this.#declined = [403, 421, 503].includes(answer.status) ? `the hub refuses this page: ${await refusal(answer)}` : "";
    } catch {
      this.#declined = "";
    }
    if (this.#open || this.#closed) return;
    this.#becomes(this.#declined ? { link: "refused", why: this.#declined } : { link: "connecting", why: UNREACHABLE });
  }

  #disconnect() {
    clearTimeout(this.#retry);
    clearTimeout(this.#pinging);
    clearTimeout(this.#beating);
    clearTimeout(this.#soundWaits);
    this.#beating = undefined;
    this.#open = this.listens = this.passesSound = false;
    this.#sound.clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** @param {string} why */
  #lost(why) {
    this.#disconnect();
    const no = this.#no;
    this.#no = null;
    if (this.#welcomed && now() - this.#welcomed >= HELD) {
      this.#backoff.succeeded();
      this.#refusals = 0;
      this.#turnedAway = false;
    }
    this.#welcomed = 0;
    this.rungs = [];
    // Nobody can watch over a broken link; the hub says anew who does when it is back.
    const refused = no?.why ?? this.#declined;
    this.#becomes({ viewers: 0, ...(refused ? { link: "refused", why: refused } : { link: "connecting", why }) });
    this.#demanded();
    if (this.#closed || (no && !no.again)) return;
    const { hostname } = new URL(this.#url);
    const local = hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
    const chance = Math.random();
    const wait = this.#backoff.next(chance, local);
    const longer = no ? REFUSED_WAITS[Math.min(this.#refusals++, REFUSED_WAITS.length - 1)] * (1 - chance / 4) : 0;
    this.#retry = setTimeout(() => this.#connect(), Math.max(wait, longer));
  }

  /** While something is under way: when this thread last had time to hear. */
  #beats() {
    const at = now();
    // What comes right behind a pause may have come in it.
    this.#turned = at - this.#beat > PAUSE ? this.#beat : at;
    this.#beat = at;
    this.#beating = this.#pacer.underWay ? setTimeout(() => this.#beats(), BEAT) : undefined;
  }

  /** Gives when it left. */
  #sayPing() {
    const sent = Math.round(now() * 1000);
    this.#pacer.pinged(sent / 1000);
    this.#say({ type: "ping", time: sent });
    return sent / 1000;
  }

  #ping() {
    this.#sayPing();
    this.#pinging = setTimeout(() => this.#ping(), ++this.#pings < EARLY_PINGS ? EARLY : PING_EVERY);
  }

  #look() {
    const at = now();
    this.#standstill.look(at);
    const silence = at - this.#heard;
    // Who stood still hears first what came meanwhile.
    if (!this.#socket || this.#standstill.justEnded(at)) return;
    if (silence > DEAD_AFTER) this.#lost("nothing heard from the hub for 10 s, trying again");
  }

  /** @param {ArrayBuffer} buffer */
  #take(buffer) {
    const at = now();
    this.#heard = at;
    const packet = read(buffer);
    if (packet?.kind === "control") this.#control(packet.control, at);
  }

  /** @param {import("./packet.js").Control} control @param {number} at */
  #control(control, at) {
    switch (control.type) {
      case "ping":
        this.#say({ type: "pong", time: control.time, now: Math.round(now() * 1000) });
        break;
      case "pong":
        this.#pacer.answered(Number(control.time) / 1000, at);
        break;
      case "ack":
        this.#pacer.acknowledged(Number(control.sequence), (Number(control.waited) || 0) / 1000 + at - this.#turned, at);
        this.#free();
        break;
      case "welcome":
        this.#begin(control, at);
        break;
      case "demand":
        this.rungs = readRungs(control.rungs);
        this.listens = this.passesSound && control.audio === true;
        if (!this.listens) this.#sound.clear();
        this.#becomes({ viewers: Math.max(0, Math.floor(Number(control.viewers)) || 0) });
        this.#demanded();
        break;
      case "dropped":
        this.#becomes({ why: `the hub leaves pictures out: ${String(control.reason ?? "")}` });
        break;
      case "bye":
        this.#parts(String(control.cause ?? ""), String(control.reason ?? ""));
        break;
    }
  }

  /** @param {import("./packet.js").Control} welcome @param {number} at */
  #begin(welcome, at) {
    if (this.#open) return;
    const can = Array.isArray(welcome.can) ? welcome.can : [];
    if (this.#isSealed && !can.includes("seal")) {
      this.#no = { why: "this hub passes nothing on that is encrypted end to end: it is too old", again: false };
      return this.#lost("");
    }
    this.#open = this.#everWelcomed = true;
    this.#welcomed = at;
    this.#pacer = new Pacer();
    this.#told = this.#supply = "";
    this.#pings = 0;
    this.passesSound = this.#hasSound && can.includes("audio");
    this.#maxPicture = Number(welcome.max_picture) || Infinity;
    this.#becomes({ link: "connected", why: "" });
    this.#ping();
    this.#sayState();
  }

  /** The hub says goodbye. @param {string} cause @param {string} reason */
  #parts(cause, reason) {
    switch (cause) {
      case "replaced":
        // Two that take a name from each other for ever help nobody.
        this.#no = { why: reason || "another program publishes under this name now", again: false };
        break;
      case "unauthorized":
        this.#no = { why: reason || "the hub does not let this page publish", again: this.#everWelcomed && !this.#turnedAway };
        this.#turnedAway = true;
        break;
      case "refused":
      case "protocol":
        this.#no = { why: reason || "the hub refuses this page's camera", again: true };
        break;
    }
    // What the hub itself closes is told by the browser later, or never.
    this.#lost(reason || "the hub said goodbye");
  }
}
