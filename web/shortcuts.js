// @ts-check
// The keys of the page: what they do, and what the help says of them. There is no other list.

/**
 * @typedef {"rotate" | "mirror" | "save" | "statistics" | "fullscreen" | "controls" | "details" | "share" | "help" | "previous"
 *   | "next" | "back" | "open" | "sound"} Action
 * @typedef {"video" | "present" | "chat" | "pip"} RoomAction  what is done in a room alone
 * @typedef {"stage" | "wall" | "room"} Where  one stream, all of them, or a room of people
 * @typedef {object} Shortcut
 * @property {string[]} keys  as events name them, letters small
 * @property {string[]} shown  on the keys of the help
 * @property {Action | RoomAction} action
 * @property {Partial<Record<Where, string>>} does  in words; what is not there is not done there
 */

/** Shift with R is kept for recording. @type {Shortcut[]} */
export const SHORTCUTS = [
  { keys: ["a"], shown: ["A"], action: "sound", does: { stage: "Sound, and silence again", room: "Mute, and not any more" } },
  { keys: ["v"], shown: ["V"], action: "video", does: { room: "Camera off, and on again" } },
  { keys: ["d"], shown: ["D"], action: "present", does: { room: "Show the screen, or end that" } },
  { keys: ["c"], shown: ["C"], action: "chat", does: { room: "Chat" } },
  { keys: ["p"], shown: ["P"], action: "pip", does: { room: "Picture in picture" } },
  { keys: ["arrowleft"], shown: ["←"], action: "previous", does: { stage: "Previous stream", wall: "Previous tile" } },
  { keys: ["arrowright"], shown: ["→"], action: "next", does: { stage: "Next stream", wall: "Next tile" } },
  { keys: ["q", "escape"], shown: ["Q", "Esc"], action: "back", does: { stage: "All streams", room: "Back: close the chat, everybody again" } },
  { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], shown: ["1 … 9"], action: "open", does: { wall: "Open a stream", room: "Show one person large" } },
  { keys: ["s"], shown: ["S"], action: "save", does: { stage: "Save the picture, as the camera made it", wall: "Save a picture of the whole wall", room: "Save a picture of the room" } },
  { keys: ["r"], shown: ["R"], action: "rotate", does: { stage: "Rotate the view by a quarter" } },
  { keys: ["m"], shown: ["M"], action: "mirror", does: { stage: "Mirror the view", room: "Mirror your own picture, here alone" } },
  { keys: ["t"], shown: ["T"], action: "statistics", does: { stage: "Statistics", room: "Statistics" } },
  { keys: ["c"], shown: ["C"], action: "controls", does: { stage: "Camera controls" } },
  { keys: ["i"], shown: ["I"], action: "details", does: { stage: "Links to copy, and who watches" } },
  { keys: ["l"], shown: ["L"], action: "share", does: { stage: "Share", wall: "Share", room: "Invite" } },
  { keys: ["f"], shown: ["F"], action: "fullscreen", does: { stage: "Full screen", wall: "Full screen", room: "Full screen" } },
  { keys: ["h", "?"], shown: ["H", "?"], action: "help", does: { stage: "Help", wall: "Help", room: "Help" } },
];

/**
 * What a key does; null where it does nothing. Only `?` may need Shift.
 * @param {{key: string, shiftKey: boolean, ctrlKey: boolean, altKey: boolean, metaKey: boolean}} event
 * @template {Where} W
 * @param {W} where
 * @returns {(W extends "room" ? Action | RoomAction : Action) | null}
 */
export function actionOf({ key, shiftKey, ctrlKey, altKey, metaKey }, where) {
  if (ctrlKey || altKey || metaKey || (shiftKey && key !== "?")) return null;
  const small = key.toLowerCase();
  return /** @type {any} */ (SHORTCUTS.find(({ keys, does }) => keys.includes(small) && does[where])?.action ?? null);
}

/** The key of an action, for titles of buttons. @param {Action | RoomAction} action */
export const keyFor = (action) => SHORTCUTS.find((one) => one.action === action)?.shown[0] ?? "";
