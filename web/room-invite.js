// @ts-check
// Inviting somebody: the address of a room, or a link that lets them in, and its QR code.
import { read } from "./address.js";
import { by } from "./elements.js";
import { drawQr, qr } from "./qr.js";
import { endInWords, isLoopback, may } from "./rights.js";
import { keyOfRoom } from "./keys.js";
import { ask, linkOf } from "./room-api.js";

/** A link holds for so long. */
const HOLDS = "1d";

export class Invite {
  #dialog = /** @type {HTMLDialogElement} */ (by("invite"));
  #url = /** @type {HTMLInputElement} */ (by("invite-url"));
  #code = /** @type {HTMLCanvasElement} */ (by("invite-qr"));
  #access;
  #room = "";

  /** @param {import("./access.js").Access} access */
  constructor(access) {
    this.#access = access;
    by("invite-copy").onclick = () => void this.#copy();
    const send = by("invite-send");
    send.hidden = typeof navigator.share !== "function";
    send.onclick = () => void navigator.share({ title: document.title, url: this.#url.value }).catch(() => {});
  }

  /** @param {string} room @param {string} title */
  async open(room, title) {
    if (this.#dialog.open) return;
    this.#room = room;
    by("invite-title").textContent = `Invite to ${title}`;
    const { rights } = this.#access;
    const scope = `${room}/*`;
    const key = keyOfRoom(room);
    const page = linkOf(room, { key });
    if (!rights?.asks) this.#show(page, "Whoever has this address can come in: this hub asks nobody.");
    else if (!may(rights, "operate", scope)) this.#show(page, "This hub asks whoever opens it for a link or a secret.");
    else {
      this.#show("", "");
      await this.#make(page, key, scope, may(rights, "publish", scope));
    }
    this.#dialog.showModal();
  }

  /** @param {string} page @param {string} key @param {string} scope @param {boolean} publishes */
  async #make(page, key, scope, publishes) {
    const query = new URLSearchParams({ view: scope, for: HOLDS, ...(publishes ? { publish: scope } : {}) });
    const answer = await ask(`api/links?${query}`, { method: "POST" });
    if (!answer.ok) return this.#show(page, answer.why);
    const { url = "", ends = null } = Object(answer.told);
    const { token } = read(String(url).slice(String(url).indexOf("#")));
    if (!token) return this.#show(page, "The hub made no link.");
    const others = publishes ? "" : " Others do not see who comes by it: you may not let others publish.";
    this.#show(linkOf(this.#room, { token, key }), `Whoever has this link can come in. ${endInWords(ends, Date.now())}${others}`);
  }

  /** @param {string} url @param {string} words */
  #show(url, words) {
    this.#url.value = url;
    const local = isLoopback(location.hostname) ? " It is known on this machine alone." : "";
    by("invite-words").textContent = words && words + local;
    const modules = url ? qr(url) : null;
    this.#code.hidden = !modules;
    if (modules) drawQr(this.#code, modules);
    this.#code.setAttribute("aria-label", `The address of room ${this.#room} as a QR code`);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#url.value);
    } catch {
      this.#url.select();
      document.execCommand("copy");
    }
    by("invite-copy").textContent = "Copied";
    setTimeout(() => (by("invite-copy").textContent = "Copy"), 1500);
  }
}
