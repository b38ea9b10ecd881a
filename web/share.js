// @ts-check
// Making a link for somebody else.
import { fragmentOf, read } from "./address.js";
import { addresses } from "./details.js";
import { by } from "./elements.js";
import { keyOf } from "./keys.js";
import { plain } from "./packet.js";
import { endInWords, isLoopback, mayShare } from "./rights.js";
import { refusal } from "./words.js";

/** The address of this page without its fragment. */
const page = () => new URL(".", location.href).href;

/** @param {string} scope  `ROOM/*` or `ROOM/NAME` */
function inWords(scope) {
  const [room, name] = scope.split("/");
  return name === "*" ? `Room ${plain(room)}, all streams` : plain(scope);
}

export class Share {
  #dialog = /** @type {HTMLDialogElement} */ (by("share"));
  #form = /** @type {HTMLFormElement} */ (by("share-form"));
  #what = /** @type {HTMLSelectElement} */ (by("share-what"));
  #for = /** @type {HTMLSelectElement} */ (by("share-for"));
  #once = /** @type {HTMLInputElement} */ (by("share-once"));
  #withKey = /** @type {HTMLInputElement} */ (by("share-key"));
  #make = /** @type {HTMLButtonElement} */ (by("share-make"));
  #url = /** @type {HTMLInputElement} */ (by("share-url"));
  #join = /** @type {HTMLInputElement} */ (by("share-join"));
  #qr = /** @type {HTMLImageElement} */ (by("share-qr"));
  /** @type {NodeListOf<HTMLElement>} */
  #buttons = document.querySelectorAll("button.share");
  #access;
  #scopes;

  /**
   * @param {import("./access.js").Access} access
   * @param {() => string[]} scopes  what there is to share: `ROOM/NAME` or `ROOM/*`
   */
  constructor(access, scopes) {
    this.#access = access;
    this.#scopes = scopes;
    for (const button of this.#buttons) button.onclick = () => this.open();
    this.#what.onchange = () => this.#offer();
    by("share-again").onclick = () => this.#begin();
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      void this.#submit();
    };
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-copies]"))) {
      button.onclick = () => void copy(button);
    }
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Those that may be shared. */
  get #shareable() {
    const { rights } = this.#access;
    return rights ? this.#scopes().filter((scope) => mayShare(rights, scope)) : [];
  }

  /** The button is there where there is something to share. */
  update() {
    const isNothing = this.#shareable.length === 0;
    for (const button of this.#buttons) button.hidden = isNothing;
  }

  open() {
    const scopes = this.#shareable;
    if (!scopes.length || this.isOpen) return;
    this.#what.replaceChildren(...scopes.map((scope) => new Option(inWords(scope), scope)));
    this.#begin();
    this.#dialog.showModal();
  }

  #begin() {
    by("share-made").hidden = true;
    this.#form.hidden = false;
    this.#withKey.checked = this.#once.checked = false;
    this.#offer();
  }

  get #key() {
    const [room, name] = this.#what.value.split("/");
    return keyOf(room, name);
  }

  /** Asks for what there is to choose. */
  #offer() {
    const asks = this.#access.rights?.asks === true;
    by("share-why").textContent = "";
    by("share-keyed").hidden = !this.#key;
    if (!this.#key) this.#withKey.checked = false;
    for (const one of /** @type {NodeListOf<HTMLElement>} */ (this.#form.querySelectorAll(".asked"))) one.hidden = !asks;
    this.#make.textContent = asks ? "Make the link" : "Show the address";
    const isChoice = asks || this.#key !== "" || this.#what.options.length > 1;
    by("share-again").hidden = !isChoice;
    if (!isChoice) this.#address();
  }

  async #submit() {
    if (!this.#access.rights?.asks) return this.#address();
    if (this.#make.disabled) return;
    this.#make.disabled = true;
    const query = new URLSearchParams({ view: this.#what.value, for: this.#for.value });
    if (this.#once.checked) query.set("once", "1");
    const answer = await fetch(`api/links?${query}`, { method: "POST", cache: "no-store" }).catch(() => null);
    const told = answer?.ok ? await answer.json().catch(() => null) : null;
    const why = answer && !answer.ok ? await refusal(answer) : "The hub does not answer. Try again.";
    this.#make.disabled = false;
    if (!told) return void (by("share-why").textContent = why);
    this.#made(told);
  }

  /** Of a hub that asks nobody the address is enough. */
  #address() {
    const [room, name] = this.#what.value.split("/");
    const url = `${page()}${name === "*" ? "#/" : fragmentOf(room, name)}`;
    this.#show(url, "");
    by("share-ends").textContent = "This hub asks nobody for a link: its address is enough.";
    this.#hint();
  }

  /** @param {{url: string, join: string, ends: number | null, once: boolean, qr: string | null}} made */
  #made({ url, join, ends, once, qr }) {
    // The hub may stand under a path that only this browser knows.
    const here = (/** @type {string} */ link) => page() + link.slice(link.indexOf("#"));
    const ours = here(url);
    this.#show(ours, join.startsWith("https:") ? here(join) : join);
    by("share-ends").textContent = `${endInWords(ends, Date.now())}${once ? " It is for the first who opens it." : ""}`;
    if (qr && ours === url && !this.#withKey.checked) {
      this.#qr.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(qr)}`;
      this.#qr.hidden = false;
    }
    this.#hint();
  }

  /** @param {string} url @param {string} join */
  #show(url, join) {
    const key = this.#withKey.checked && this.#key ? `&key=${encodeURIComponent(this.#key)}` : "";
    this.#url.value = url + key;
    this.#join.value = join && `streamflow-view --join '${join}${key}'`;
    by("share-program").hidden = !join;
    // What is sealed is seen by nobody who has no key, and a room is no stream.
    const [room, name] = this.#what.value.split("/");
    const { token } = read(url.slice(url.indexOf("#")));
    const isStream = name !== "*" && !this.#key;
    by("share-player").hidden = !isStream;
    const stream = isStream ? addresses(page(), room, name).stream : "";
    /** @type {HTMLInputElement} */ (by("share-stream")).value = stream && token ? `${stream}?token=${encodeURIComponent(token)}` : stream;
    this.#qr.hidden = true;
    this.#qr.removeAttribute("src");
    this.#form.hidden = true;
    by("share-made").hidden = false;
  }

  #hint() {
    const hints = [
      isLoopback(location.hostname) && "This address is known on this machine alone.",
      this.#withKey.checked && "The key is in it: send it only by a way that you trust. There is no QR code of it.",
      !this.#withKey.checked && this.#key && "The key is not in it: whoever opens it is asked for it.",
    ];
    by("share-hint").textContent = hints.filter(Boolean).join(" ");
  }
}

/** Copies what a field has, also where the page may not reach the clipboard. @param {HTMLElement} button */
async function copy(button) {
  const field = /** @type {HTMLInputElement} */ (by(button.dataset.copies ?? ""));
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    field.select();
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}
