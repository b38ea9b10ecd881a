// Words of others that are markup, in a real Chromium: names, titles, chat and metadata in lobby, room and wall stay text.
// Needs what page.test.js needs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, bin, launch, start, stopAll, until } from "../browser/programs.js";

const port = Number(process.env.STREAMFLOW_HOSTILE_TEST_PORT ?? 18391);
const address = `http://127.0.0.1:${port}/`;
/** Short enough for the field of a name. */
const evil = (what) => `<img src=x onerror=acted='${what}'><b class=evil>`;
let browser;

before(async () => {
  assert.ok(bin, "build the programs first");
  start("streamflow-hub", "--port", String(port));
  await answers(address);
  browser = await launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
});

after(async () => {
  await browser?.close();
  stopAll();
});

async function post(path, value) {
  const answer = await fetch(address + path, { method: "POST", body: JSON.stringify(value), headers: { "Content-Type": "application/json" } });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
}

/** A page, and everything by which it tells that something of it acted. */
async function open(path) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  // Of a machine that is busy a page with two people is slow.
  page.setDefaultTimeout(60_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) errors.push(message.text());
  });
  page.on("request", (request) => {
    if (/\/x$/.test(request.url())) errors.push(`asked for ${request.url()}`);
  });
  page.on("dialog", (dialog) => errors.push(dialog.message()));
  await page.goto(address + path);
  return { page, errors, close: () => context.close() };
}

const acted = (page) => page.evaluate(() => [window.acted ?? "", document.querySelectorAll("img[src='x'], .evil, [onerror]").length]);
const shows = (page, words) => until(`the page shows ${words}`, async () => (await page.locator("body").textContent()).includes(words));

test("markup in the names, titles and texts of others stays text in the lobby and in a room", async () => {
  const [title, host, guest, text] = ["title", "host", "guest", "text"].map(evil);
  const { room_id: room } = await post("rooms", { title, host_name: host });
  await post(`rooms/${room}/messages`, { user_name: guest, text, color: "red;background:url(x)" });
  const inside = await open(`rooms/${room}`);
  await shows(inside.page, title);
  await inside.page.fill("#ready-name", host);
  await inside.page.click("#ready-go");
  await inside.page.locator(".person .plate", { hasText: host }).waitFor();
  // Somebody else of such a name, who comes, is seen, says something and goes.
  const other = await open(`rooms/${room}`);
  await other.page.fill("#ready-name", guest);
  await other.page.click("#ready-go");
  await inside.page.locator(".person .plate", { hasText: guest }).waitFor();
  await inside.page.locator("#chat-log .text", { hasText: text }).waitFor({ state: "attached" });
  await inside.page.keyboard.press("t");
  const lobby = await open("rooms");
  for (const words of [title, host]) await shows(lobby.page, words);
  await lobby.page.fill("#search", guest);
  await shows(lobby.page, title);
  await lobby.page.fill("#search", evil("nothing"));
  await lobby.page.locator("#not-found", { hasText: evil("nothing") }).waitFor();
  await other.close();
  await shows(inside.page, `${guest} left`);
  for (const { page, errors } of [inside, lobby]) {
    assert.deepEqual(await acted(page), ["", 0]);
    assert.deepEqual(errors, []);
  }
  if (process.env.STREAMFLOW_SHOTS) {
    await inside.page.screenshot({ path: `${process.env.STREAMFLOW_SHOTS}/hostile-room.png` });
    await lobby.page.fill("#search", "");
    await lobby.page.screenshot({ path: `${process.env.STREAMFLOW_SHOTS}/hostile-lobby.png` });
  }
  await Promise.all([inside.close(), lobby.close()]);
});

test("so do the name of a camera that a worker posts and its metadata, nested or not, on the wall and on the stage", async () => {
  const camera = evil("camera");
  const { page, errors, close } = await open("");
  const jpeg = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(640, 480);
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
  });
  const metadata = { [evil("key")]: evil("value"), track_ids: [42, 43, 44], box: { at: [1, 2], deep: evil("deep") } };
  await post("api/broadcast-detection", { camera_id: camera, frame_base64: jpeg, metadata });
  await shows(page, camera);
  const { 0: { stream } } = await (await fetch(`${address}api/cameras`)).json();
  await page.goto(`${address}#/${stream}`);
  await until("its metadata are in the statistics", async () => (await page.locator("#overlay .metadata div").count()) === 3);
  const lines = await page.locator("#overlay .metadata div").allTextContents();
  assert.ok(lines.includes("track_ids42, 43, 44"), String(lines));
  assert.ok(lines.some((line) => line.startsWith("boxat (1, 2), deep <img src=x")), String(lines));
  assert.deepEqual(await acted(page), ["", 0]);
  assert.deepEqual(errors, []);
  if (process.env.STREAMFLOW_SHOTS) await page.screenshot({ path: `${process.env.STREAMFLOW_SHOTS}/metadata.png` });
  await close();
});
