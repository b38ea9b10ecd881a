// @ts-check

/**
 * The element with this id, which the page has.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function by(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no element ${id}`);
  return element;
}

/**
 * Draws an icon of 24 by 24 into an element.
 * @param {HTMLElement} element
 * @param {string} path
 */
export function icon(element, path) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS(space, "path");
  drawn.setAttribute("d", path);
  svg.append(drawn);
  element.replaceChildren(svg);
}

/**
 * An element inside another, at its end.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {Element} parent
 * @param {T} tag
 * @param {string} className
 * @param {string} [text]
 */
export function add(parent, tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

/** Gives a file to whoever watches. @param {Blob} file @param {string} name */
export function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let toasting;

/** Says something for a moment. @param {string} text */
export function say(text) {
  const toast = by("toast");
  toast.textContent = text;
  toast.classList.add("shown");
  clearTimeout(toasting);
  toasting = setTimeout(() => toast.classList.remove("shown"), 2200);
}
