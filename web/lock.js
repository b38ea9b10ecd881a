// @ts-check
// How the way to the hub is protected, and what may be done there: a small word, and more of it on a click.
import { by, icon } from "./elements.js";
import { endInWords, endToEndInWords, permissionsInWords, wayInWords } from "./rights.js";

const CLOSED = "M7 11V8a5 5 0 0110 0v3M5 11h14v10H5z";
const OPEN = "M7 11V8a5 5 0 019.6-2M5 11h14v10H5z";

/** @typedef {{sealed: boolean, locked: boolean, size: string} | null} Shown */

export class Lock {
  #dialog = /** @type {HTMLDialogElement} */ (by("rights"));
  /** @type {NodeListOf<HTMLButtonElement>} */
  #buttons = document.querySelectorAll("button.lock");
  #access;
  #shown;
  #label = "";

  /**
   * @param {import("./access.js").Access} access
   * @param {object} may
   * @param {() => Shown} may.shown  what is known of the stream that is watched, if one is
   * @param {() => void} may.forget
   * @param {() => void} may.another  asks for another link
   */
  constructor(access, { shown, forget, another }) {
    this.#access = access;
    this.#shown = shown;
    for (const button of this.#buttons) button.onclick = () => this.#open();
    const closing = (/** @type {() => void} */ act) => () => {
      this.#dialog.close();
      act();
    };
    by("forget").onclick = closing(forget);
    by("another").onclick = closing(another);
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Says what is known now. */
  update() {
    const rights = this.#access.rights;
    if (!rights) return;
    const way = wayInWords(rights.encrypted, location);
    const sealed = this.#shown()?.sealed === true;
    const label = sealed ? "End to end" : way.label;
    if (label === this.#label) return;
    this.#label = label;
    for (const button of this.#buttons) {
      const [drawing, words] = [document.createElement("i"), document.createElement("span")];
      icon(drawing, way.kind === "clear" && !sealed ? OPEN : CLOSED);
      words.textContent = label;
      button.replaceChildren(drawing, words);
      button.dataset.kind = sealed ? "sealed" : way.kind;
      button.setAttribute("aria-label", `${label}: what this means, and what you may do here`);
      button.title = label;
      button.hidden = false;
    }
  }

  #open() {
    this.#fill();
    this.#dialog.showModal();
    // Meanwhile it may have changed.
    void this.#access.look().then(() => this.#fill());
  }

  #fill() {
    const rights = this.#access.rights;
    if (!rights) return;
    const way = wayInWords(rights.encrypted, location);
    by("rights-title").textContent = way.label;
    by("rights-way").textContent = way.words;
    by("rights-sealed").textContent = endToEndInWords(this.#shown());
    const lines = rights.asks ? permissionsInWords(rights.permissions) : ["Everything: this hub asks nobody"];
    by("rights-list").replaceChildren(...(lines.length ? lines : ["Nothing without a link or a secret"]).map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
    const isHeld = rights.asks && rights.permissions.length > 0;
    by("rights-ends").textContent = isHeld ? endInWords(rights.ends, Date.now()) : "";
    by("forget").hidden = !rights.asks || !this.#access.holds;
    by("another").hidden = !rights.asks;
  }
}
