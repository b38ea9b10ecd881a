// The page in a real Chromium, against real programs. Needs `cargo build --bins`, chromium, and `npm ci`.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { answers, bin, launch, start, stop, stopAll, until } from "../browser/programs.js";
import { offset, teach } from "../browser/stamp.js";

const port = Number(process.env.STREAMFLOW_TEST_PORT ?? 18377);
const address = `http://127.0.0.1:${port}/`;
let hub, browser;

async function startHub() {
  hub = start("streamflow-hub", "--port", String(port));
  await answers(address);
}

async function open(hash, options = {}, prepare = () => {}) {
  const page = await browser.newPage({ viewport: { width: 1100, height: 720 }, ...options });
  await page.addInitScript(prepare);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(address + hash);
  await page.evaluate(teach, offset);
  return { page, errors };
}

const stamp = (page) => page.evaluate(() => globalThis.stamp());

before(async () => {
  assert.ok(bin, "build the programs first");
  await startHub();
  start("streamflow-send", "--source", "pattern", "--host", `127.0.0.1:${port}`, "--name", "door", "--quiet");
  start("streamflow-send", "--source", "pattern", "--host", `127.0.0.1:${port}`, "--name", "gate", "--quiet");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  stopAll();
});

test("all streams are a grid, and a click makes one large", async () => {
  const waiting = new AbortController();
  fetch(`${address}stream/main/typo`, { signal: waiting.signal }).catch(() => {});
  await until("somebody waits for a stream that is none", async () => {
    const { streams } = await (await fetch(`${address}api/streams`)).json();
    return streams.some((s) => s.name === "typo");
  });
  const { page, errors } = await open("");
  await page.locator('.tile[data-stream="main/gate"].live').waitFor();
  assert.equal(await page.locator('.tile[data-stream="main/typo"]').count(), 0);
  waiting.abort();
  await page.click('.tile[data-stream="main/door"]');
  await until("pictures", () => page.evaluate(() => globalThis.streamflow.report?.fps > 10));
  const first = await stamp(page);
  await until("the painted number advances", async () => (await stamp(page))?.number !== first?.number);
  await until("the tiles are not watched any more", async () => {
    const { streams } = await (await fetch(`${address}api/streams`)).json();
    return streams.find((s) => s.name === "gate").viewers === 0;
  });
  await page.keyboard.press("q");
  await page.locator('.tile[data-stream="main/gate"].live').waitFor();
  assert.deepEqual(errors, []);
  await page.close();
});

test("an address that makes no sense shows all streams", async () => {
  for (const hash of ["#/%", "#///", "#/a/%ff/c"]) {
    const { page, errors } = await open(hash);
    await page.locator('.tile[data-stream="main/gate"].live').waitFor();
    assert.deepEqual(errors, [], hash);
    await page.close();
  }
});

test("the keys are those of the window", async () => {
  const { page, errors } = await open("#/main/door");
  await until("a picture", () => page.evaluate(() => globalThis.streamflow.report?.size === "640x480"));
  const seen = page.locator("#overlay");
  assert.equal(await seen.isVisible(), true);
  await page.keyboard.press("t");
  assert.equal(await seen.isVisible(), false);
  await page.keyboard.press("h");
  assert.equal(await page.locator("#keys").isVisible(), true);
  await page.keyboard.press("h");
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
  assert.match(download.suggestedFilename(), /^door-\d{8}-\d{6}\.jpg$/);
  await page.keyboard.press("f");
  await until("full screen", () => page.evaluate(() => document.fullscreenElement !== null));
  await page.keyboard.press("q");
  await until("the grid", () => page.evaluate(() => location.hash === "#/"));
  assert.deepEqual(errors, []);
  await page.close();
});

test("a hidden page watches nothing, and shows the newest picture at once when it is seen again", async () => {
  const { page } = await open("#/main/door");
  await until("pictures", () => page.evaluate(() => globalThis.streamflow.report?.fps > 10));
  const hide = (hidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await hide(true);
  await until("nobody watches", async () => (await (await fetch(`${address}api/streams`)).json()).viewers === 0);
  await sleep(1500);
  const before = await stamp(page);
  await hide(false);
  const shown = performance.now();
  await until("a new picture", async () => (await stamp(page))?.number !== before.number, 5000);
  console.log(`# shown again after ${(performance.now() - shown).toFixed(0)} ms`);
  assert.ok((await stamp(page)).age < 1000);
  await page.close();
});

test("a hub that restarts is found again, and meanwhile the page says so", async () => {
  const { page } = await open("#/main/door");
  await until("pictures", () => page.evaluate(() => globalThis.streamflow.report?.state === "live"));
  await stop(hub);
  await until("it says so", () => page.locator("#notice").isVisible());
  await startHub();
  await until("pictures again", () => page.evaluate(() => globalThis.streamflow.report?.state === "live"
    && globalThis.streamflow.report.fps > 5), 30_000);
  await page.close();
});

test("whoever waits for a stream sees its last picture as one of another time", async () => {
  const sender = start("streamflow-send", "--source", "pattern", "--host", `127.0.0.1:${port}`, "--name", "gone", "--quiet");
  const { page } = await open("#/main/gone");
  await until("pictures", () => page.evaluate(() => globalThis.streamflow.report?.state === "live"));
  await stop(sender);
  await until("it is lost", () => page.evaluate(() => globalThis.streamflow.report?.state === "lost"));
  await stop(hub);
  await startHub();
  await until("it waits", () => page.evaluate(() => globalThis.streamflow.report?.state === "waiting"));
  assert.match(await page.locator("#notice").textContent(), /^waiting for main\/gone\nthe picture is .+ old, of .*\d\d:\d\d:\d\d/);
  // The picture fades for .3 s.
  await until("it is grey", () => page.locator("#picture canvas").evaluate((canvas) =>
    getComputedStyle(canvas).filter.includes("grayscale(1)")));
  await page.close();
});

test("a name out of a link cannot act", async () => {
  const { page, errors } = await open("#/ma%0Ain/%E2%80%AEdoor");
  assert.equal(await page.locator("#name").textContent(), "\\u{202e}door");
  assert.equal(await page.locator("#room").textContent(), "ma\\u{a}in");
  assert.equal(await page.title(), "\\u{202e}door · StreamFlow");
  assert.deepEqual(errors, []);
  await page.close();
});

test("the time that the machine slept counts", async () => {
  const sender = start("streamflow-send", "--source", "pattern", "--host", `127.0.0.1:${port}`, "--name", "still", "--quiet");
  const { page } = await open("#/main/still", {}, () => {
    // The worker's clock cannot be reached from here.
    delete globalThis.Worker;
    const wall = Date.now;
    globalThis.slept = 0;
    Date.now = () => wall() + globalThis.slept;
  });
  await until("pictures", () => page.evaluate(() => globalThis.streamflow.report?.state === "live"));
  sender.kill("SIGSTOP");
  await until("it stands still", () => page.evaluate(() => globalThis.streamflow.report?.state !== "live"));
  await page.evaluate(() => (globalThis.slept = 3_600_000));
  await until("it is an hour old", () => page.evaluate(() => globalThis.streamflow.report?.pictureAge > 3_600_000));
  sender.kill("SIGCONT");
  await until("it is young again", () => page.evaluate(() => globalThis.streamflow.report?.state === "live"
    && globalThis.streamflow.report.age < 10_000), 30_000);
  await stop(sender);
  await page.close();
});

test("a picture that never is decoded is said, and what is saved is the one on the canvas", async () => {
  const { page } = await open("#/main/door", {}, () => {
    delete globalThis.Worker;
    const decode = globalThis.createImageBitmap;
    globalThis.createImageBitmap = (...args) => (globalThis.hangs ? new Promise(() => {}) : decode(...args));
  });
  await until("pictures", () => page.evaluate(() => globalThis.streamflow.report?.fps > 5));
  await page.evaluate(() => (globalThis.hangs = true));
  await until("it says so", () => page.evaluate(() => /takes longer than 2 s to decode/.test(globalThis.streamflow.report.detail)));
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
  const saved = await page.evaluate(async (bytes) => {
    const image = new Image();
    image.src = `data:image/jpeg;base64,${bytes}`;
    await image.decode();
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [image.width, image.height];
    copy.getContext("2d").drawImage(image, 0, 0);
    const shown = document.querySelector("#picture canvas");
    const on = globalThis.stamp().number;
    shown.replaceWith(copy);
    const in_ = globalThis.stamp().number;
    copy.replaceWith(shown);
    return [on, in_];
  }, (await readFile(await download.path())).toString("base64"));
  assert.equal(saved[1], saved[0]);
  await page.evaluate(() => (globalThis.hangs = false));
  await until("pictures again", () => page.evaluate(() => globalThis.streamflow.report?.state === "live"));
  await page.close();
});

test("a sealed stream is seen with the key of its link, or when it is typed, and without it the page asks", async () => {
  const folder = await mkdtemp(`${tmpdir()}/streamflow-page-`);
  const key = "AAECAwQFBgcICQoLDA0ODw";
  await writeFile(`${folder}/key`, key);
  start("streamflow-send", "--source", "pattern", "--host", `127.0.0.1:${port}`, "--name", "sealed", "--quiet",
    "--key-file", `${folder}/key`);
  const { page, errors } = await open(`#/main/sealed&key=${key}`);
  const live = () => page.evaluate(() => globalThis.streamflow.report?.state === "live" && globalThis.streamflow.report.sealed);
  await until("pictures", live);
  const first = await stamp(page);
  await until("the painted number advances", async () => (await stamp(page))?.number !== first?.number);
  assert.equal(await page.evaluate(() => globalThis.streamflow.report.apart), null);
  await page.locator("#overlay").getByText("end to end").waitFor();
  assert.equal(await page.locator("#unlock").isVisible(), false);
  await page.close();

  const { page: bare } = await open("#/main/sealed");
  await bare.locator("#passphrase").waitFor();
  assert.match(await bare.locator("#notice").textContent(), /^encrypted end to end; open the link with its key/);
  await bare.fill("#passphrase", "a stream of horses");
  await bare.keyboard.press("Enter");
  await bare.getByText("does not open with this key").waitFor();
  // The letters of a key are no orders.
  await bare.focus("#passphrase");
  await bare.keyboard.type(key);
  await bare.click("#open");
  await until("pictures", () => bare.evaluate(() => globalThis.streamflow.report?.state === "live"));
  await until("the field goes", async () => !(await bare.locator("#unlock").isVisible()));
  // It is known for as long as the page is open.
  await bare.evaluate(() => (location.hash = "#/"));
  await bare.locator('.tile[data-stream="main/sealed"].live').waitFor();
  await bare.close();

  // A hub that leaves the seal away is not believed.
  const { page: plain } = await open(`#/main/door&key=${key}`);
  await plain.getByText("a picture is not encrypted end to end").waitFor();
  assert.deepEqual(errors, []);
  await plain.close();
  await rm(folder, { recursive: true });
});

test("a browser that lacks something is told what, and is given the stream without the page", async () => {
  const page = await browser.newPage();
  await page.addInitScript(() => {
    delete globalThis.WebSocket;
    delete globalThis.fetch;
  });
  await page.goto(`${address}#/ma%20in/%3Cb%3E`);
  await page.getByText("It lacks WebSocket, fetch.").waitFor();
  const link = page.locator("#plain");
  assert.equal(await link.textContent(), "Show ma in/<b> without this page");
  assert.equal(await link.getAttribute("href"), "stream/ma%20in/%3Cb%3E");
  await page.goto(`${address}#/main/door`);
  await until("the link follows the address", async () => (await link.getAttribute("href")) === "stream/main/door");
  await page.close();
});

test("a page whose scripts do not run says so, and gives the stream", async () => {
  for (const what of ["off", "broken", "missing"]) {
    const page = await browser.newPage({ javaScriptEnabled: what !== "off" });
    if (what === "broken") await page.route("**/viewer.js", (r) => r.fulfill({ contentType: "text/javascript", body: "@" }));
    if (what === "missing") await page.route("**/main.js", (r) => r.abort());
    await page.goto(address);
    await page.getByText("This page has not started").waitFor();
    assert.equal(await page.locator("#plain").getAttribute("href"), "stream", what);
    await page.close();
  }
});

test("a page that starts does not say that it has not", async () => {
  const { page } = await open("#/main/door");
  assert.equal(await page.locator("#trouble").count(), 0);
  await page.close();
});

test("a worker that never starts is done without, and meanwhile the page says that it starts", async () => {
  const { page, errors } = await open("#/main/door", {}, () => {
    globalThis.Worker = class {
      postMessage() {}
      terminate() {}
    };
  });
  assert.deepEqual(await page.locator("#state, #notice").allTextContents(), ["starting", "starting"]);
  await until("pictures", () => page.evaluate(() => globalThis.streamflow.report?.fps > 5));
  assert.deepEqual(errors, []);
  await page.close();
});

test("where there is no list of streams the page says why, in the hub's own words", async () => {
  const { page } = await open("#/main/none");
  const answers = [
    [{ status: 421, contentType: "text/plain; charset=utf-8", body: "this hub does not answer as <b>evil.test</b>\n" },
      "this hub does not answer as <b>evil.test</b>"],
    [{ status: 502, contentType: "text/html", body: "<h1>Bad gateway</h1>" }, "HTTP status 502"],
    [{ status: 200, contentType: "text/html", body: "<h1>Sign in</h1>" }, "what answers here is no hub, trying again"],
  ];
  let answer;
  await page.route("**/api/streams", (r) => (answer ? r.fulfill(answer) : r.abort()));
  const why = page.locator("#untold-why");
  await page.evaluate(() => (location.hash = "#/"));
  await until("it is unreachable", async () => (await why.textContent()) === "hub unreachable, trying again");
  for (const [next, words] of answers) {
    answer = next;
    await until(words, async () => (await why.isVisible()) && (await why.textContent()) === words);
  }
  await page.unroute("**/api/streams");
  await page.locator('.tile[data-stream="main/gate"].live').waitFor();
  assert.equal(await why.isVisible(), false);
  await page.close();
});

test("a phone has room for all of it", async () => {
  const { page } = await open("", { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
  await page.locator('.tile[data-stream="main/door"].live').waitFor();
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert.equal(await wide(), false);
  await page.tap('.tile[data-stream="main/door"]');
  for (const id of ["back", "quality", "statistics", "snapshot", "fullscreen", "more"]) {
    const box = await page.locator(`#${id}`).boundingBox();
    assert.ok(box && box.x >= 0 && box.x + box.width <= 360 && box.width >= 40 && box.height >= 40, id);
  }
  assert.equal(await wide(), false);
  await page.close();
});

test("pictures are young when they are on the canvas", async () => {
  const { page } = await open("#/main/door");
  await until("pictures", () => page.evaluate(() => globalThis.streamflow.report?.fps > 10));
  const ages = await page.evaluate(async () => {
    const ages = [];
    let last = -1;
    const end = performance.now() + 6000;
    while (performance.now() < end) {
      const read = globalThis.stamp();
      if (read && read.number !== last) {
        if (last >= 0) ages.push(read.age);
        last = read.number;
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return ages;
  });
  ages.sort((a, b) => a - b);
  const at = (share) => ages[Math.floor((ages.length - 1) * share)]?.toFixed(1);
  console.log(`# age on the canvas over ${ages.length} pictures: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`);
  const told = await page.evaluate(() => globalThis.streamflow.report.age);
  console.log(`# the overlay says ${told.toFixed(1)} ms`);
  assert.ok(ages.length > 20 && ages[Math.floor(ages.length / 2)] < 1000);
  await page.close();
});
