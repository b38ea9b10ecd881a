// Sound in a real Chromium, with its microphone that beeps, against real programs: what is heard is measured where it goes to the
// loudspeaker. Needs what page.test.js needs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { answers, bin, launch, start, stopAll, until } from "../browser/programs.js";

const port = Number(process.env.STREAMFLOW_TEST_PORT ?? 18377) + 50;
const address = `http://127.0.0.1:${port}/`;
/** What counts as sound, and what as silence. */
const [LOUD, SILENT] = [0.02, 0.001];
let browser;

before(async () => {
  assert.ok(bin, "build the programs first");
  start("streamflow-hub", "--port", String(port), "--quiet");
  await answers(address);
  browser = await launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
});

after(async () => {
  await browser?.close();
  stopAll();
});

async function open(path) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 640 } });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy|no sound/.test(message.text())) errors.push(message.text());
  });
  await page.goto(address + path);
  return { page, errors, close: () => context.close() };
}

const person = (page, name) => page.locator(`.person[data-name="${name}"]`);

/** Somebody in a room. */
async function enter(room, name) {
  const opened = await open(`rooms/${room}`);
  await opened.page.fill("#ready-name", name);
  await until("the microphone is heard", () => opened.page.locator("#ready-level").evaluate((meter) => Number(meter.style.getPropertyValue("--level")) > 0.1));
  await opened.page.click("#ready-go");
  await person(opened.page, name).waitFor();
  return opened;
}

/** How loud it gets in the next so many milliseconds at the loudspeaker of a page: the strongest 40 ms. */
const loudest = (page, ms = 1500) => page.evaluate(async (ms) => {
  const { output } = (globalThis.streamflowRoom ?? globalThis.streamflow).sound;
  if (!output) return 0;
  globalThis.analyser ??= output.connect(new AnalyserNode(output.context, { fftSize: 2048 }));
  const heard = new Float32Array(2048);
  let most = 0;
  for (const end = performance.now() + ms; performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) {
    // Of one that is at rest the last sound would be read again and again.
    if (output.context.state !== "running") continue;
    globalThis.analyser.getFloatTimeDomainData(heard);
    most = Math.max(most, Math.sqrt(heard.reduce((sum, value) => sum + value * value, 0) / heard.length));
  }
  return most;
}, ms);
const hears = (page, what) => until(what, async () => (await loudest(page)) > LOUD, 40_000);
const hearsNothing = (page, what) => until(what, async () => (await loudest(page, 2500)) < SILENT, 40_000);

async function cameraWorker(page) {
  const find = () => page.workers().find((one) => one.url().endsWith("camera-worker.js"));
  await until("the worker begins", async () => find() !== undefined);
  return find();
}

/** How many packets the worker of a page encodes from now on. */
async function encodes(page) {
  const worker = await cameraWorker(page);
  await worker.evaluate(() => {
    const { encode } = AudioEncoder.prototype;
    globalThis.packets = 0;
    AudioEncoder.prototype.encode = function (data) {
      globalThis.packets++;
      return encode.call(this, data);
    };
  });
  return () => worker.evaluate(() => globalThis.packets);
}

test("two people in a room hear each other and not themselves, and who is muted is silent", async () => {
  const [ann, bo] = [await enter("hear", "Ann"), await enter("hear", "Bo")];
  await person(ann.page, "Bo").waitFor();
  await hears(ann.page, "Ann hears Bo");
  await hears(bo.page, "Bo hears Ann");
  await ann.page.keyboard.press("t");
  await until("how old the sound is", async () => /sound ≈ \d+ ms · \d+ kbit\/s/.test(await person(ann.page, "Bo").locator(".numbers").textContent()));
  await until("what goes out", async () => /sound \d+ kbit\/s/.test(await person(ann.page, "Ann").locator(".numbers").textContent()));
  await bo.page.click("#sound");
  await person(ann.page, "Bo").and(ann.page.locator(".is-muted")).waitFor();
  await hearsNothing(ann.page, "Ann hears nothing of Bo, nor of herself");
  await hears(bo.page, "Bo hears Ann all the same");
  await bo.page.keyboard.press("a");
  await hears(ann.page, "Ann hears Bo again");
  assert.equal(await ann.page.locator("#room-trouble").textContent(), "");
  assert.deepEqual([ann.errors, bo.errors], [[], []]);
  await Promise.all([ann.close(), bo.close()]);
});

test("who has no video is heard, and a page that nobody sees hears", async () => {
  const [ann, bo] = [await enter("unseen", "Ann"), await enter("unseen", "Bo")];
  await bo.page.click("#video");
  await until("initials", async () => /no picture/.test(await person(ann.page, "Bo").getAttribute("aria-label").catch(() => "")));
  await hears(ann.page, "Bo is heard without a picture");
  await bo.page.click("#video");
  const seen = () => bo.page.evaluate(() => globalThis.streamflowRoom.camera?.viewers);
  await until("Bo is seen", async () => (await seen()) === 1);
  await ann.page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await until("no picture of Bo is made for it", async () => (await seen()) === 0);
  await hears(ann.page, "a hidden page hears");
  await bo.page.click("#leave");
  await until("Bo is gone", async () => (await person(ann.page, "Bo").count()) === 0);
  await hearsNothing(ann.page, "who left is silent");
  assert.deepEqual([ann.errors, bo.errors], [[], []]);
  await Promise.all([ann.close(), bo.close()]);
});

test("a room that is encrypted is seen and heard by whoever has its whole link, and by neither the hub nor anybody else", async () => {
  const made = await open("rooms");
  await made.page.click("#new-room");
  await made.page.fill("#make-name", "Ann");
  await made.page.check("#make-sealed");
  await made.page.click("#make-go");
  await made.page.waitForURL(/rooms\/[0-9a-f]{8}#/);
  const [, room, key] = /rooms\/([0-9a-f]{8})#key=([\w-]{22})$/.exec(made.page.url());
  await made.close();
  const [ann, bo, cy] = [await enter(`${room}#key=${key}`, "Ann"), await enter(`${room}#key=${key}`, "Bo"), await enter(room, "Cy")];
  await person(ann.page, "Bo").and(ann.page.locator(".has-picture")).waitFor();
  await ann.page.locator("#room-sealed").waitFor();
  await hears(ann.page, "Ann hears Bo");
  await person(cy.page, "Bo").locator(".why", { hasText: "come in by the whole link" }).waitFor();
  await cy.page.locator("#room-trouble", { hasText: "neither see nor hear you" }).waitFor();
  await person(bo.page, "Cy").locator(".why", { hasText: "not encrypted end to end" }).waitFor();
  await hearsNothing(cy.page, "Cy hears nothing");
  const streams = (await (await fetch(`${address}api/streams`)).json()).streams.filter((one) => one.room === room);
  assert.equal(streams.filter(({ sealed }) => sealed).length, 2, JSON.stringify(streams));
  for (const { name } of streams.filter(({ sealed }) => sealed)) assert.equal((await fetch(`${address}snapshot/${room}/${name}`)).status, 403);
  await ann.page.keyboard.press("l");
  assert.equal(await ann.page.inputValue("#invite-url"), `${address}rooms/${room}#key=${key}`);
  // Whoever pastes the whole link into the address bar comes in anew, with the key.
  await cy.page.evaluate((hash) => (location.hash = hash), `#key=${key}`);
  await cy.page.locator("#ready-go").click();
  await cy.page.locator("#room-sealed").waitFor();
  await person(ann.page, "Cy").and(ann.page.locator(".has-picture")).waitFor();
  assert.deepEqual([ann.errors, bo.errors, cy.errors], [[], [], []]);
  await Promise.all([ann.close(), bo.close(), cy.close()]);
});

test("nothing is encoded while nobody listens", async () => {
  const ann = await enter("alone", "Ann");
  const count = await encodes(ann.page);
  await sleep(1500);
  assert.equal(await count(), 0);
  const bo = await enter("alone", "Bo");
  await until("packets are made", async () => (await count()) > 20);
  await bo.close();
  await until("none any more", async () => {
    const before = await count();
    await sleep(1000);
    return (await count()) === before;
  });
  await ann.close();
});

test("a browser that has no encoder of sound is heard all the same", async () => {
  const ann = await enter("plain", "Ann");
  const worker = await cameraWorker(ann.page);
  await worker.evaluate(() => delete globalThis.AudioEncoder);
  const bo = await enter("plain", "Bo");
  await hears(bo.page, "Bo hears Ann");
  await Promise.all([ann.close(), bo.close()]);
});

test("where the browser lets nothing be heard before a click, the page asks for one", async () => {
  const [ann, bo] = [await enter("held", "Ann"), await enter("held", "Bo")];
  await hears(ann.page, "Ann hears Bo");
  assert.equal(await ann.page.locator("#hear").isVisible(), false);
  await ann.page.evaluate(() => globalThis.streamflowRoom.sound.suspend());
  await ann.page.locator("#hear").click();
  await until("the button goes", async () => !(await ann.page.locator("#hear").isVisible()));
  await hears(ann.page, "Ann hears Bo again");
  await Promise.all([ann.close(), bo.close()]);
});

test("a stream on its own page is silent until it is asked for, by a key or a button that is there only where there is sound", async () => {
  const ann = await enter("watched", "Ann");
  const count = await encodes(ann.page);
  const { page, errors, close } = await open("#/watched/Ann");
  await until("pictures", () => page.evaluate(() => globalThis.streamflow.report?.state === "live"));
  const button = page.locator("#sound");
  await button.waitFor();
  assert.equal(await button.getAttribute("aria-pressed"), "false");
  assert.equal(await count(), 0, "nobody listens");
  await page.keyboard.press("a");
  await hears(page, "it is heard");
  await page.locator("#overlay").getByText(/\d+ ms, \d+ kbit\/s/).waitFor();
  // What was not touched for a while shows the picture alone.
  const click = () => until("the button is there", async () => {
    await page.mouse.move(Math.random() * 90, 300);
    return button.click({ timeout: 3000 }).then(() => true, () => false);
  });
  await click();
  await hearsNothing(page, "it is silent");
  await until("and nothing is encoded", async () => {
    const before = await count();
    await sleep(1000);
    return (await count()) === before;
  });
  await click();
  await hears(page, "it is heard again");
  await ann.page.keyboard.press("a");
  await page.locator("#overlay").getByText("muted by its sender").waitFor();
  await page.evaluate(() => (location.hash = "#/"));
  await page.locator('.tile[data-stream="watched/Ann"]').waitFor();
  await ann.page.keyboard.press("a");
  await hearsNothing(page, "on the wall nothing is heard");
  assert.deepEqual([errors, ann.errors], [[], []]);
  await Promise.all([close(), ann.close()]);
});

test("RNNoise is loaded from the hub when it is chosen, and where it does not start the browser suppresses noise, and the page says so", async () => {
  const ann = await enter("noise", "Ann");
  const loaded = [];
  ann.page.on("response", (answer) => {
    if (answer.url().endsWith("rnnoise.wasm")) loaded.push(answer.status());
  });
  const warnings = [];
  ann.page.on("console", (message) => {
    if (message.type() === "warning") warnings.push(message.text());
  });
  await ann.page.click("#devices");
  await ann.page.selectOption("#room-noise", "rnnoise");
  await until("it is loaded", async () => loaded.length > 0);
  assert.deepEqual(loaded, [200]);
  await until("the microphone is heard", () => ann.page.evaluate(() => globalThis.streamflowRoom.media.hears));
  assert.equal(await ann.page.inputValue("#room-noise"), "rnnoise");
  assert.deepEqual([warnings, ann.errors], [[], []]);
  await ann.close();

  const bo = await open("rooms/noise");
  await bo.page.route("**/rnnoise.wasm", (route) => route.fulfill({ status: 404, body: "" }));
  await bo.page.selectOption("#ready-noise", "rnnoise");
  await bo.page.locator("#ready-why", { hasText: "RNNoise does not start here" }).waitFor();
  await until("the browser does it", async () => (await bo.page.inputValue("#ready-noise")) === "browser");
  await bo.close();
});
