// The page's camera in a real Chromium, with the camera that it makes up, against real programs.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import net from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { Browser } from "../browser/devtools.js";
import { answers, ARGS, bin, start, stop, stopAll, until } from "../browser/programs.js";

const port = Number(process.env.STREAMFLOW_TEST_PORT ?? 18377) + 40;
const address = `http://127.0.0.1:${port}/`;
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FAKE = ["--use-fake-device-for-media-stream=fps=30", "--use-fake-ui-for-media-stream"];
let hub, browser;

async function startHub() {
  hub = start("streamflow-hub", "--port", String(port), "--quiet");
  await answers(address);
}

/** Runs in the page: publishes its camera as `name`. */
async function publish([name, url]) {
  const media = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, frameRate: 30 } });
  [globalThis.track] = media.getVideoTracks();
  const { CameraPublisher } = await import(new URL("./room-camera.js", location.href).href);
  globalThis.states = [];
  url ??= new URL("ws", location.href).href.replace(/^http/, "ws");
  globalThis.camera = new CameraPublisher({ url, room: "page", name, onState: (state) => globalThis.states.push(state) });
  globalThis.camera.setTrack(globalThis.track);
}

/** A page that publishes its camera; what is shown in it does not matter. */
async function publishing(name, { url = null, prepare = async () => {} } = {}) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await prepare(page);
  await page.goto(`${address}health`);
  await page.evaluate(publish, [name, url]);
  return { page, errors, state: () => page.evaluate(() => globalThis.states.at(-1)), stats: () => page.evaluate(() => globalThis.camera.stats()) };
}

/** A native viewer: what it says, once a second. */
function watch(name) {
  const child = spawn(`${bin}streamflow-view`, ["--headless", "--json", "--host", `127.0.0.1:${port}`, "--room", "page", "--name", name],
    { stdio: ["ignore", "pipe", "ignore"] });
  const viewer = { latest: {}, child, stop: () => stop(child) };
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece) => {
    const lines = (text + piece).split("\n");
    text = lines.pop();
    for (const line of lines) if (line.startsWith("{")) viewer.latest = JSON.parse(line);
  });
  return viewer;
}

before(async () => {
  assert.ok(bin, "build the programs first");
  await startHub();
  browser = await chromium.launch({ executablePath, args: [...ARGS, ...FAKE] });
});

after(async () => {
  await browser?.close();
  stopAll();
});

test("a native viewer sees the page's camera at its own rate, and nothing is encoded before or after", async () => {
  const { page, errors, state, stats } = await publishing("ann");
  await until("it is let in", async () => (await state())?.link === "connected");
  const [worker] = page.workers();
  await worker.evaluate(() => {
    const encode = OffscreenCanvas.prototype.convertToBlob;
    globalThis.encoded = 0;
    OffscreenCanvas.prototype.convertToBlob = function (...how) {
      globalThis.encoded++;
      return encode.apply(this, how);
    };
  });
  const encoded = () => worker.evaluate(() => globalThis.encoded);
  await sleep(1000);
  assert.equal(await encoded(), 0);
  const viewer = watch("ann");
  // A machine that is busy shows fewer and smaller ones for a while.
  await until("pictures as they are", () => {
    const { state, fps, size, quality } = viewer.latest;
    return state === "live" && fps > 5 && size === "640x480" && quality === 80;
  }, 60_000);
  const { broken, age_ms: age, asked } = viewer.latest;
  assert.ok(age.p50 > 0 && age.p50 < 1000, JSON.stringify(age));
  assert.deepEqual([asked.size, asked.quality, asked.fps, broken], ["640x480", 80, 30, 0]);
  const { asked: words, ...is } = await state();
  assert.deepEqual(is, { link: "connected", why: "", viewers: 1 });
  assert.match(words, /^as it is|kB$/);
  const { fps, width, kbytesPerSecond, encodeMs, viewers, sent } = await stats();
  assert.ok(fps > 0 && width > 0 && kbytesPerSecond > 0 && encodeMs > 0 && sent > 0 && viewers === 1, JSON.stringify(await stats()));
  await viewer.stop();
  await until("nobody watches", async () => (await state()).viewers === 0);
  // What was being encoded then.
  await sleep(1000);
  const before = await encoded();
  await sleep(1000);
  assert.equal(await encoded(), before);
  assert.deepEqual(errors, []);
  await page.close();
});

test("viewers are told when the video is switched off and when the camera is gone, and see it again when it is back", async () => {
  const { page } = await publishing("bob");
  const viewer = watch("bob");
  const detail = (words) => until(words, () => viewer.latest.state !== "live" && viewer.latest.detail.startsWith(words));
  await until("pictures", () => viewer.latest.state === "live" && viewer.latest.fps > 5);
  await page.evaluate(() => globalThis.camera.setTrack(null));
  await detail("video off");
  await page.evaluate(() => globalThis.camera.setTrack(globalThis.track));
  await until("pictures again", () => viewer.latest.state === "live" && viewer.latest.fps > 5);
  await page.evaluate(() => globalThis.track.stop());
  await detail("camera gone");
  await page.evaluate(() => globalThis.camera.close());
  await detail("publisher gone");
  assert.equal(await page.evaluate(() => globalThis.states.at(-1).link), "off");
  await viewer.stop();
  await page.close();
});

test("a hub that restarts has the camera again, and a page whose name is taken is told so", async () => {
  const { page, state } = await publishing("carl");
  await until("it is let in", async () => (await state())?.link === "connected");
  const second = await publishing("carl");
  await until("it is refused", async () => (await second.state())?.link === "refused");
  assert.match((await second.state()).why, /carl/);
  await stop(hub);
  await until("it says so", async () => (await state()).link === "connecting");
  await second.page.close();
  await startHub();
  await until("it is let in again", async () => (await state()).link === "connected", 30_000);
  const viewer = watch("carl");
  await until("pictures", () => viewer.latest.state === "live" && viewer.latest.fps > 5);
  await viewer.stop();
  await page.close();
});

/** Passes on what comes, of that to the hub so many bytes a second at most. */
async function slowWay(rate) {
  const server = net.createServer((socket) => {
    const up = net.connect(port, "127.0.0.1");
    up.setNoDelay(true);
    socket.setNoDelay(true);
    let free = Date.now();
    socket.on("data", (bytes) => {
      free = Math.max(free, Date.now()) + (1000 * bytes.length) / rate;
      socket.pause();
      setTimeout(() => {
        up.write(bytes);
        socket.resume();
      }, free - Date.now());
    });
    up.pipe(socket);
    for (const [one, other] of [[socket, up], [up, socket]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

test("on a slow way to the hub pictures have fewer bytes, and are young all the same", async () => {
  const way = await slowWay(60_000);
  const { page, stats } = await publishing("dora", { url: `ws://127.0.0.1:${way.address().port}/ws` });
  const viewer = watch("dora");
  await until("smaller pictures", async () => {
    const { quality, width, fps, kbytesPerSecond } = await stats();
    return fps > 5 && (quality < 70 || width < 640) && kbytesPerSecond < 66;
  }, 30_000);
  await until("young ones", () => viewer.latest.fps > 5 && viewer.latest.age_ms.p50 < 400, 30_000);
  await until("the uplink is named", () => viewer.latest.limit?.startsWith("uplink"), 30_000);
  await viewer.stop();
  await page.close();
  way.close();
});

test("a browser without a processor of tracks in its pages publishes all the same", async () => {
  for (const [name, lacks] of [
    // Its worker has one, as in Safari.
    ["emil", () => delete globalThis.MediaStreamTrackProcessor],
    ["erna", () => {
      delete globalThis.MediaStreamTrackProcessor;
      MediaStreamTrack.prototype.clone = () => ({ stop() {} });
    }],
  ]) {
    const { page, errors, stats } = await publishing(name, { prepare: (page) => page.addInitScript(lacks) });
    const viewer = watch(name);
    await until(`pictures of ${name}`, () => viewer.latest.state === "live" && viewer.latest.fps > 5);
    await until("the page says so", async () => (await stats()).sent > 5);
    await viewer.stop();
    assert.deepEqual(errors, []);
    await page.close();
  }
});

test("a tab that nobody sees goes on", async () => {
  const other = new Browser(executablePath, FAKE);
  try {
    const person = await other.person();
    const tab = await other.open(`${address}health`, person);
    await until("the page is there", () => tab.run("document.readyState === 'complete' && location.pathname === '/health'"));
    await tab.run(publish, ["fred", null]);
    const viewer = watch("fred");
    await until("pictures", () => viewer.latest.state === "live" && viewer.latest.fps > 5);
    await other.open("about:blank", person);
    await until("the tab is hidden", () => tab.run("document.visibilityState === 'hidden'"));
    // Longer than until a browser slows such a tab down.
    await sleep(12_000);
    const { received } = viewer.latest;
    // Of a tab that is slowed down comes one a second.
    await until("more pictures", () => viewer.latest.received >= received + 60);
    console.log(`# hidden: ${viewer.latest.fps} fps at the viewer, ${viewer.latest.age_ms.p50} ms old`);
    assert.equal(await tab.run("document.visibilityState"), "hidden");
    assert.equal(viewer.latest.state, "live");
    await viewer.stop();
  } finally {
    await other.close();
  }
});
