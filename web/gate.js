// @ts-check
// The form that asks for a link or a secret, where the hub wants one.
import { pasted } from "./address.js";
import { by } from "./elements.js";
import { plain } from "./packet.js";

export class Gate {
  #element = by("gate");
  #text = /** @type {HTMLInputElement} */ (by("gate-text"));
  #go = /** @type {HTMLButtonElement} */ (by("gate-go"));
  #show = by("gate-show");
  /** A link to another address that was typed once: typed again it is meant. */
  #doubted = "";
  #enter;

  /**
   * @param {(said: ReturnType<typeof import("./address.js").pasted>) => Promise<string>} enter  shows it to the hub, and gives why it is not
   *   taken, or nothing
   * @param {() => void} leave  goes to what may be watched without
   */
  constructor(enter, leave) {
    this.#enter = enter;
    /** @type {HTMLFormElement} */ (by("gate-form")).onsubmit = (event) => {
      event.preventDefault();
      void this.#submit();
    };
    by("gate-else").onclick = leave;
    this.#show.onclick = () => this.#reveal(this.#text.type === "password");
  }

  get isOpen() {
    return !this.#element.hidden;
  }

  /**
   * Asks, instead of all else that the page shows.
   * @param {string} why
   * @param {boolean} hasElse  whether there is something that may be watched
   */
  ask(why, hasElse) {
    by("gate-why").textContent = why;
    by("gate-else").hidden = !hasElse;
    if (this.isOpen) return;
    this.#element.hidden = false;
    document.body.classList.add("gated");
    // On a phone the keyboard would hide what is said.
    if (matchMedia("(hover: hover)").matches) this.#text.focus();
  }

  close() {
    this.#element.hidden = true;
    document.body.classList.remove("gated");
    this.#text.value = this.#doubted = "";
    this.#reveal(false);
  }

  /** @param {boolean} shown */
  #reveal(shown) {
    this.#text.type = shown ? "text" : "password";
    this.#show.textContent = shown ? "Hide" : "Show";
    this.#show.setAttribute("aria-pressed", String(shown));
  }

  async #submit() {
    const text = this.#text.value.trim();
    if (!text || this.#go.disabled) return;
    const said = pasted(text);
    const why = this.#doubt(text, said);
    if (why) return void (by("gate-why").textContent = why);
    this.#go.disabled = true;
    by("gate-why").textContent = "";
    const refused = await this.#enter(said);
    this.#go.disabled = false;
    if (refused) {
      by("gate-why").textContent = refused;
      this.#text.select();
    }
  }

  /** Why a link is not shown to this hub. @param {string} text @param {ReturnType<typeof pasted>} said */
  #doubt(text, said) {
    if (!said.token) return "This link lets nobody in: it has no token.";
    if (!said.isLink || said.host === location.host.toLowerCase() || this.#doubted === text) return "";
    this.#doubted = text;
    return `This link is for ${plain(said.host)}, and this page is of ${location.host}. Press Continue again if both are the same hub.`;
  }
}
