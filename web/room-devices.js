// @ts-check
// The lists of cameras, sizes and microphones to choose from: before one enters, and in a room.
import { by } from "./elements.js";
import { NOISES, SIZES } from "./room-media.js";

export class DeviceLists {
  #media;
  #camera;
  #microphone;
  #size;
  #noise;

  /** @param {string} where  what the ids of the lists begin with @param {import("./room-media.js").Media} media */
  constructor(where, media) {
    this.#media = media;
    const list = (/** @type {string} */ what) => /** @type {HTMLSelectElement} */ (by(`${where}-${what}`));
    const [camera, microphone, size, noise] = [list("camera"), list("microphone"), list("size"), list("noise")];
    this.#camera = camera;
    this.#microphone = microphone;
    this.#size = size;
    this.#noise = noise;
    noise.replaceChildren(...Object.entries(NOISES).map(([key, name]) => new Option(name, key)));
    noise.onchange = () => void media.suppress(noise.value);
    size.replaceChildren(...Object.entries(SIZES).map(([key, [, , name]]) => new Option(name, key)));
    size.onchange = () => void media.resize(size.value);
    camera.onchange = () => void media.choose("camera", camera.value);
    microphone.onchange = () => void media.choose("microphone", microphone.value);
  }

  async fill() {
    const media = this.#media;
    this.#size.value = media.choice.size;
    this.#noise.value = media.choice.noise;
    const { cameras, microphones } = await media.devices();
    offer(this.#camera, cameras, "camera", media.camera, media.choice.camera);
    offer(this.#microphone, microphones, "microphone", media.microphone, media.choice.microphone);
  }
}

/**
 * Fills a list of devices.
 * @param {HTMLSelectElement} select @param {MediaDeviceInfo[]} devices @param {string} what
 * @param {MediaStreamTrack | null} track  in use @param {string} chosen
 */
function offer(select, devices, what, track, chosen) {
  const options = devices.map(({ deviceId, label }, at) => new Option(label || `${what} ${at + 1}`, deviceId));
  select.disabled = options.length === 0;
  if (!options.length) options.push(new Option(`No ${what}`, ""));
  const before = [...select.options].map(({ value, text }) => `${value} ${text}`).join("\n");
  if (before !== options.map(({ value, text }) => `${value} ${text}`).join("\n")) select.replaceChildren(...options);
  const used = track?.getSettings().deviceId || chosen;
  if (used && options.some(({ value }) => value === used)) select.value = used;
}
