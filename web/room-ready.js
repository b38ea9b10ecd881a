// @ts-check
// A look at oneself before going in: the name, the camera, the microphone, and whether they work.
import { by, icon } from "./elements.js";
import { rememberedName, rememberName, fitted } from "./room-memory.js";
import { initials, colourOf } from "./room-people.js";
import { DeviceLists } from "./room-devices.js";

export const DRAWINGS = {
  sound: "M12 4a3 3 0 00-3 3v4a3 3 0 006 0V7a3 3 0 00-3-3zM6 11a6 6 0 0012 0M12 17v4",
  muted: "M9 5a3 3 0 016 0v6M9 9v2a3 3 0 004.5 2.6M6 11a6 6 0 009 5.2M18 11a6 6 0 01-.4 2.2M12 17v4M4 4l16 16",
  video: "M3 7h12v10H3zM15 10.5l6-3.5v10l-6-3.5",
  noVideo: "M10 7h5v5M15 16v1H3V7h2M15 10.5l6-3.5v10l-4-2.3M4 4l16 16",
};

/** A button that is on or off. @param {HTMLElement} button @param {boolean} on @param {[on: string, off: string]} drawings @param {[on: string, off: string]} words */
export function turnable(button, on, drawings, words) {
  const now = on ? "on" : "off";
  const title = words[on ? 0 : 1];
  if (button.dataset.is === now && button.title === title) return;
  button.dataset.is = now;
  icon(button, drawings[on ? 0 : 1]);
  button.title = title;
  button.setAttribute("aria-label", title);
}

export class Ready {
  #element = by("ready");
  #video = /** @type {HTMLVideoElement} */ (by("ready-video"));
  #name = /** @type {HTMLInputElement} */ (by("ready-name"));
  #media;
  #lists;

  /** @param {import("./room-media.js").Media} media @param {(name: string) => void} enter @param {() => void} invite */
  constructor(media, enter, invite) {
    this.#media = media;
    this.#lists = new DeviceLists("ready", media);
    this.#name.value = rememberedName();
    this.#name.oninput = () => this.update();
    by("ready-video-button").onclick = () => void media.turn("camera", !media.camera);
    by("ready-sound-button").onclick = () => void media.turn("microphone", !media.microphone);
    by("ready-invite").onclick = invite;
    /** @type {HTMLFormElement} */ (by("ready-form")).onsubmit = (event) => {
      event.preventDefault();
      const name = fitted(this.#name.value);
      if (!name) return this.#name.focus();
      rememberName(name);
      enter(name);
    };
    media.onLevel = () => this.#level();
  }

  /** @param {string} title @param {string} who */
  open(title, who) {
    this.introduce(title, who);
    this.#element.hidden = false;
    this.update();
    if (!this.#name.value && matchMedia("(hover: hover)").matches) this.#name.focus();
  }

  /** @param {string} title @param {string} who  is there */
  introduce(title, who) {
    by("ready-title").textContent = title;
    by("ready-who").textContent = who;
  }

  close() {
    this.#element.hidden = true;
    this.#video.srcObject = null;
    this.#media.onLevel = () => {};
  }

  /** There is another camera or microphone, or a reason why not. */
  update() {
    if (this.#element.hidden) return;
    const { camera, microphone, why, veiled } = this.#media;
    const now = this.#video.srcObject instanceof MediaStream ? this.#video.srcObject.getVideoTracks()[0] : null;
    if (now !== camera) {
      this.#video.srcObject = camera && new MediaStream([camera]);
      if (camera) void this.#video.play().catch(() => {});
    }
    this.#video.hidden = !camera;
    const name = fitted(this.#name.value);
    const letters = by("ready-letters");
    letters.hidden = camera !== null;
    letters.textContent = name ? initials(name) : "";
    letters.style.setProperty("--colour", colourOf(name));
    by("ready-off").textContent = camera ? veiled : why.camera ? "" : "Your camera is off";
    const reasons = [why.camera, why.microphone].filter(Boolean);
    by("ready-why").textContent = reasons.join("\n");
    by("ready-why").hidden = !reasons.length;
    const secure = /** @type {HTMLAnchorElement} */ (by("ready-secure"));
    secure.hidden = isSecureContext;
    if (!isSecureContext) secure.href = location.href.replace(/^http:/, "https:");
    turnable(by("ready-video-button"), camera !== null, [DRAWINGS.video, DRAWINGS.noVideo], ["Turn the camera off", "Turn the camera on"]);
    turnable(by("ready-sound-button"), microphone !== null, [DRAWINGS.sound, DRAWINGS.muted], ["Mute", "Turn the microphone on"]);
    void this.#lists.fill();
    this.#level();
  }

  #level() {
    const { microphone, level, speaks } = this.#media;
    const meter = by("ready-level");
    meter.style.setProperty("--level", String(level));
    meter.classList.toggle("speaks", speaks);
    meter.setAttribute("aria-valuenow", String(Math.round(100 * level)));
    by("ready-hears").textContent = microphone ? "Say something: this moves." : "Your microphone is off.";
  }
}
