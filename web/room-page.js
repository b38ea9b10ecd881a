// @ts-check
// A room: the people in it and their pictures, what is turned on and off, and how the connection is.
import { by, icon, save, say } from "./elements.js";
import { keyOfRoom } from "./keys.js";
import { may } from "./rights.js";
import { ask, askAsHost, addressOf } from "./room-api.js";
import { CameraPublisher } from "./room-camera.js";
import { Chat } from "./room-chat.js";
import { DeviceLists } from "./room-devices.js";
import { Seldom } from "./room-level.js";
import { CLOSED, ELSEWHERE, REFUSED, REMOVED, RoomLink, socketAddress } from "./room-link.js";
import { tokenOf } from "./room-memory.js";
import { now } from "./now.js";
import { Outside, roomPicture } from "./room-outside.js";
import { colourOf, People } from "./room-people.js";
import { DRAWINGS, turnable } from "./room-ready.js";
import { Seats } from "./room-seats.js";
import { SoundPlayer, whySilent } from "./sound-player.js";
import { PersonTile } from "./room-tile.js";
import { plain } from "./packet.js";

/** How often one's own numbers are told, in milliseconds. */
const COUNT_EVERY = 500;
/** What a closed connection means, and what can be done. @type {Record<number, [title: string, words: string, again: string]>} */
const ENDS = {
  [ELSEWHERE]: ["You are in this room elsewhere", "Somebody came in by your name: another tab or device of yours, or somebody who is called the same.", "Come back here"],
  [CLOSED]: ["The room is closed", "The host has closed it for everybody.", ""],
  [REMOVED]: ["You were removed", "The host has removed you from this room.", ""],
  [REFUSED]: ["The hub does not let you in", "", "Try again"],
};

/** @typedef {import("./room-people.js").Person} Person */

export class RoomPage {
  people = new People();
  seats = new Seats(by("people"));
  media;
  chat;
  /** The last numbers of the own camera. @type {import("./room-camera.js").CameraState | null} */
  camera = null;
  #id;
  #name;
  #title;
  #access;
  #denied;
  /** @type {Map<string, PersonTile>} */
  #tiles = new Map();
  #link;
  /** @type {CameraPublisher | null} */
  #publisher = null;
  #published = "";
  #outside = new Outside();
  /** All that is heard. */
  sound = new SoundPlayer(() => this.#hold());
  #seldom = new Seldom();
  #mirrored = true;
  #lists;
  #isOver = false;
  #wasConnected = false;
  #told = "";
  #counting = setInterval(() => this.#count(), COUNT_EVERY);
  #seen = () => this.#turn();
  /** @type {{release(): Promise<void>} | null} */
  #awake = null;

  /**
   * @param {object} options
   * @param {string} options.id @param {string} options.name @param {string} options.title
   * @param {import("./room-media.js").Media} options.media @param {import("./access.js").Access} options.access
   * @param {import("./screen.js").Denied} options.denied
   * @param {() => void} options.refused  the hub does not let a connection be
   */
  constructor({ id, name, title, media, access, denied, refused }) {
    this.#id = id;
    this.#name = name;
    this.#title = title;
    this.#access = access;
    this.#denied = denied;
    this.media = media;
    by("room").hidden = false;
    by("room-title").textContent = title;
    by("room-sealed").hidden = !keyOfRoom(id);
    document.title = `${title} · StreamFlow`;
    this.chat = new Chat({
      room: id,
      own: name,
      say: (text) => this.#link.say({ type: "chat", text, color: colourOf(name) }),
      heard: (line) => say(`${plain(line.name, 40)}: ${plain(line.text, 80)}`),
      turned: () => by("room").classList.toggle("chatting", this.chat.isOpen),
    });
    this.#lists = new DeviceLists("room", media);
    media.onLevel = () => this.#speak();
    media.onSound = () => this.#giveSound();
    media.resume();
    this.#link = this.#connect(refused);
    document.addEventListener("visibilitychange", this.#seen);
    this.update();
    void this.#stayAwake();
  }

  /** @param {() => void} refused */
  #connect(refused) {
    return new RoomLink({
      room: this.#id,
      name: this.#name,
      hear: (message) => this.#hear(message),
      tell: (state) => {
        if (state.is === "connected") this.#connected();
        else if (state.is === "lost") {
          by("room-note").textContent = this.#wasConnected ? "The connection is lost, trying again" : "No connection yet, trying again";
          by("room-note").hidden = false;
          if (state.tries === 1) refused();
        } else if (state.is === "ended") this.#end(state.code, state.why, refused);
      },
    });
  }

  #connected() {
    by("room-note").hidden = true;
    this.#wasConnected = true;
    this.#told = "";
    this.#seldom.anew();
    this.#tellMedia();
    this.#speak();
    void this.chat.recall();
  }

  /** @param {Record<string, unknown>} message */
  #hear(message) {
    switch (message.type) {
      case "participant_list": return this.#learn(message.participants);
      case "media_state": return void (this.people.toggled(message) && this.#show());
      case "audio_activity": return void (this.people.spoke(message) && this.#show());
      case "chat": return this.chat.hear(message);
      case "mute": return void this.#mutedByHost();
      case "error": return typeof message.message === "string" ? say(plain(message.message, 200)) : undefined;
    }
  }

  async #mutedByHost() {
    if (this.media.isMuted) return;
    await this.media.turn("microphone", false);
    say("The host has muted you");
  }

  /** @param {unknown} list */
  #learn(list) {
    const { came, went } = this.people.learn(list);
    for (const { name, shown, isCamera } of came) if (name !== this.#name || isCamera) this.chat.note(`${shown} came in`);
    for (const { name, shown, isCamera } of went) if (name !== this.#name || isCamera) this.chat.note(`${shown} left`);
    this.#show();
    this.#publish();
  }

  get #own() {
    return this.people.person(this.#name);
  }

  /** Whether the host's things can be done here. */
  get isHost() {
    const { rights } = this.#access;
    const operates = rights?.asks === true && may(rights, "operate", `${this.#id}/*`);
    return tokenOf(this.#id) !== "" || operates || this.#own?.isHost === true;
  }

  #show() {
    const own = this.#own;
    const listed = new Set(this.people.all.map(({ key }) => key));
    for (const [key, tile] of this.#tiles) {
      if (listed.has(key)) continue;
      tile.close();
      this.#tiles.delete(key);
    }
    for (const person of this.people.all) {
      const tile = this.#tiles.get(person.key) ?? this.#seat(person, person === own);
      tile.learn(person);
    }
    // Oneself is the last: the others are who one came for.
    const tiles = this.people.all.flatMap(({ key }) => this.#tiles.get(key) ?? []);
    this.seats.show([...tiles.filter(({ isOwn }) => !isOwn), ...tiles.filter(({ isOwn }) => isOwn)]);
    by("room-count").textContent = tiles.length === 1 ? "1 here" : `${tiles.length} here`;
    by("alone").hidden = !own || tiles.length > 1;
    by("room").classList.toggle("is-host", this.isHost);
    this.#turn();
    this.#showOwn();
  }

  /** @param {Person} person @param {boolean} isOwn */
  #seat(person, isOwn) {
    const tile = new PersonTile(this.#id, person, isOwn, {
      pinned: (one) => this.seats.pin(this.seats.pinned === one ? null : one),
      changed: () => this.seats.place(),
      pip: (one) => void this.pip(one),
      told: (one, what) => void this.#govern(one, what),
      denied: this.#denied,
      heard: () => this.sound.connect(),
    });
    this.#tiles.set(person.key, tile);
    return tile;
  }

  #showOwn() {
    const own = this.#own;
    const tile = own && this.#tiles.get(own.key);
    if (!tile) return;
    tile.show(this.media.seen, this.#mirrored && !this.media.screen);
    const { link = "off", why = "" } = this.camera ?? {};
    tile.tell(why && link !== "connected" && this.media.seen ? `Others do not see you: ${plain(why, 160)}` : "");
  }

  /** The own camera goes out under the name that the hub gave it. */
  #publish() {
    const stream = this.#own?.stream ?? "";
    if (stream !== this.#published) {
      this.#publisher?.close();
      this.#publisher = null;
      this.#published = stream;
      this.camera = null;
      if (stream) {
        this.#publisher = new CameraPublisher({ url: socketAddress("ws"), room: this.#id, name: stream, key: keyOfRoom(this.#id), sound: true, onState: (state) => {
          this.camera = state;
          this.#showOwn();
        } });
        this.#giveSound();
      }
    }
    this.#publisher?.setTrack(this.media.seen);
  }

  /** What the microphone hears goes out with the camera; muted, nothing does from now on. */
  #giveSound() {
    this.#publisher?.setSound(this.media.sound(), this.media.latency);
  }

  /** Why nobody is seen or heard, or sees and hears; empty where all is well. */
  get #trouble() {
    // Whoever has a key takes nothing that has no seal.
    const isLocked = !keyOfRoom(this.#id) && [...this.#tiles.values()].some(({ report }) => report?.locked);
    if (isLocked) return "Others here are encrypted end to end, and this page has no key: they neither see nor hear you. Come in by the whole link.";
    const sound = this.#publisher?.stats().sound;
    return this.camera?.link === "connected" && sound?.passed === false ? "This hub is too old to pass sound on: nobody is heard." : whySilent();
  }

  /** Browsers let a page be heard only after a click, which is asked for where there was none. */
  #hold() {
    by("hear").hidden = !this.sound.isHeld || this.#isOver;
  }

  /** Somebody touched the page. */
  touched() {
    this.media.resume();
    this.sound.resume();
  }

  /** There is another camera, microphone or screen, or a reason why not. */
  update() {
    const { camera, screen, why } = this.media;
    turnable(by("sound"), !this.media.isMuted, [DRAWINGS.sound, DRAWINGS.muted],
["Mute (A)", "Unmute (A)"]);
    turnable(by("video"), camera !== null, [DRAWINGS.video, DRAWINGS.noVideo], ["Camera off (V)", "Camera on (V)"]);
    const present = by("present");
    present.setAttribute("aria-pressed", String(screen !== null));
    present.title = screen ? "End showing the screen (D)" : "Show the screen (D)";
    present.setAttribute("aria-label", present.title);
    by("room-why").textContent = [why.camera, why.microphone].filter(Boolean).join("\n");
    by("room-why").hidden = !(why.camera || why.microphone);
    this.#publisher?.setTrack(this.media.seen);
    if (/** @type {HTMLDialogElement} */ (by("choosing")).open) void this.#lists.fill();
    this.#tellMedia();
    this.#showOwn();
    // Whoever is muted does not speak: all know that by it.
    if (this.media.isMuted) this.#seldom.anew();
    this.#speak();
  }

  /** What is on and off, to the others, when it changed. */
  #tellMedia() {
    const state = { is_muted: this.media.isMuted, is_video_off: !this.media.seen };
    const told = JSON.stringify(state);
    if (told !== this.#told && this.#link?.say({ type: "media_toggle", ...state })) this.#told = told;
  }

  #speak() {
    const { speaks, level, isMuted } = this.media;
    by("sound").style.setProperty("--level", String(isMuted ? 0 : level));
    this.#publisher?.tellSpeaks(speaks && !isMuted);
    if (!this.#link?.isOpen) return;
    const told = this.#seldom.next(speaks && !isMuted, now());
    if (told !== null) this.#link.say({ type: "audio_activity", is_speaking: told });
  }

  chooseDevices() {
    void this.#lists.fill();
    /** @type {HTMLDialogElement} */ (by("choosing")).showModal();
  }

  toggleSound() {
    void this.media.turn("microphone", this.media.isMuted);
  }

  toggleVideo() {
    void this.media.turn("camera", !this.media.camera);
  }

  async togglePresent() {
    if (this.media.screen) return this.media.hideScreen();
    const why = await this.media.shareScreen();
    if (why) say(why);
  }

  mirror() {
    this.#mirrored = !this.#mirrored;
    this.#showOwn();
    say(this.#mirrored ? "You see yourself mirrored" : "You see yourself as others do");
  }

  /** @param {number} place  from 1 */
  pinAt(place) {
    const tile = this.seats.tiles[place - 1];
    if (tile) this.seats.pin(this.seats.pinned === tile ? null : tile);
  }

  /** One step back; gives whether there was one. */
  back() {
    if (this.chat.isOpen) this.chat.close();
    else if (this.seats.pinned) this.seats.pin(null);
  }

  /** @param {PersonTile} [tile]  else who is large, or the first with a picture */
  async pip(tile) {
    const other = this.seats.pinned ?? this.seats.tiles.find((one) => one.picture && !one.isOwn) ?? null;
    const why = await this.#outside.toggle(tile ?? this.#outside.tile ?? other);
    if (why) say(why);
  }

  async save() {
    const made = await roomPicture(this.seats.tiles, this.#title, new Date());
    if (!made) return say("There is no picture yet");
    save(made.file, made.name);
    say(`Saved ${made.name}`);
  }

  toggleStatistics() {
    const on = by("room").classList.toggle("counting");
    by("statistics").setAttribute("aria-pressed", String(on));
  }

  #count() {
    const own = this.#own;
    const tile = own && this.#tiles.get(own.key);
    if (!tile || !this.#publisher) return;
    const { fps, width, height, kbytesPerSecond: kbytes, quality, encodeMs, viewers, sound } = this.#publisher.stats();
    const numbers = [`${fps.toFixed(0)} fps`, `${width}×${height}`, `${kbytes.toFixed(0)} kB/s`, `quality ${quality}`, `${encodeMs.toFixed(1)} ms`];
    const seen = viewers === 1 ? "1 sees it" : `${viewers} see it`;
    const heard = sound?.listened ? `sound ${sound.kbits} kbit/s${sound.dropped ? `, ${sound.dropped} left out` : ""}` : "";
    tile.count([...(this.media.seen && width ? [...numbers, seen] : []), heard].filter(Boolean).join(" · "));
    const trouble = this.#trouble;
    if (by("room-trouble").textContent !== trouble) by("room-trouble").textContent = trouble;
  }

  /** @param {PersonTile} tile @param {"mute" | "remove"} what */
  async #govern(tile, what) {
    const { name, shown } = tile.person;
    const answer = await askAsHost(this.#id, "people", { name, do: what });
    say(answer.ok ? `${shown} is ${what === "mute" ? "muted" : "removed"}` : answer.why);
  }

  /** Closes the room for everybody. Gives why not. */
  async closeRoom() {
    const answer = await askAsHost(this.#id, "close", {});
    return answer.ok ? "" : answer.why;
  }

  /** What nobody sees is not watched; it is heard all the same. */
  #turn() {
    const may = !document.body.classList.contains("gated");
    const seen = document.visibilityState === "visible" && may;
    for (const tile of this.#tiles.values()) tile.turn(seen, may);
    if (seen) void this.#stayAwake();
  }

  /** A phone does not go dark while people are looked at. */
  async #stayAwake() {
    if (this.#isOver || document.visibilityState !== "visible") return;
    const { wakeLock } = /** @type {any} */ (navigator);
    this.#awake = (await wakeLock?.request("screen").catch(() => null)) ?? this.#awake;
  }

  /** The connection was ended by the hub. @param {number} code @param {string} why @param {() => void} refused */
  #end(code, why, refused) {
    const [title, words, again] = ENDS[code] ?? ENDS[REFUSED];
    this.leave();
    by("room").hidden = true;
    by("over").hidden = false;
    by("over-title").textContent = title;
    by("over-words").textContent = words || why;
    by("over-again").hidden = !again;
    by("over-again").textContent = again;
    document.title = `${title} · StreamFlow`;
    if (code === REFUSED) refused();
  }

  /** Lets go of everything. */
  leave() {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#counting);
    document.removeEventListener("visibilitychange", this.#seen);
    this.#link.close();
    this.#publisher?.close();
    this.media.close();
    this.sound.close();
    this.#hold();
    for (const tile of this.#tiles.values()) tile.close();
    this.#tiles.clear();
    this.seats.close();
    void this.#awake?.release().catch(() => {});
    if (document.pictureInPictureElement) void document.exitPictureInPicture().catch(() => {});
  }
}

/** What is known of a room before somebody is in it; its name is its title where nobody made it. @param {string} id */
export async function lookAt(id) {
  const answer = await ask(addressOf(id));
  const told = answer.ok ? Object(answer.told) : {};
  return { answer, title: plain(typeof told.title === "string" && told.title ? told.title : id, 120), participants: told.participants };
}

/** Draws the icons of a room's buttons. */
export function drawButtons() {
  icon(by("room-sealed"), "M7 11V8a5 5 0 0110 0v3M5 11h14v10H5z");
  icon(by("present"), "M3 5h18v12H3zM8 21h8M12 14V8M9 11l3-3 3 3");
  icon(by("chat-button"), "M4 5h16v11H9l-5 4z");
  icon(by("invite-button"), "M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM2.5 20a6.5 6.5 0 0113 0M18 8v6M15 11h6");
  icon(by("leave"), "M3 14.5c5-5 13-5 18 0l-2 3-4-2v-2.6c-2-.6-4-.6-6 0v2.6l-4 2z");
  icon(by("statistics"), "M4 20V10M10 20V4M16 20v-7M22 20H2");
  icon(by("fullscreen"), "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5");
  icon(by("devices"), "M4 7h8M18 7h2M15 4.5v5M4 17h2M12 17h8M9 14.5v5");
  icon(by("save"), "M4 8h3l2-3h6l2 3h3v11H4zM12 16.5a3.3 3.3 0 100-6.6 3.3 3.3 0 000 6.6z");
}
