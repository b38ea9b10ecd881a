// Another background in a real Chromium, against a real hub. The camera shows a chequered wall; where somebody is in it a worker of the
// test says, but for the tests of the one that finds people. Needs what page.test.js needs.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { answers, bin, launch, start, stopAll, until } from "../browser/programs.js";

const port = Number(process.env.STREAMFLOW_TEST_PORT ?? 18377) + 60;
const address = `http://127.0.0.1:${port}/`;
const folder = mkdtempSync(join(tmpdir(), "streamflow-background-"));
const DESK = { viewport: { width: 1280, height: 800 } };
let browser;

/** A wall of black and white squares, as a film. */
function wall() {
  const [width, height] = [640, 360];
  const light = Buffer.alloc(width * height);
  for (let at = 0; at < light.length; at++) light[at] = ((at % width) >> 4) + (Math.floor(at / width) >> 4) & 1 ? 235 : 16;
  const frame = Buffer.concat([Buffer.from("FRAME\n"), light, Buffer.alloc((width * height) / 2, 128)]);
  return Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F30:1 Ip A1:1 C420\n`), frame, frame]);
}

/** Says that somebody is in the left half. */
const HALF = `addEventListener("message", ({ data: { port } }) => {
  port.onmessage = ({ data }) => {
    data.image.close();
    const canvas = new OffscreenCanvas(256, 144);
    const context = canvas.getContext("2d");
    context.fillStyle = "#f00";
    context.fillRect(0, 0, 128, 144);
    const mask = canvas.transferToImageBitmap();
    port.postMessage({ mask, took: 1, turn: data.turn, shape: data.shape }, [mask]);
  };
  port.postMessage({ ready: true });
});`;

before(async () => {
  assert.ok(bin, "build the programs first");
  start("streamflow-hub", "--port", String(port), "--quiet");
  await answers(address);
  writeFileSync(join(folder, "wall.y4m"), wall());
  browser = await launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-video-capture=${join(folder, "wall.y4m")}`);
});

after(async () => {
  await browser?.close();
  stopAll();
  rmSync(folder, { recursive: true, force: true });
});

async function open({ prepare = () => {}, finder = HALF, context = null, change = async () => {} } = {}) {
  const own = context ?? (await browser.newContext(DESK));
  await own.addInitScript(prepare);
  const page = await own.newPage();
  const [errors, asked] = [[], []];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) errors.push(message.text());
  });
  own.on("request", (request) => asked.push(request.url()));
  if (finder) await own.route("**/background-mask.js", (route) => route.fulfill({ contentType: "text/javascript", body: finder }));
  await change(own);
  await page.goto(`${address}rooms/behind`);
  await sees(page);
  return { page, context: own, errors, asked, close: () => own.close() };
}

const sees = (page) => until("one sees oneself", () => page.locator("#ready-video").evaluate((video) => video.videoWidth > 0 && !video.hidden));

/** How light and dark both halves of what is seen are, and their colours; the margin between them is left out. */
const halves = (page, where = "#ready-video") => page.locator(where).evaluate((video) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0, 640, 360);
  return [20, 380].map((x) => {
    const { data } = context.getImageData(x, 20, 240, 320);
    const sum = [0, 0, 0, 0];
    for (let at = 0; at < data.length; at += 4) {
      for (const channel of [0, 1, 2]) sum[channel] += data[at + channel];
      sum[3] += data[at + 1] ** 2;
    }
    const [red, green, blue, squares] = sum.map((one) => one / (data.length / 4));
    return { red, green, blue, contrast: Math.sqrt(Math.max(0, squares - green ** 2)) };
  });
});

/** Waits until both halves are as they should be. */
async function become(page, what, is, where) {
  let last;
  await until(what, async () => is(...(last = await halves(page, where)))).catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(last)}`);
  });
}
const [SHARP, FLAT] = [90, 12];

test("nothing is loaded before another background is chosen; each does what it says, is kept, and goes out of the room's page", async () => {
  const { page, context, errors, asked, close } = await open();
  assert.deepEqual(await page.locator("#ready-background option").allTextContents(), ["As it is", "Blurred lightly", "Blurred strongly", "A picture"]);
  await become(page, "the wall as it is", (left, right) => left.contrast > SHARP && right.contrast > SHARP);
  assert.deepEqual(asked.filter((url) => /background-(worker|mask|gl)|segmentation/.test(url)), []);
  assert.equal(await page.locator("#ready-picture-button").isVisible(), false);

  await page.selectOption("#ready-background", "strong");
  await become(page, "only what is behind is blurred away", (left, right) => left.contrast > SHARP && right.contrast < FLAT);
  await page.selectOption("#ready-background", "light");
  await become(page, "it is blurred less", (left, right) => left.contrast > SHARP && right.contrast > 20 && right.contrast < 70);
  await page.selectOption("#ready-background", "picture");
  await become(page, "a wall of our own, dark and blue", (left, right) => left.contrast > SHARP && right.contrast < FLAT && right.blue > right.red + 10 && right.blue < 90);
  assert.equal(await page.locator("#ready-picture-button").textContent(), "Choose one");
  const red = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 2000, height: 3000 });
    const context = canvas.getContext("2d");
    context.fillStyle = "#e01020";
    context.fillRect(0, 0, 2000, 3000);
    return canvas.toDataURL("image/png").split(",")[1];
  });
  await page.setInputFiles("#ready-picture-file", { name: "red.png", mimeType: "image/png", buffer: Buffer.from(red, "base64") });
  await become(page, "the picture", (left, right) => left.contrast > SHARP && right.red > 200 && right.green < 40 && right.contrast < FLAT);
  await until("there may be another", async () => (await page.locator("#ready-picture-button").textContent()) === "Another one");
  await page.setInputFiles("#ready-picture-file", { name: "no.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await page.locator("#toast", { hasText: "no picture that the browser knows" }).waitFor();

  await page.reload();
  await sees(page);
  assert.equal(await page.inputValue("#ready-background"), "picture");
  await become(page, "the same after a reload", (left, right) => left.contrast > SHARP && right.red > 200 && right.green < 40);
  await page.fill("#ready-name", "Ann");
  await page.click("#ready-go");
  const own = '.person[data-name="Ann"] video';
  await become(page, "the same in the room", (left, right) => left.contrast > SHARP && right.red > 200 && right.green < 40, own);
  const viewer = await context.newPage();
  await viewer.goto(`${address}#/behind/Ann`);
  await viewer.locator("#stage canvas").first().waitFor();
  await become(viewer, "and for others", (left, right) => left.contrast > SHARP && right.red > 180 && right.green < 60, "#stage canvas");
  await viewer.close();

  await page.click("#devices");
  await page.selectOption("#room-background", "none");
  await become(page, "as it is again", (left, right) => left.contrast > SHARP && right.contrast > SHARP, own);
  assert.ok(asked.every((url) => url.startsWith(address) || url.startsWith("blob:")), "all of it is the hub's");
  assert.deepEqual(errors, []);
  await close();
});

test("until it is known where somebody is, and when that is not known any more, all of the picture is blurred, and the page says so", async () => {
  // Says where somebody is once, and when it is asked for the tenth time not any more.
  const once = HALF.replace("data.image.close();", "data.image.close(); if ((globalThis.times = (globalThis.times ?? 0) + 1) > 9) return;")
    .replace("port.postMessage({ ready: true });", "setTimeout(() => port.postMessage({ ready: true }), 2500);");
  const { page, errors, close } = await open({ finder: once });
  await page.selectOption("#ready-background", "light");
  await page.locator("#ready-off", { hasText: "All of your picture is blurred until you are found in it" }).waitFor();
  await become(page, "all of it is blurred", (left, right) => left.contrast < FLAT && right.contrast < FLAT);
  await become(page, "now it is known", (left) => left.contrast > SHARP);
  await until("nothing more to say", async () => (await page.locator("#ready-off").textContent()) === "");
  await become(page, "not any more", (left, right) => left.contrast < FLAT && right.contrast < FLAT);
  await page.locator("#ready-off", { hasText: "until you are found" }).waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test("whoever chose another background before is never seen before their own, from the first frame on", async () => {
  const { page, errors, close } = await open({
    finder: HALF.replace("port.postMessage({ ready: true });", "setTimeout(() => port.postMessage({ ready: true }), 1500);"),
    prepare: () => {
      localStorage.setItem("streamflow-room-devices", JSON.stringify({ background: "strong" }));
      globalThis.seen = [];
      const canvas = new OffscreenCanvas(320, 180);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      addEventListener("load", () => {
        const video = document.getElementById("ready-video");
        const next = () => video.requestVideoFrameCallback(() => {
          context.drawImage(video, 0, 0, 320, 180);
          const light = [...context.getImageData(200, 90, 100, 1).data].filter((_, at) => at % 4 === 1);
          globalThis.seen.push(Math.max(...light) - Math.min(...light));
          next();
        });
        next();
      });
    },
  });
  await become(page, "found", (left) => left.contrast > SHARP);
  await page.click("#ready-video-button");
  await page.locator("#ready-off", { hasText: "Your camera is off" }).waitFor();
  await page.click("#ready-video-button");
  await sees(page);
  await become(page, "found again", (left) => left.contrast > SHARP);
  await until("many frames were seen", async () => (await page.evaluate(() => globalThis.seen.length)) > 20);
  const seen = await page.evaluate(() => globalThis.seen);
  // The wall's own is 219.
  assert.ok(Math.max(...seen) < 80, `${Math.max(...seen)} between the lightest and the darkest`);
  assert.deepEqual(errors, []);
  await close();
});

test("what finds people comes from the hub alone, packed, and runs under the page's policy", async () => {
  const answers = [];
  const { page, context, errors, asked, close } = await open({ finder: "" });
  context.on("response", (answer) => answers.push([answer.url().split("/").pop(), answer.status(), answer.headers()["content-encoding"]]));
  await page.selectOption("#ready-background", "strong");
  await page.locator("#ready-off", { hasText: "until you are found" }).waitFor();
  await until("somebody was looked for", async () => (await page.locator("#ready-off").textContent()) === "");
  await become(page, "nobody is there: all of it is behind", (left, right) => left.contrast < FLAT && right.contrast < FLAT);
  const parts = answers.filter(([name]) => name.startsWith("selfie-segmentation")).sort();
  assert.deepEqual(parts, ["binarypb", "js", "tflite", "wasm"].map((kind) => [`selfie-segmentation.${kind}`, 200, "gzip"]));
  assert.ok(asked.every((url) => url.startsWith(address)));
  assert.equal(await page.locator("#ready-why").isVisible(), false);
  assert.deepEqual(errors, []);
  await close();
});

test("where people cannot be found all of the picture stays blurred, and where nothing can be drawn the camera is off; both is said", async () => {
  const one = await open({ finder: "", change: (context) => context.route("**/selfie-segmentation.wasm", (route) => route.fulfill({ status: 404, body: "" })) });
  await one.page.selectOption("#ready-background", "strong");
  await one.page.locator("#ready-why", { hasText: "You cannot be told from what is behind you here, so all of your picture is blurred" }).waitFor();
  await become(one.page, "blurred", (left, right) => left.contrast < FLAT && right.contrast < FLAT);
  await one.page.selectOption("#ready-background", "none");
  await become(one.page, "as it is", (left, right) => left.contrast > SHARP && right.contrast > SHARP);
  assert.equal(await one.page.locator("#ready-why").isVisible(), false);
  await one.close();

  const other = await open({ change: (context) => context.route("**/background-worker.js", (route) => route.fulfill({ status: 404, body: "" })) });
  await other.page.selectOption("#ready-background", "strong");
  await other.page.locator("#ready-why", { hasText: "Your background cannot be changed in this browser, so the camera is off" }).waitFor();
  assert.equal(await other.page.locator("#ready-video").isVisible(), false);
  await other.page.selectOption("#ready-background", "none");
  await sees(other.page);
  await become(other.page, "as it is", (left, right) => left.contrast > SHARP && right.contrast > SHARP);
  assert.equal(await other.page.locator("#ready-why").isVisible(), false);
  await other.close();
});

test("a camera that blurs by itself does, and one that is told otherwise by somebody else is blurred here", async () => {
  const { page, errors, asked, close } = await open({ prepare: () => {
    Object.assign(globalThis, { blurs: false, refuses: false });
    const { getSettings } = MediaStreamTrack.prototype;
    Object.assign(MediaStreamTrack.prototype, {
      getCapabilities: () => ({ backgroundBlur: [false, true] }),
      getSettings() {
        return { ...getSettings.call(this), backgroundBlur: globalThis.blurs };
      },
      async applyConstraints({ backgroundBlur: { exact } }) {
        globalThis.camera = this;
        if (!globalThis.refuses) globalThis.blurs = exact;
      },
    });
  } });
  await page.selectOption("#ready-background", "light");
  await until("the camera does it", () => page.evaluate(() => globalThis.blurs));
  await page.waitForTimeout(500);
  assert.deepEqual(asked.filter((url) => /background-worker/.test(url)), []);
  await page.selectOption("#ready-background", "none");
  await until("and not any more", () => page.evaluate(() => !globalThis.blurs));
  await page.selectOption("#ready-background", "strong");
  await until("the camera does it", () => page.evaluate(() => globalThis.blurs));
  await page.evaluate(() => {
    Object.assign(globalThis, { blurs: false, refuses: true });
    globalThis.camera.dispatchEvent(new Event("configurationchange"));
  });
  await become(page, "the page does it", (left, right) => left.contrast > SHARP && right.contrast < FLAT);
  assert.deepEqual(errors, []);
  await close();
});

test("a browser without processors of tracks has other backgrounds, too, and one that turns its camera off and on again", async () => {
  const { page, errors, close } = await open({ prepare: () => {
    delete globalThis.MediaStreamTrackProcessor;
    delete globalThis.MediaStreamTrackGenerator;
  } });
  await page.selectOption("#ready-background", "strong");
  await become(page, "blurred", (left, right) => left.contrast > SHARP && right.contrast < FLAT);
  await page.click("#ready-video-button");
  await page.locator("#ready-off", { hasText: "Your camera is off" }).waitFor();
  await page.click("#ready-video-button");
  await sees(page);
  await become(page, "blurred again", (left, right) => left.contrast > SHARP && right.contrast < FLAT);
  await page.selectOption("#ready-size", "small");
  await until("the size is another", () => page.locator("#ready-video").evaluate((video) => video.videoWidth === 320));
  await become(page, "blurred still", (left, right) => left.contrast > SHARP && right.contrast < FLAT);
  assert.deepEqual(errors, []);
  await close();
});
