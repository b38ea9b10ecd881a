// @ts-check
import { Backoff } from "./backoff.js";
import { askedInWords, limit, loadSeen } from "./limit.js";
import { metadataLines } from "./metadata.js";
import { Meter } from "./meter.js";
import { GRAIN, jumps, now, Standstill } from "./now.js";
import { Painter } from "./painter.js";
import { plain, read, write } from "./packet.js";
import { Session } from "./session.js";
import { Ear } from "./sound-ear.js";
import { readState } from "./stream-state.js";
import { Unlock } from "./unlock.js";
import { NEEDS_KEY, span, whyNot } from "./words.js";

/** How often a hub that sent pictures and is silent is asked. */
const SILENT = 1000;
/** A hub that was asked and said nothing for so long is silent itself. */
const DEAF = 1800;
/** The same for one that is asked as seldom as can be. */
const UNANSWERED = 6800;
/** Silence for so long means that the connection is dead. */
const DEAD_AFTER = 10_000;
/** More than ten times a second, so that the age of a picture that stands still is never long behind. */
const REPORT_EVERY = 60;
/** A connection that held for so long begins the waits between tries anew. */
const HELD = 1000;
/** Who only listens keeps no connection to a stream that had no sound for so long. */
const SOUNDLESS = 5000;
/** A hub that said no is asked again after this. */
const REFUSED_WAIT = 5000;

/**
 * Watches one stream: connects and reconnects, acknowledges, keeps the clock, decodes, reports. Runs in a worker where
 * there can be one.
 */
export class Viewer {
  #url;
  #room;
  #name;
  #quality;
  #report;
  #painter;
  #session = new Session(GRAIN);
  /** When the last ping left. */
  #pinged = 0;
  /** How often our own clock had jumped when that was last looked at. */
  #jumps = jumps();
  /** How far off the publisher's clock may be, as the hub says. @type {number | null} */
  #publisherClock = null;
  #meter = new Meter();
  /** @type {WebSocket | null} */
  #socket = null;
  #open = false;
  /** Why the hub does not let this page in, as far as it said. */
  #declined = "";
  /** Pictures are wanted. */
  #watches = false;
  /** Sound is wanted, and goes there. @type {Ear | null} */
  #ear = null;
  /** There is no sound, as far as is known. */
  #silent = false;
  /** Whether the hub passes sound on; null: it has not said welcome. @type {boolean | null} */
  #hears = null;
  /** What is asked for, as the hub was told last. */
  #asks = "";
  /** One of them is. */
  #wanted = false;
  #backoff = new Backoff();
  /** When the hub said welcome; 0: it has not. */
  #welcomed = 0;
  /** @type {ReturnType<typeof setTimeout>[]} */
  #timers = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #keepingUp;
  #heard = 0;
  #standstill = new Standstill();
  /** Pictures came in time when the page was stopped. */
  #excused = false;
  #refused = "";
  /** Why this page has no right, or not any more, and how often that was said. It does not try again by itself. */
  #denied = "";
  #denials = 0;
  /** @type {import("./stream-state.js").StreamState | null} */
  #state = null;
  /** What the hub says of this connection: bytes a picture it carries, and how busy it is; 0 is no limit. */
  #link = { bytes: 0, busy: 0 };
  /** The picture on the canvas. @type {import("./packet.js").Picture | null} */
  #onCanvas = null;
  #unlock;
  /** When pictures came, and when they were captured.
   * @type {WeakMap<object, {at: number, known: import("./session.js").Captured}>} */
  #times = new WeakMap();
  #reporting;

  /**
   * @param {object} options
   * @param {string} options.url  of the hub's WebSocket
   * @param {string} options.room
   * @param {string} options.name
   * @param {number | null} options.quality
   * @param {string} [options.key]  what sealed pictures are opened with; no others are shown then
   * @param {(bitmap: ImageBitmap) => void | Promise<void>} options.show  puts a picture on the canvas
   * @param {(report: import("./meter.js").Report) => void} options.report
   */
  constructor({ url, room, name, quality, key = "", show, report }) {
    this.#url = url;
    this.#room = room;
    this.#name = name;
    this.#quality = quality;
    this.#unlock = new Unlock(room, name, key);
    this.#report = report;
    this.#painter = new Painter(show, (picture) => this.#shown(picture), (why) => {
      this.#meter.skipped++;
      this.#meter.screen.broken(why);
    }, (picture) => this.#unlock.picture(picture, () => this.#times.get(picture)?.known.captured ?? null));
    this.#reporting = setInterval(() => this.#tell(), REPORT_EVERY);
  }

  /**
   * Watches, or stops it: the hub then sends nothing and nothing piles up.
   * @param {boolean} wanted
   */
  watch(wanted) {
    if (wanted === this.#watches) return;
    this.#watches = wanted;
    // Pictures that were not wanted are not late.
    if (wanted) this.#meter.anew();
    this.#turn();
  }

  /** Listens as well, or alone; or not any more. @param {MessagePort | null} mixer  where sound goes to */
  listen(mixer) {
    if (!mixer && !this.#ear) return;
    this.#ear?.close();
    this.#ear = mixer && new Ear(mixer);
    this.#silent = false;
    this.#turn();
  }

  /** Something else is wanted. */
  #turn() {
    const wanted = this.#watches || (this.#ear !== null && !this.#silent);
    if (wanted === this.#wanted) {
      if (wanted) this.#subscribe();
      return;
    }
    this.#wanted = wanted;
    this.#denied = "";
    this.#backoff.succeeded();
    if (wanted) this.#connect();
    else this.#disconnect();
  }

  /** @param {number | null} quality  null: as good as the link allows */
  choose(quality) {
    this.#quality = quality;
    this.#subscribe();
  }

  #subscribe() {
    const asks = JSON.stringify(this.#want);
    if (this.#hears === null || asks === this.#asks) return;
    this.#asks = asks;
    this.#say({ type: "subscribe", room: this.#room, name: this.#name, ...this.#want });
  }

  /** The picture on the canvas, as it came, or null. */
  get picture() {
    return this.#onCanvas?.data ?? null;
  }

  /** @param {string} key  opens sealed pictures from now on */
  unlock(key) {
    this.#unlock = new Unlock(this.#room, this.#name, key);
    this.#subscribe();
  }

  /** @param {import("./packet.js").Sound} sound @param {number} at */
  #hear(sound, at) {
    const known = this.#session.heard(sound, at);
    this.#unlock.sound(sound, () => this.#ear?.take(sound, known, at));
  }

  close() {
    this.watch(false);
    this.listen(null);
    clearInterval(this.#reporting);
    this.#painter.close();
  }

  get #want() {
    return {
      ...(this.#quality ? { quality: this.#quality } : {}),
      ...(this.#ear ? { audio: true } : {}),
      ...(this.#watches ? {} : { audio_only: true }),
    };
  }

  /** @param {import("./packet.js").Control} control */
  #say(control) {
    if (this.#open) this.#socket?.send(write(control));
  }

  #connect() {
    this.#disconnect();
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#heard = now();
    socket.onopen = () => {
      this.#open = true;
      this.#declined = "";
      const hello = { role: "view", room: this.#room, name: this.#name, program: "web page", can: ["ack", "seal"] };
      this.#asks = JSON.stringify(this.#want);
      this.#say({ type: "hello", ...hello, ...this.#want });
      this.#session = new Session(GRAIN);
      this.#keepUp();
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.#take(data);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      if (!this.#open) void whyNot(this.#url).then((why) => (this.#declined = why));
      this.#lost();
    };
    // A connection that never opens, as through a proxy that hangs.
    this.#after(DEAD_AFTER, () => this.#open || this.#lost());
  }

  /**
   * @param {number} wait
   * @param {() => void} act
   */
  #after(wait, act) {
    this.#timers.push(setTimeout(act, wait));
  }

  #disconnect() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    clearTimeout(this.#keepingUp);
    this.#open = false;
    this.#hears = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #lost() {
    this.#disconnect();
    this.#state = null;
    this.#publisherClock = null;
    this.#link = { bytes: 0, busy: 0 };
    if (!this.#wanted || this.#denied) return;
    const { hostname } = new URL(this.#url);
    const local = hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
    if (this.#welcomed && now() - this.#welcomed >= HELD) this.#backoff.succeeded();
    this.#welcomed = 0;
    const chance = Math.random();
    const wait = this.#backoff.next(chance, local);
    this.#after(this.#refused ? REFUSED_WAIT * (1 - chance / 4) : wait, () => {
      this.#refused = "";
      this.#connect();
    });
  }

  #ping() {
    this.#pinged = now();
    this.#say({ type: "ping", time: Math.round(this.#pinged * 1000) });
  }

  /** Asks for the clock, and whether the hub is there. */
  #keepUp() {
    this.#look(now());
    if (now() - this.#heard > DEAD_AFTER && !this.#standstill.justEnded(now())) return this.#lost();
    this.#ping();
    this.#keepingUp = setTimeout(() => this.#keepUp(), this.#session.pinged());
  }

  /** What a pong says of the hub's clock. @param {number} sent @param {number} theirs @param {number} at */
  #learn(sent, theirs, at) {
    if (this.#session.learn(sent, theirs, at)) {
      clearTimeout(this.#keepingUp);
      this.#keepUp();
    }
    const { picture, known } = this.#session.restated() ?? {};
    const times = picture && this.#times.get(picture);
    if (!times || !known) return;
    times.known = known;
    if (picture === this.#onCanvas) this.#meter.restated(known);
  }

  /** How far off the age may be, whatever the path; null where nobody knows. */
  get #error() {
    const error = this.#session.error;
    const isKnown = this.#publisherClock !== null && error !== null && !this.#meter.arrival && !this.#session.doubts;
    return isKnown ? Number(this.#publisherClock) + Number(error) : null;
  }

  /** Whether this machine slept, or its clock was set: the hub says which. */
  #lookAtOwnClock() {
    if (this.#jumps === jumps()) return;
    this.#jumps = jumps();
    this.#session.suspect(now());
    this.#ping();
  }

  /** @param {ArrayBuffer} buffer */
  #take(buffer) {
    const at = now();
    this.#heard = at;
    const packet = read(buffer);
    if (packet?.kind === "audio") {
      this.#hear(packet, at);
    } else if (packet?.kind === "picture" && !this.#watches) {
      // An older hub gives them all the same.
      this.#say({ type: "ack", sequence: packet.sequence });
    } else if (packet?.kind === "picture") {
      this.#say({ type: "ack", sequence: packet.sequence, backlog: this.#painter.backlog });
      this.#meter.received(packet, at);
      this.#lookAtOwnClock();
      const { ask, ...known } = this.#session.came(packet, at);
      if (ask) this.#ping();
      this.#times.set(packet, { at, known });
      this.#painter.offer(packet);
    } else if (packet?.kind === "skipped") {
      this.#say({ type: "ack", sequence: packet.sequence, backlog: this.#painter.backlog });
    } else if (packet?.kind === "control") {
      this.#control(packet.control, at);
    }
  }

  /**
   * @param {import("./packet.js").Control} control
   * @param {number} at
   */
  #control(control, at) {
    switch (control.type) {
      case "welcome":
        this.#welcomed = at;
        if (this.#state === null && this.#onCanvas) this.#meter.reconnects++;
        this.#meter.anew();
        this.#hears = Array.isArray(control.can) && control.can.includes("audio");
        // It may be otherwise than when this page said hello.
        this.#subscribe();
        break;
      case "ping":
        this.#say({ type: "pong", time: control.time, now: Math.round(at * 1000) });
        break;
      case "pong":
        this.#learn(Number(control.time) / 1000, Number(control.now) / 1000, at);
        break;
      case "clock":
        this.#publisherClock = Number.isFinite(control.error) ? Number(control.error) / 1000 : null;
        break;
      case "state":
        this.#state = readState(control, this.#room, this.#name, at);
        // Of a stream that nobody publishes yet nobody knows.
        this.#silent = !this.#hears || (this.#state.published && this.#state.audio === null);
        this.#meter.screen.announced(this.#state.asked?.interval ?? 0);
        // Told with the next numbers: however many states come, the page is drawn as often as ever.
        // A publisher that begins says so a moment later.
        if (this.#silent && !this.#watches) this.#after(SOUNDLESS, () => this.#silent && !this.#watches && this.#turn());
        break;
      case "link":
        this.#link = { bytes: Number(control.bytes) || 0, busy: Number.isFinite(control.busy) ? Number(control.busy) : 0 };
        break;
      case "bye":
        this.#refused = control.cause === "refused" ? String(control.reason ?? "refused") : "";
        this.#denied = control.cause === "unauthorized" ? String(control.reason ?? "unauthorized") : "";
        this.#denials += Number(this.#denied !== "");
        break;
    }
  }

  /** Whether the page was stopped: to be asked before anything is judged. @param {number} now */
  #look(now) {
    const stood = this.#standstill.look(now);
    if (!stood) return;
    // What was wrong before is not of its making.
    this.#excused = !["late", "not"].includes(this.#meter.screen.coming(now - stood)[0]);
    this.#meter.screen.resumed(now);
  }

  /** @param {import("./packet.js").Picture} picture */
  #shown(picture) {
    const at = now();
    this.#look(at);
    this.#onCanvas = picture;
    const times = this.#times.get(picture);
    if (times) this.#meter.shown(picture, at, times.known, at - times.at);
  }

  #tell() {
    this.#lookAtOwnClock();
    const at = now();
    this.#look(at);
    const numbers = this.#meter.numbers(at);
    const [state, detail] = this.#inWords(at);
    this.#report({
      ...numbers,
      estimated: numbers.estimated || this.#session.doubts,
      state,
      detail,
      limit: limit(loadSeen(this.#state, this.#link, numbers, Boolean(this.#quality))),
      asked: askedInWords(this.#state?.asked ?? null, this.#quality),
      stream: plain(`${this.#state?.room ?? this.#room}/${this.#state?.name || this.#name}`),
      error: this.#error,
      size: this.#painter.size,
      quality: this.#onCanvas?.quality ?? 0,
      metadata: metadataLines(this.#onCanvas?.metadata ?? ""),
      locked: this.#isLocked,
      sealed: this.#unlock.hasOpened,
      apart: this.#unlock.times.apart(at),
      denied: this.#denied,
      denials: this.#denials,
      audio: this.#state?.audio ? { ...this.#state.audio, heard: this.#ear?.heard(at) ?? null } : null,
    });
  }

  /** Whether a key is to be asked for. */
  get #isLocked() {
    return this.#unlock.isLocked || (!this.#unlock.key && this.#state?.sealed === true);
  }

  /**
   * @param {number} now
   * @returns {[import("./meter.js").Report["state"], string]}
   */
  #inWords(now) {
    const name = plain(`${this.#room}/${this.#name}`);
    if (this.#denied || this.#refused) return ["refused", this.#denied || this.#refused];
    if (!this.#open && this.#declined) return ["connecting", `the hub refuses this page: ${this.#declined}`];
    if (!this.#open) return ["connecting", this.#backoff.tries > 1 ? "hub unreachable, trying again" : "connecting"];
    if (!this.#state) return ["waiting", `waiting for ${name}`];
    if (!this.#watches) return ["waiting", ""];
    if (this.#isLocked && !this.#unlock.key) return ["lost", NEEDS_KEY];
    if (this.#state.live) return this.#coming(now, name);
    if (!this.#state.reason) return ["waiting", `waiting for ${name}`];
    return ["lost", `${this.#state.reason}, ${span(now - this.#state.since)}`];
  }

  /**
   * @param {number} now
   * @param {string} name
   * @returns {[import("./meter.js").Report["state"], string]}
   */
  #coming(now, name) {
    const [coming, silence] = this.#meter.screen.coming(now);
    const deaf = now - this.#heard;
    const stood = this.#excused ? this.#standstill.justEnded(now) : 0;
    if (silence > SILENT && deaf > SILENT && now - this.#pinged > SILENT) this.#ping();
    if (stood && (coming === "late" || coming === "not")) return ["late", `this page stood still for ${span(stood)}`];
    switch (coming) {
      case "none": return ["waiting", `waiting for the first picture of ${name}`];
      // Of a stream without a rhythm only the hub knows.
      case "in time": return deaf > UNANSWERED && !stood ? ["late", `nothing heard from the hub for ${span(deaf)}`] : ["live", ""];
      case "late": return ["late", ""];
      case "broken": return ["lost", this.#meter.screen.why];
      case "not": return ["lost", deaf > DEAF ? `nothing heard from the hub for ${span(deaf)}` : `no picture for ${span(silence)}`];
    }
  }
}
