// Five people in one room, with camera and microphone, for an hour: each gets pictures and sound of the four others in every second,
// nobody's connection ends, and neither the hub nor a page grows.
//
//     node web/browser/endurance.js [MINUTES]        60 unless said; make endurance
//
// A line every ten seconds, and at the end the figures. Ends with 1 where one of these does not hold.
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { answers, launch, start, stopAll, until } from "./programs.js";

const MINUTES = Number(process.argv[2] ?? 60);
const NAMES = ["Ann", "Bo", "Cy", "Di", "Ed"];
const PORT = 28_417;
const ADDRESS = `http://127.0.0.1:${PORT}/`;
/** The first seconds are for everybody to come in, and for the encoders to find what the machine can do. */
const SETTLES = 20;
/** Memory may be so much more at the end than at the beginning: a part of it, and bytes. */
const GROWS = { hub: [1.05, 2e6], heap: [1.1, 2e6], all: [1.1, 40e6] };

const memoryOf = (pid) => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
/** Of a process and of all that it started: processor time in seconds, and bytes of memory. */
function spentBy(pid) {
  const all = new Map(readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const fields = readFileSync(`/proc/${name}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
      return [[Number(name), { parent: Number(fields[1]), cpu: (Number(fields[11]) + Number(fields[12])) / 100, memory: 4096 * Number(fields[21]) }]];
    } catch {
      return [];
    }
  }));
  const sum = (/** @type {number} */ of, /** @type {"cpu" | "memory"} */ what) =>
    (all.get(of)?.[what] ?? 0) + [...all].filter(([, { parent }]) => parent === of).reduce((total, [child]) => total + sum(child, what), 0);
  return { cpu: sum(pid, "cpu"), memory: sum(pid, "memory") };
}
const middle = (values) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
const mega = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

const hub = start("streamflow-hub", "--port", String(PORT), "--quiet");
await answers(ADDRESS);
const browser = await launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
const people = [];
for (const name of NAMES) {
  const page = await (await browser.newContext({ viewport: { width: 1000, height: 640 } })).newPage();
  await page.goto(`${ADDRESS}rooms/endurance`);
  await page.fill("#ready-name", name);
  await page.selectOption("#ready-size", "small");
  await until("the camera is there", () => page.locator("#ready-video").evaluate((video) => video.videoWidth > 0));
  await page.click("#ready-go");
  await page.locator(`.person[data-name="${name}"]`).waitFor();
  await page.keyboard.press("t");
  const devtools = await page.context().newCDPSession(page);
  people.push({ name, page, devtools, closes: 0, heap: [], silent: { pictures: 0, sound: 0 }, fps: [], ages: [], sounds: [] });
}
for (const one of people) {
  one.page.on("crash", () => one.closes++);
  // It is shown while there is no connection, however short that is.
  await one.page.evaluate(() => {
    const note = document.getElementById("room-note");
    new MutationObserver(() => (globalThis.broken = (globalThis.broken ?? 0) + Number(!note.hidden))).observe(note, { attributeFilter: ["hidden"] });
  });
}
await sleep(1000 * SETTLES);

/** What a page shows of the four others. */
const look = () => [...document.querySelectorAll(".person:not(.mine)")].map((person) => ({
  name: person.dataset.name, numbers: person.querySelector(".numbers").textContent, why: person.querySelector(".why").textContent,
}));
const [memory, all] = [[], []];
const [begun, spent] = [Date.now(), { hub: spentBy(hub.pid).cpu, all: spentBy(process.pid).cpu }];
let looked = 0;
for (let second = 1; second <= MINUTES * 60; second++) {
  await sleep(Math.max(0, begun + 1000 * second - Date.now()));
  looked++;
  memory.push(memoryOf(hub.pid));
  // Workers have heaps of their own: the memory of all processes of the browser tells of them.
  if (second % 10 === 0) all.push(spentBy(process.pid).memory);
  for (const one of people) {
    const seen = await one.page.evaluate(look);
    one.closes += await one.page.evaluate(() => {
      const times = globalThis.broken ?? 0;
      globalThis.broken = 0;
      return times;
    });
    if (seen.length !== NAMES.length - 1) one.closes++;
    for (const { numbers } of seen) {
      const [, age, unit] = /([\d.]+) (ms|s) ·/.exec(numbers) ?? [];
      const fps = Number(/(\d+) fps/.exec(numbers)?.[1] ?? 0);
      const sound = Number(/sound (?:≈ )?(\d+) ms/.exec(numbers)?.[1] ?? NaN);
      if (!fps) one.silent.pictures++;
      if (!(Number(/(\d+) kbit\/s/.exec(numbers)?.[1]) > 0)) one.silent.sound++;
      one.fps.push(fps);
      if (age) one.ages.push(Number(age) * (unit === "s" ? 1000 : 1));
      if (sound) one.sounds.push(sound);
    }
    if (second % 30 === 0 || second === 1) {
      await one.devtools.send("HeapProfiler.collectGarbage");
      const { metrics } = await one.devtools.send("Performance.enable").then(() => one.devtools.send("Performance.getMetrics"));
      one.heap.push(metrics.find(({ name }) => name === "JSHeapUsedSize").value);
    }
  }
  if (second % 10 === 0) {
    const all = (what) => middle(people.flatMap((one) => one[what].slice(-40)));
    console.log(`${second} s: ${all("fps")} fps, age ${all("ages")} ms, sound ${all("sounds")} ms, hub ${mega(memory.at(-1))}, heap ${mega(middle(people.map(({ heap }) => heap.at(-1))))}, ` +
      `${people.reduce((sum, { closes }) => sum + closes, 0)} closes, without pictures ${people.reduce((sum, { silent }) => sum + silent.pictures, 0)}, without sound ${people.reduce((sum, { silent }) => sum + silent.sound, 0)}`);
  }
}
const seconds = (Date.now() - begun) / 1000;
const cores = (pid, before) => ((spentBy(pid).cpu - before) / seconds).toFixed(2);
const faults = [];
/** The first fifth and the last. */
const flat = (what, values, [part, bytes]) => {
  const fifth = Math.max(1, Math.floor(values.length / 5));
  const [first, last] = [middle(values.slice(0, fifth)), middle(values.slice(-fifth))];
  if (last > first * part && last - first > bytes) faults.push(`${what} grew from ${mega(first)} to ${mega(last)}`);
  return `${mega(first)} to ${mega(last)}`;
};
console.log(`${NAMES.length} people, ${looked} seconds: the hub ${flat("the hub's memory", memory, GROWS.hub)}, ${cores(hub.pid, spent.hub)} of a core; hub, browser and this program ${flat("the memory of all", all, GROWS.all)}, ${cores(process.pid, spent.all)} cores`);
for (const { name, closes, heap, silent, fps, ages, sounds } of people) {
  console.log(`${name}: ${middle(fps)} fps, pictures ${middle(ages)} ms old, sound ${middle(sounds)} ms; heap ${flat(`the heap of ${name}`, heap, GROWS.heap)}`);
  if (closes) faults.push(`${name} was not in the room with all others ${closes} times`);
  for (const [what, times] of Object.entries(silent)) if (times) faults.push(`${name} had no ${what} of somebody in ${times} of ${looked * (NAMES.length - 1)} seconds`);
}
console.log(faults.length ? `endurance: ${faults.join("; ")}` : "endurance: ok");
await browser.close();
stopAll();
process.exit(faults.length ? 1 : 0);
