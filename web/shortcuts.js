// @ts-check
// The keys of the page: what they do, and what the help says of them. There is no other list.

/**
 * @typedef {"rotate" | "mirror" | "save" | "statistics" | "fullscreen" | "controls" | "details" | "share" | "help" | "previous"
 *   | "next" | "back" | "open"} Action
 * @typedef {"stage" | "wall"} Where  one stream, or all of them
 * @typedef {object} Shortcut
 * @property {string[]} keys  as events name them, letters small
 * @property {string[]} shown  on the keys of the help
 * @property {Action} action
 * @property {Partial<Record<Where, string>>} does  in words; what is not there is not done there
 */

/** Shift with R, and A, are kept for recording and for sound. @type {Shortcut[]} */
export const SHORTCUTS = [
  { keys: ["arrowleft"], shown: ["←"], action: "previous", does: { stage: "Previous stream", wall: "Previous tile" } },
  { keys: ["arrowright"], shown: ["→"], action: "next", does: { stage: "Next stream", wall: "Next tile" } },
  { keys: ["q", "escape"], shown: ["Q", "Esc"], action: "back", does: { stage: "All streams" } },
  { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], shown: ["1 … 9"], action: "open", does: { wall: "Open a stream" } },
  { keys: ["s"], shown: ["S"], action: "save", does: { stage: "Save the picture, as the camera made it", wall: "Save a picture of the whole wall" } },
  { keys: ["r"], shown: ["R"], action: "rotate", does: { stage: "Rotate the view by a quarter" } },
  { keys: ["m"], shown: ["M"], action: "mirror", does: { stage: "Mirror the view" } },
  { keys: ["t"], shown: ["T"], action: "statistics", does: { stage: "Statistics" } },
  { keys: ["c"], shown: ["C"], action: "controls", does: { stage: "Camera controls" } },
  { keys: ["i"], shown: ["I"], action: "details", does: { stage: "Links to copy, and who watches" } },
  { keys: ["l"], shown: ["L"], action: "share", does: { stage: "Share", wall: "Share" } },
  { keys: ["f"], shown: ["F"], action: "fullscreen", does: { stage: "Full screen", wall: "Full screen" } },
  { keys: ["h", "?"], shown: ["H", "?"], action: "help", does: { stage: "Help", wall: "Help" } },
];

/**
 * What a key does; null where it does nothing. Only `?` may need Shift.
 * @param {{key: string, shiftKey: boolean, ctrlKey: boolean, altKey: boolean, metaKey: boolean}} event
 * @param {Where} where
 * @returns {Action | null}
 */
export function actionOf({ key, shiftKey, ctrlKey, altKey, metaKey }, where) {
  if (ctrlKey || altKey || metaKey || (shiftKey && key !== "?")) return null;
  const small = key.toLowerCase();
  return SHORTCUTS.find(({ keys, does }) => keys.includes(small) && does[where])?.action ?? null;
}

/** The key of an action, for titles of buttons. @param {Action} action */
export const keyFor = (action) => SHORTCUTS.find((one) => one.action === action)?.shown[0] ?? "";
