// @ts-check
// The lists of cameras, sizes, backgrounds and microphones to choose from: before one enters, and in a room.
import { BACKGROUNDS } from "./background-rules.js";
import { by, say } from "./elements.js";
import { NOISES, SIZES } from "./room-media.js";
import { hasPicture, keepPicture } from "./room-picture.js";

export class DeviceLists {
  #media;
  #camera;
  #microphone;
  #size;
  #noise;
  #background;
  #picture;

  /** @param {string} where  what the ids of the lists begin with @param {import("./room-media.js").Media} media */
  constructor(where, media) {
    this.#media = media;
    const list = (/** @type {string} */ what) => /** @type {HTMLSelectElement} */ (by(`${where}-${what}`));
    const [camera, microphone, size, noise] = [list("camera"), list("microphone"), list("size"), list("noise")];
    const background = (this.#background = list("background"));
    this.#picture = by(`${where}-picture-button`);
    const file = /** @type {HTMLInputElement} */ (by(`${where}-picture-file`));
    this.#camera = camera;
    this.#microphone = microphone;
    this.#size = size;
    this.#noise = noise;
    noise.replaceChildren(...Object.entries(NOISES).map(([key, name]) => new Option(name, key)));
    noise.onchange = () => void media.suppress(noise.value);
    background.replaceChildren(...Object.entries(BACKGROUNDS).map(([key, name]) => new Option(name, key)));
    background.onchange = () => void media.veil(background.value);
    this.#picture.onclick = () => file.click();
    file.onchange = async () => {
      const [chosen] = file.files ?? [];
      if (!chosen) return;
      const why = await keepPicture(chosen);
      // The same file again is a change, too.
      file.value = "";
      if (why) say(why);
      else await media.veil("picture");
    };
    size.replaceChildren(...Object.entries(SIZES).map(([key, [, , name]]) => new Option(name, key)));
    size.onchange = () => void media.resize(size.value);
    camera.onchange = () => void media.choose("camera", camera.value);
    microphone.onchange = () => void media.choose("microphone", microphone.value);
  }

  async fill() {
    const media = this.#media;
    this.#size.value = media.choice.size;
    this.#noise.value = media.choice.noise;
    this.#background.value = media.choice.background;
    this.#picture.hidden = media.choice.background !== "picture";
    this.#picture.textContent = hasPicture() ? "Another one" : "Choose one";
    const { cameras, microphones } = await media.devices();
    offer(this.#camera, cameras, "camera", media.device, media.choice.camera);
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
