// What the page shows, and what is painted into the picture that it shows, 20 times a second, as JSON lines until it is
// stopped: node truth.js URL. Times are milliseconds of the monotonic clock, as the test pattern's stamp is.
import { setTimeout as sleep } from "node:timers/promises";
import { Browser } from "./devtools.js";
import { offset, teach } from "./stamp.js";

/** Runs in the page: the picture's stamp, and the age that is there to be read. */
function look(offset) {
  const read = globalThis.stamp?.();
  const at = performance.timeOrigin + performance.now() - offset;
  const report = globalThis.streamflow?.report;
  const chip = document.getElementById("state").textContent;
  const [, number, unit] = /([0-9.]+) (ms|s|min)/.exec(chip.replace(/±.*/, "")) ?? [];
  const scale = { ms: 1, s: 1000, min: 60_000 }[unit];
  // What is rounded to its digits may be half of the last one more.
  const shown = number ? (Number(number) + 10 ** -(number.split(".")[1]?.length ?? 0)) * scale : null;
  return { at, stamp: read ? at - read.age : null, chip, shown, state: report?.state ?? null, detail: report?.detail ?? "" };
}

const browser = new Browser(process.env.CHROMIUM ?? "/usr/bin/chromium");
process.on("SIGTERM", () => void browser.close().finally(() => process.exit(0)));
const tab = await browser.open(process.argv[2], await browser.person());
await sleep(1000);
await tab.run(teach, offset);
for (;;) {
  console.log(JSON.stringify(await tab.run(look, offset)));
  await sleep(50);
}
