// @ts-check
// The controls of a camera: sliders, switches, menus and buttons, which act while they are moved.
import { by } from "./elements.js";
import { readControls, Steady } from "./control-list.js";
import { plain } from "./packet.js";
import { may } from "./rights.js";

/** @typedef {import("./control-list.js").Control} Control */

/** The camera may change by itself, and others may change it: it is asked again while the panel is open, in milliseconds. */
const AGAIN = 3000;
const UNREACHABLE = "The hub does not answer. Try again.";

/** What a JSON answer says of why not: the hub's words. @param {Response} answer */
async function refusal(answer) {
  const told = await answer.json().catch(() => null);
  return typeof told?.error === "string" ? plain(told.error, 600) : `HTTP status ${answer.status}`;
}

export class Controls {
  #panel = by("controls");
  #list = by("controls-list");
  #why = by("controls-why");
  #reset = /** @type {HTMLButtonElement} */ (by("controls-reset"));
  #access;
  #stream = "";
  /** @type {Map<string, Row>} */
  #rows = new Map();
  #shape = "";
  /** @type {Steady | null} */
  #steady = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #asking;

  /** @param {import("./access.js").Access} access */
  constructor(access) {
    this.#access = access;
    by("controls-close").onclick = () => this.close();
    this.#reset.onclick = () => this.#steady?.now({ reset: true });
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  /** Whether whoever watches may change a stream's camera. @param {string} stream */
  mayOperate(stream) {
    const { rights } = this.#access;
    return stream !== "" && rights !== null && (!rights.asks || may(rights, "operate", stream));
  }

  /** @param {string} stream  `ROOM/NAME` */
  toggle(stream) {
    if (this.isOpen) return this.close();
    if (!this.mayOperate(stream)) return;
    this.#stream = stream;
    this.#shape = "";
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#say("Asking the camera");
    this.#reset.hidden = true;
    this.#panel.hidden = false;
    const address = this.#address;
    /** @type {Steady} */
    const steady = new Steady((change) => this.#post(steady, address, change));
    this.#steady = steady;
    void this.#get(steady);
    this.#asking = setInterval(() => {
      if (document.visibilityState === "visible" && !steady.isBusy && this.#rows.size) void this.#get(steady);
    }, AGAIN);
    by("controls-close").focus();
  }

  close() {
    clearInterval(this.#asking);
    // What waits is still sent, and nothing heard of it.
    this.#steady = null;
    this.#panel.hidden = true;
  }

  /** @param {string} text @param {boolean} [isError] */
  #say(text, isError = false) {
    this.#why.textContent = text;
    this.#why.classList.toggle("error", isError);
  }

  get #address() {
    return `api/streams/${this.#stream.split("/").map(encodeURIComponent).join("/")}/controls`;
  }

  /** Asks what there is. @param {Steady} steady  of the time when it was asked */
  async #get(steady) {
    const changes = steady.count;
    const answer = await fetch(this.#address, { cache: "no-store" }).catch(() => null);
    const why = answer?.ok ? "" : answer ? await refusal(answer) : UNREACHABLE;
    const told = answer?.ok ? readControls(await answer.json().catch(() => null)) : null;
    if (this.#steady !== steady) return;
    if (told) {
      // What was said before a change was made is old.
      if (steady.count === changes) this.#show(told);
      if (!this.#rows.size) this.#say("This stream has no controls.");
      else if (!this.#why.classList.contains("error")) this.#say("");
    } else if (answer?.status === 404) {
      this.#show([]);
      this.#say("This stream has no controls.");
    } else this.#say(why || "What answers here is no hub.", true);
  }

  /** @param {Steady} steady @param {string} address @param {Record<string, unknown>} change */
  async #post(steady, address, change) {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(change), cache: "no-store" })
      .catch(() => null);
    const why = answer?.ok ? "" : answer ? await refusal(answer) : UNREACHABLE;
    const told = answer?.ok ? readControls(await answer.json().catch(() => null)) : null;
    if (this.#steady !== steady) return;
    this.#say(why, why !== "");
    if (told && !steady.hasMore) this.#show(told);
    // What was not taken is not shown as if it were.
    if (why && !steady.hasMore) void this.#get(steady);
  }

  /** @param {Control[]} controls */
  #show(controls) {
    const shape = JSON.stringify(controls.map(({ name, label, type, min, max, step, menu }) => [name, label, type, min, max, step, menu]));
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#rows = new Map(controls.map((one) => [one.name, new Row(one, (value) => this.#steady?.set({ [one.name]: value }))]));
      this.#list.replaceChildren(...[...this.#rows.values()].map((row) => row.element));
    }
    const labels = new Map(controls.map(({ name, label }) => [name, label]));
    for (const one of controls) this.#rows.get(one.name)?.show(one, labels.get(one.held_by) ?? one.held_by);
    this.#reset.hidden = controls.every((one) => one.type === "button" || one.read_only);
  }
}

let ids = 0;

/** One control. */
class Row {
  element = document.createElement("div");
  #note = document.createElement("span");
  #value = document.createElement("output");
  #input;
  /** Somebody holds the slider. */
  #held = false;

  /** @param {Control} control @param {(value: unknown) => void} set */
  constructor(control, set) {
    const id = `control-${++ids}`;
    this.element.className = `control ${control.type}`;
    this.element.dataset.control = control.name;
    const label = document.createElement("label");
    label.textContent = control.label;
    label.htmlFor = id;
    this.#note.className = "note";
    const { input, shown } = made(control, set);
    input.id = id;
    this.#input = input;
    if (control.type === "integer") {
      input.addEventListener("pointerdown", () => (this.#held = true));
      for (const end of ["pointerup", "pointercancel", "change"]) input.addEventListener(end, () => (this.#held = false));
      input.addEventListener("input", () => (this.#value.textContent = /** @type {HTMLInputElement} */ (input).value));
      label.append(this.#value);
    }
    if (control.type === "button") this.element.append(shown, this.#note);
    else this.element.append(label, shown, this.#note);
  }

  /** @param {Control} control @param {string} holder  the label of what holds it */
  show(control, holder) {
    const input = this.#input;
    const { type, value } = control;
    const isOff = control.inactive || control.read_only;
    if (input instanceof HTMLInputElement && type === "boolean") input.checked = value === 1;
    else if (type !== "button" && !this.#held) input.value = String(value);
    if (!this.#held) this.#value.textContent = String(value);
    input.disabled = isOff;
    if (type !== "button" && control.default !== null) input.title = `Default: ${inWords(control, control.default)}`;
    this.element.classList.toggle("off", isOff);
    this.#note.textContent = control.read_only ? "cannot be changed" : !control.inactive ? ""
      : holder ? `held by ${holder}` : "held by another control";
  }
}

/** @param {Control} control @param {number} value */
function inWords({ type, menu }, value) {
  if (type === "boolean") return value ? "on" : "off";
  return menu.find((one) => one.value === value)?.label ?? String(value);
}

/** What is moved or pressed, and what is shown of it. @param {Control} control @param {(value: unknown) => void} set */
function made(control, set) {
  switch (control.type) {
    case "menu": {
      const input = document.createElement("select");
      input.append(...control.menu.map(({ value, label }) => new Option(label, String(value))));
      input.onchange = () => set(Number(input.value));
      return { input, shown: input };
    }
    case "button": {
      const input = document.createElement("button");
      input.type = "button";
      input.textContent = control.label;
      input.onclick = () => set(1);
      return { input, shown: input };
    }
    case "boolean": {
      const input = document.createElement("input");
      input.type = "checkbox";
      input.setAttribute("role", "switch");
      input.onchange = () => set(control.told ? input.checked : Number(input.checked));
      return { input, shown: input };
    }
    default: {
      const input = document.createElement("input");
      input.type = "range";
      [input.min, input.max, input.step] = [String(control.min), String(control.max), String(control.step)];
      input.oninput = () => set(Number(input.value));
      return { input, shown: input };
    }
  }
}
