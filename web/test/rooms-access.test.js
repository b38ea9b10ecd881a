// The rooms of a hub that asks, in a real Chromium. Needs what page.test.js needs.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { answers, bin, launch, start, stopAll, until } from "../browser/programs.js";

const port = Number(process.env.STREAMFLOW_ROOMS_ACCESS_TEST_PORT ?? 18389);
const address = `http://127.0.0.1:${port}/`;
const secret = () => randomBytes(16).toString("base64url");
const secrets = { owner: secret(), view: secret() };
let folder, browser, room;

before(async () => {
  assert.ok(bin, "build the programs first");
  folder = await mkdtemp(`${tmpdir()}/streamflow-rooms-`);
  const rule = (name, roles) => `[[secret]]\nname = "${name}"\nsecret = "${secrets[name]}"\nrole = ${JSON.stringify(roles)}\nstream = ["*"]\n`;
  await writeFile(`${folder}/access.toml`, rule("owner", ["view", "publish", "operate", "admin"]) + rule("view", ["view"]));
  start("streamflow-hub", "--port", String(port), "--access", `${folder}/access.toml`, "--state", folder);
  await answers(address);
  const headers = { Authorization: `Bearer ${secrets.owner}`, "Content-Type": "application/json" };
  const answer = await fetch(`${address}rooms`, { method: "POST", headers, body: JSON.stringify({ title: "Behind the door", host_name: "Olga" }) });
  room = await answer.json();
  browser = await launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
});

after(async () => {
  await browser?.close();
  stopAll();
  await rm(folder, { recursive: true, force: true });
});

async function open(path) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 720 } });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(address + path);
  return { page, errors, close: () => context.close() };
}

async function show(page, text) {
  await page.locator("#gate-text").waitFor();
  await page.fill("#gate-text", text);
  await page.keyboard.press("Enter");
}

async function enter(page, name) {
  await page.fill("#ready-name", name);
  await page.click("#ready-go");
  await page.locator(`.person[data-name="${name}"].has-picture`).waitFor();
}

test("the lobby and a room ask for a link or a secret, and nothing of a room is told before", async () => {
  const { page, errors, close } = await open("rooms");
  await page.locator("#gate-text").waitFor();
  assert.equal(await page.locator(".card").count(), 0);
  await show(page, "not the secret of this hub");
  await page.locator("#gate-why", { hasText: "this hub does not know it" }).waitFor();
  await show(page, secrets.owner);
  await page.locator(".card", { hasText: "Behind the door" }).waitFor();
  await page.locator(".card a").click();
  await page.locator("#ready-title", { hasText: "Behind the door" }).waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test("who invites gives a link that lets somebody in, with camera and chat, and nothing else", async () => {
  const owner = await open(`rooms/${room.room_id}`);
  await show(owner.page, secrets.owner);
  await enter(owner.page, "Olga");
  await owner.page.click("#invite-button");
  await until("a link", async () => /#token=/.test(await owner.page.inputValue("#invite-url")));
  const link = await owner.page.inputValue("#invite-url");
  assert.ok(link.startsWith(`${address}rooms/${room.room_id}#token=`));
  assert.ok(await owner.page.locator("#invite-qr").evaluate((canvas) => canvas.width > 200));
  await owner.page.click("#invite .close");

  const guest = await open(link.slice(address.length));
  await guest.page.locator("#ready-title", { hasText: "Behind the door" }).waitFor();
  assert.equal(guest.page.url(), `${address}rooms/${room.room_id}`, "the token is in the address no more");
  await enter(guest.page, "Gast");
  await owner.page.locator('.person[data-name="Gast"]').waitFor();
  await guest.page.keyboard.press("c");
  await guest.page.fill("#chat-text", "let in");
  await guest.page.keyboard.press("Enter");
  await owner.page.click("#chat-button");
  await owner.page.locator("#chat-log .text", { hasText: "let in" }).waitFor();
  await guest.page.keyboard.press("Escape");
  assert.equal(await guest.page.locator('.person[data-name="Olga"] .remove').isVisible(), false);
  const answer = await guest.page.evaluate((id) => fetch(`rooms/${id}/close`, { method: "POST" }).then(({ status }) => status), room.room_id);
  assert.ok([401, 403].includes(answer), String(answer));
  await guest.page.click("#invite-button");
  assert.match(await guest.page.locator("#invite-words").textContent(), /asks whoever opens it/);
  assert.deepEqual([owner.errors, guest.errors], [[], []]);
  await Promise.all([owner.close(), guest.close()]);
});

test("who may only watch is told so, and is let in with more", async () => {
  const { page, errors, close } = await open(`rooms/${room.room_id}`);
  await show(page, secrets.view);
  await page.locator("#gate-why", { hasText: "does not let you into this room" }).waitFor();
  await show(page, secrets.owner);
  await page.locator("#ready-title", { hasText: "Behind the door" }).waitFor();
  await enter(page, "Vera");
  assert.deepEqual(errors, []);
  await close();
});
