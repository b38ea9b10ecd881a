// @ts-check
// Where the age of a picture was spent, in parts that add up to it as they are shown.

/** What the spans of a picture are called, and what is meant. @type {Record<string, [name: string, meaning: string]>} */
export const SPANS = {
  capture: ["camera", "until the camera's program had the picture"],
  encode: ["compress", "made small for its way"],
  uplink: ["to hub", "from the camera's program to the hub"],
  hub: ["in hub", "waited in the hub"],
  downlink: ["to page", "from the hub to this page"],
  decode: ["draw", "unpacked and drawn here"],
  smooth: ["held back", "waited here on purpose, for even motion"],
  screen: ["on screen", "how old it gets on the screen before the next one comes"],
};

/** Ages from which on what a part of them was means nothing, in milliseconds. */
const TOO_OLD = 120_000;

/**
 * Numbers as near to the given ones as can be that are whole multiples of a unit and add up to a sum that is one, too.
 * @param {number[]} parts
 * @param {number} sum
 */
function rounded(parts, sum) {
  const all = parts.reduce((total, part) => total + part, 0);
  if (all <= 0) return parts.map(() => 0);
  const exact = parts.map((part) => (part * sum) / all);
  const made = exact.map(Math.floor);
  const order = exact.map((value, at) => ({ at, rest: value - made[at] })).sort((a, b) => b.rest - a.rest);
  const left = Math.round(sum - made.reduce((total, part) => total + part, 0));
  for (const { at } of order.slice(0, left)) made[at]++;
  return made;
}

/**
 * The parts of an age as they are shown, in the unit and with the digits of the age. What it is older than pictures are
 * when they come here, it has become on the screen. Empty where nobody knows.
 * @param {[string, number | null][]} spans  medians, in milliseconds
 * @param {number | null} arrived  how old pictures are when they come on the screen
 * @param {number | null} age  that is shown
 * @returns {{span: string, share: number, text: string}[]}
 */
export function parts(spans, arrived, age) {
  const known = spans.filter(([, ms]) => ms !== null);
  if (arrived === null || age === null || age >= TOO_OLD || !known.length) return [];
  const [unit, digits, scale] = age < 999.5 ? [0.1, 1, 0.1] : age < 10_000 ? [10, 2, 0.01] : [100, 1, 0.1];
  const whole = Math.round(age / unit);
  const stays = age > arrived ? Math.min(whole, Math.round((age - arrived) / unit)) : 0;
  const made = rounded(known.map(([, ms]) => Math.max(0, ms ?? 0)), whole - stays);
  return [...known.map(([span], at) => /** @type {[string, number]} */ ([span, made[at]])), /** @type {[string, number]} */ (["screen", stays])]
    .map(([span, part]) => ({ span, share: whole ? part / whole : 0, text: (part * scale).toFixed(digits) }));
}
