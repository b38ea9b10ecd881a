// @ts-check
// The help: the keys, out of the one table there is, and what the page's signs mean.
import { add, by } from "./elements.js";
import { SHORTCUTS } from "./shortcuts.js";

export class Help {
  #dialog = /** @type {HTMLDialogElement} */ (by("keys"));
  /** The lists of keys that the page has, and where these keys are. @type {[id: string, where: import("./shortcuts.js").Where][]} */
  #lists;

  /** @param {[id: string, where: import("./shortcuts.js").Where][]} [lists] */
  constructor(lists = [["wall-keys", "wall"], ["stage-keys", "stage"]]) {
    this.#lists = lists;
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("button.help"))) {
      button.onclick = () => this.toggle();
    }
  }

  get isOpen() {
    return this.#dialog.open;
  }

  toggle() {
    if (this.isOpen) return this.#dialog.close();
    for (const [id, where] of this.#lists) this.#fill(id, where);
    this.#dialog.showModal();
    this.#dialog.scrollTop = 0;
  }

  close() {
    this.#dialog.close();
  }

  /** @param {string} id @param {import("./shortcuts.js").Where} where */
  #fill(id, where) {
    const list = by(id);
    list.replaceChildren();
    for (const { shown, does } of SHORTCUTS) {
      const words = does[where];
      if (!words) continue;
      const line = add(list, "div", "");
      const keys = add(line, "dt", "");
      for (const key of shown) add(keys, "kbd", "", key);
      add(line, "dd", "", words);
    }
  }
}
