// One tab hidden for some minutes and shown again, beside one that stays in sight. Prints what came of it and exits with 1
// where that is not what a user may rely on: node hidden-tab.js http://HUB:PORT/ MINUTES
// It needs two streams of the test pattern: main/hidden and main/seen.
import { setTimeout as sleep } from "node:timers/promises";
import { Browser } from "./devtools.js";
import { offset, teach } from "./stamp.js";

const [address, minutes] = [process.argv[2], Number(process.argv[3] ?? 10)];
const MB = 1e6;
const failures = [];

function expect(what, is) {
  if (!is) failures.push(what);
}

async function until(what, is) {
  for (const end = Date.now() + 30_000; !(await is()); await sleep(100)) {
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
  }
}

async function stream(name) {
  const { streams } = await (await fetch(`${address}api/streams`)).json();
  const { viewers, sent } = streams.find((s) => s.name === name);
  return { viewers, sent };
}

/** In the page: notes how long it takes from being shown to a picture that it did not have before. */
function watchForReturn() {
  globalThis.back = new Promise((resolve) => {
    document.addEventListener("visibilitychange", function shown() {
      if (document.visibilityState !== "visible") return;
      document.removeEventListener("visibilitychange", shown);
      const start = performance.now();
      const before = globalThis.stamp()?.number;
      const look = () => {
        const read = globalThis.stamp();
        if (read && read.number !== before) resolve({ after: performance.now() - start, age: read.age });
        else setTimeout(look, 0);
      };
      look();
    });
  });
}

function line(what, heap, all) {
  const [objects, buffers] = [heap.objects, heap.buffers].map((n) => (n / MB).toFixed(2));
  console.log(`${what}: heap ${objects} MB, buffers ${buffers} MB${all ? `; browser ${(all / MB).toFixed(0)} MB` : ""}`);
}

const browser = new Browser(process.env.CHROMIUM ?? "/usr/bin/chromium");
try {
  const [one, other] = [await browser.person(), await browser.person()];
  const hidden = await browser.open(`${address}#/main/hidden`, one);
  const seen = await browser.open(`${address}#/main/seen`, other);
  for (const tab of [hidden, seen]) {
    await until("pictures", () => tab.run("globalThis.streamflow?.report?.fps > 5"));
    await tab.run(teach, offset);
  }
  await sleep(15_000);
  const before = await hidden.heap();
  line("before", before, await browser.memory());
  await hidden.run(watchForReturn);
  await browser.open("about:blank", one);
  await until("the tab is hidden", () => hidden.run("document.visibilityState === 'hidden'"));
  await until("nobody watches it", async () => (await stream("hidden")).viewers === 0);
  const stopped = await stream("hidden");
  const heaps = [];
  for (let second = 0; second < minutes * 60; second += 30) {
    await sleep(Math.min(30, minutes * 60 - second) * 1000);
    const now = await stream("hidden");
    expect("nobody watches a hidden tab's stream", now.viewers === 0 && now.sent === stopped.sent);
    const heap = await seen.heap();
    heaps.push(heap.objects + heap.buffers);
    line(`${second + 30} s, the tab in sight`, heap, await browser.memory());
    expect("the tab in sight goes on", (await seen.run("globalThis.streamflow.report.fps")) > 5);
  }
  expect("the tab is still hidden", await hidden.run("document.visibilityState === 'hidden'"));
  line("hidden", await hidden.heap());
  await hidden.front();
  const back = await hidden.run("globalThis.back");
  console.log(`shown again: a new picture after ${back.after.toFixed(0)} ms, ${back.age.toFixed(0)} ms old then`);
  await sleep(15_000);
  const after = await hidden.heap();
  line("after", after, await browser.memory());
  expect("the stream goes on", (await stream("hidden")).sent > stopped.sent);
  const grown = after.objects + after.buffers - before.objects - before.buffers;
  const third = Math.max(1, Math.floor(heaps.length / 3));
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const drift = mean(heaps.slice(-third)) - mean(heaps.slice(0, third));
  console.log(`heap of the hidden tab ${(grown / MB).toFixed(2)} MB more than before; of the one in sight, last third `
    + `against first ${(drift / MB).toFixed(2)} MB`);
  expect("a new picture within 200 ms", back.after < 200 && back.age < 200);
  expect("the hidden tab's heap is as before", grown < MB);
  expect("the heap of the tab in sight is flat", drift < MB);
} finally {
  await browser.close();
}
for (const failure of new Set(failures)) console.log(`NOT SO: ${failure}`);
process.exitCode = failures.length ? 1 : 0;
