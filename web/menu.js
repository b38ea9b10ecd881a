// @ts-check
// What else can be done with a stream, with its keys: for those that have no place of their own beside the picture.
import { add, by, icon } from "./elements.js";
import { SHORTCUTS } from "./shortcuts.js";

/** @typedef {import("./shortcuts.js").Action} Action */

/** The entries in their order, with their icons. @type {[Action, string][]} */
const ENTRIES = [
  ["controls", "M4 7h8M18 7h2M15 4.5v5M4 17h2M12 17h8M9 14.5v5"],
  ["rotate", "M20 4v5h-5M19.6 9A8 8 0 1020 13"],
  ["mirror", "M12 3v18M8.5 7L3.5 17h5zM15.5 7l5 10h-5z"],
  ["details", "M10 14a4 4 0 006 0l3-3a4 4 0 00-6-6l-1 1M14 10a4 4 0 00-6 0l-3 3a4 4 0 006 6l1-1"],
  ["help", "M9 9a3 3 0 114.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5h.01"],
];

export class Menu {
  #element = by("menu");
  #button = by("more");
  #may;
  /** @type {Map<Action, HTMLElement>} */
  #entries = new Map();

  /** @param {(action: Action) => void} act @param {(action: Action) => boolean} may */
  constructor(act, may) {
    this.#may = may;
    icon(this.#button, "M5 12h.01M12 12h.01M19 12h.01");
    this.#button.onclick = () => (this.isOpen ? this.close() : this.#open());
    for (const [action, drawing] of ENTRIES) {
      const told = SHORTCUTS.find((one) => one.action === action);
      const entry = add(this.#element, "button", "");
      entry.type = "button";
      entry.dataset.action = action;
      icon(add(entry, "i", ""), drawing);
      add(entry, "span", "", told?.does.stage ?? "");
      add(entry, "kbd", "", told?.shown[0] ?? "");
      entry.onclick = () => {
        // Whoever turns a picture may want to turn it again.
        if (action !== "rotate" && action !== "mirror") this.close();
        act(action);
      };
      this.#entries.set(action, entry);
    }
    addEventListener("pointerdown", ({ target }) => {
      if (!(target instanceof Node) || this.#element.contains(target) || this.#button.contains(target)) return;
      this.close();
    });
  }

  get isOpen() {
    return !this.#element.hidden;
  }

  #open() {
    for (const [action, entry] of this.#entries) entry.hidden = !this.#may(action);
    this.#element.hidden = false;
    this.#button.setAttribute("aria-expanded", "true");
  }

  close() {
    this.#element.hidden = true;
    this.#button.setAttribute("aria-expanded", "false");
  }
}
