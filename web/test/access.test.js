// The page of a hub that asks, in a real Chromium, over TLS and in the clear. Needs what page.test.js needs.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { answers, bin, launch, start, startWith, stop, stopAll, until } from "../browser/programs.js";

const port = Number(process.env.STREAMFLOW_ACCESS_TEST_PORT ?? 18381);
const [address, secure] = [`http://127.0.0.1:${port}/`, `https://127.0.0.1:${port}/`];
const secret = () => randomBytes(16).toString("base64url");
const secrets = { view: secret(), owner: secret(), other: secret() };
const SEALED = "AAECAwQFBgcICQoLDA0ODw";
const ASKS = "This hub asks for a link or a secret";
let folder, hub, browser;

async function startHub() {
  hub = start("streamflow-hub", "--port", String(port), "--access", `${folder}/access.toml`, "--state", folder);
  await answers(address);
}

/** A link of the hub, as whoever runs it makes one. */
async function link(...options) {
  const line = ["link", "--json", "--state", folder, "--host", `127.0.0.1:${port}`, ...options];
  return JSON.parse((await promisify(execFile)(`${bin}streamflow-hub`, line)).stdout);
}

/** A page in a browser of its own. */
async function open(at, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 720 }, ignoreHTTPSErrors: true, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) errors.push(message.text());
  });
  await page.goto(at);
  return { page, errors, close: () => context.close() };
}

const isLive = (page) => page.evaluate(() => globalThis.streamflow?.report?.state === "live");
const live = (page) => until("pictures", () => isLive(page));
const asked = (page) => page.getByText(ASKS).waitFor();
const told = (page, words) => page.locator("#gate-why", { hasText: words }).waitFor();
const why = (page) => page.locator("#gate-why").textContent();
const kept = (page) => page.evaluate(() => Object.values({ ...sessionStorage }));

async function type(page, text) {
  await page.fill("#gate-text", text);
  await page.keyboard.press("Enter");
}

before(async () => {
  assert.ok(bin, "build the programs first");
  folder = await mkdtemp(`${tmpdir()}/streamflow-access-`);
  const rule = (name, roles, streams) => `[[secret]]\nname = "${name}"\nsecret = "${secrets[name]}"\nrole = ${JSON.stringify(roles)}
stream = ${JSON.stringify(streams)}\n`;
  await writeFile(`${folder}/access.toml`, rule("view", ["view"], ["main"])
    + rule("owner", ["view", "publish", "operate", "admin"], ["*"]) + rule("other", ["view"], ["lab"]));
  await writeFile(`${folder}/key`, SEALED);
  await startHub();
  const send = (...options) => startWith({ STREAMFLOW_TOKEN: secrets.owner, STREAMFLOW_STATE: `${folder}/sender` }, "streamflow-send",
    "--source", "pattern", "--host", `127.0.0.1:${port}`, "--quiet", ...options);
  send("--name", "door");
  send("--name", "sealed", "--key-file", `${folder}/key`);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  stopAll();
  await rm(folder, { recursive: true, force: true });
});

test("a page that shows nothing is asked for a link or a secret, and a secret that is typed shows the picture", async () => {
  for (const at of [address, secure]) {
    const { page, errors, close } = await open(`${at}#/main/door`);
    await asked(page);
    assert.equal(await why(page), "");
    assert.equal(await page.locator("#stage").isVisible(), false);
    await type(page, "not the secret of this hub");
    await told(page, "this hub does not know it");
    await page.click("#gate-show");
    assert.equal(await page.getAttribute("#gate-text", "type"), "text");
    await type(page, secrets.view);
    await live(page);
    assert.equal(await page.locator("#gate").isVisible(), false);
    const lock = page.locator("#stage .lock");
    await until("the lock says how it is", async () => (await lock.textContent()) === (at === secure ? "Encrypted" : "On this machine"));
    assert.deepEqual(errors, []);
    await close();
  }
});

test("the list of streams asks as well, and shows what may be watched", async () => {
  const { page, errors, close } = await open(address);
  await asked(page);
  await type(page, secrets.view);
  await page.locator('.tile[data-stream="main/door"].live').waitFor();
  await until("the summary", async () => /^\d live$/.test(await page.locator("#summary").textContent()));
  assert.equal(await page.locator("#top .share").isVisible(), false, "who may not give links away is not offered to");
  assert.deepEqual(errors, []);
  await close();
});

test("a link lets the page in, and its token is in the address bar no more, but kept for a restart of the hub", async () => {
  const { url } = await link("--view", "main/door");
  const { page, errors, close } = await open(url);
  await live(page);
  assert.equal(await page.evaluate(() => location.hash), "#/main/door");
  assert.equal(await page.locator("#gate").isVisible(), false);
  await stop(hub);
  await until("it is gone", async () => !(await isLive(page)));
  await startHub();
  await live(page);
  // As in a browser that has lost its cookies.
  await page.context().clearCookies();
  await page.reload();
  await live(page);
  assert.deepEqual(errors, []);
  await close();
});

test("a link with a key opens a sealed stream, and the key stays in the address", async () => {
  const { url } = await link("--view", "main/sealed");
  const { page, close } = await open(`${url}&key=${SEALED}`);
  await live(page);
  assert.equal(await page.evaluate(() => location.hash), `#/main/sealed&key=${SEALED}`);
  await page.locator('#stage .lock[data-kind="sealed"]').waitFor();
  await page.click("#stage .lock");
  await page.getByText("This stream is encrypted end to end: the hub cannot see its pictures.").waitFor();
  await close();
});

test("a whole link can be pasted, but one of another hub is not shown to this one unasked", async () => {
  const { join } = await link("--view", "main/door");
  const { page, close } = await open(address);
  await asked(page);
  await type(page, join.replace("127.0.0.1", "192.0.2.7"));
  await told(page, `This link is for 192.0.2.7:${port}`);
  assert.deepEqual(await kept(page), []);
  await type(page, join);
  await live(page);
  assert.equal(await page.evaluate(() => location.hash), "#/main/door");
  await close();
});

/** Until the hub does not take the token of a link any more. */
async function over(url) {
  const headers = { authorization: `Bearer ${url.split("token=")[1]}` };
  await until("it is over", async () => (await fetch(`${address}api/session`, { method: "POST", headers })).status === 401);
}

const revoke = (id) => promisify(execFile)(`${bin}streamflow-hub`, ["link", "revoke", id, "--state", folder]);

test("a link that ended, was revoked or is unknown says so, is not kept, and the form takes another", async () => {
  const [ended, revoked] = [await link("--view", "main/door", "--for", "1s"), await link("--view", "main/door")];
  await revoke(revoked.id);
  await over(ended.url);
  await over(revoked.url);
  const { page, errors, close } = await open(address);
  for (const [at, words] of [[ended.url, "the link ended at"], [revoked.url, "the link was revoked"],
    [`${secure}#/main/door&token=a.b.c`, "this hub does not know it"]]) {
    await page.goto("about:blank");
    await page.goto(at);
    await told(page, words);
    assert.doesNotMatch(page.url(), /token/);
    assert.deepEqual(await kept(page), []);
  }
  await type(page, secrets.view);
  await live(page);
  assert.deepEqual(errors, []);
  await close();
});

test("a right that ends while its picture is watched takes the picture away and says why", async () => {
  const { url, id } = await link("--view", "main/door");
  const { page, close } = await open(url);
  await live(page);
  await revoke(id);
  await told(page, "the link was revoked");
  assert.equal(await page.locator("#stage").isVisible(), false);
  const tries = [];
  page.on("websocket", (socket) => tries.push(socket.url()));
  await type(page, secrets.other);
  // What that is for is said, and nothing is tried without end.
  await told(page, "which is for: view lab/*");
  assert.ok(tries.length <= 2, `${tries.length} tries`);
  await page.click("#gate-else");
  await page.getByText("Nothing is live yet").waitFor();
  await close();

  const second = await link("--view", "main/door");
  const wall = await open(second.url);
  await live(wall.page);
  await wall.page.keyboard.press("q");
  await wall.page.locator('.tile[data-stream="main/door"].live').waitFor();
  await revoke(second.id);
  await told(wall.page, "the link was revoked");
  assert.equal(await wall.page.locator(".tile").count(), 0, "the wall keeps no picture either");
  await wall.close();
});

test("whoever tries too many secrets is told to wait", async () => {
  const { page, close } = await open(address);
  await asked(page);
  await page.route("**/api/session", (r) => (r.request().method() === "POST" ? r.fulfill({ status: 429,
    contentType: "text/plain", body: "too many wrong secrets came from your address; wait a minute\n" }) : r.continue()));
  await type(page, "guess");
  await told(page, "wait a minute");
  await close();
});

test("a link that is made in the page lets another browser watch, and no more", async () => {
  const { page, errors, close } = await open(`${secure}#/main/door`);
  await type(page, secrets.owner);
  await live(page);
  await page.click("#stage .share");
  assert.equal(await page.locator("#share-keyed").isVisible(), false);
  await page.selectOption("#share-for", "1h");
  await page.click("#share-make");
  await page.locator("#share-qr").waitFor();
  await until("the code is drawn", () => page.evaluate(() => document.getElementById("share-qr").naturalWidth > 0));
  assert.match(await page.locator("#share-ends").textContent(), /^It ends in (59|60) min/);
  // Without TLS, for the hub's certificate is its own.
  const player = (await page.inputValue("#share-stream")).replace(/^https/, "http");
  const played = new AbortController();
  assert.equal((await fetch(player, { signal: played.signal })).status, 200, "a player needs no more than its address");
  played.abort();
  assert.equal((await fetch(player.split("?")[0])).status, 401);
  assert.match(await page.inputValue("#share-join"), /^streamflow-view --join 'sf:\/\/127\.0\.0\.1:\d+\/main\/door#pin=.*&token=.*'$/);
  const url = await page.inputValue("#share-url");
  assert.deepEqual(errors, []);
  await close();

  const other = await open(url);
  await live(other.page);
  assert.equal(await other.page.locator("#stage .share").isVisible(), false);
  await other.page.click("#stage .lock");
  await other.page.getByText("Watch main/door").waitFor();
  assert.match(await other.page.locator("#rights-ends").textContent(), /^It ends in (59|60) min/);
  await other.page.evaluate(() => document.querySelector("#rights .close").click());
  await other.page.evaluate(() => (location.hash = "#/main/sealed"));
  await told(other.page, "which is for: view main/door");
  assert.deepEqual(other.errors, []);
  await other.close();
});

test("the key of a sealed stream goes with a link only where that is chosen", async () => {
  const { page, close } = await open(`${secure}#/main/sealed&key=${SEALED}`);
  await type(page, secrets.owner);
  await live(page);
  await page.keyboard.press("l");
  assert.equal(await page.isChecked("#share-key"), false);
  await page.click("#share-make");
  await page.locator("#share-qr").waitFor();
  assert.doesNotMatch(await page.inputValue("#share-url") + await page.inputValue("#share-join"), /key=/);
  await page.click("#share-again");
  await page.check("#share-key");
  await page.check("#share-once");
  await page.click("#share-make");
  await page.getByText("It is for the first who opens it.").waitFor();
  const url = await page.inputValue("#share-url");
  assert.ok(url.endsWith(`&key=${SEALED}`));
  assert.equal(await page.locator("#share-qr").isVisible(), false);
  await close();

  const first = await open(url);
  await live(first.page);
  await first.page.reload();
  await live(first.page);
  const second = await open(url);
  await asked(second.page);
  assert.match(await why(second.page), /it was for one session/);
  await first.close();
  await second.close();
});

test("a link that is forgotten lets nobody in any more", async () => {
  const { url } = await link("--view", "main/door");
  const { page, errors, close } = await open(url);
  await live(page);
  await page.click("#stage .lock");
  await page.click("#forget");
  await asked(page);
  assert.deepEqual(await kept(page), []);
  await page.reload();
  await asked(page);
  await page.goto(address);
  await asked(page);
  assert.deepEqual(errors, []);
  await close();
});

test("whoever logs out in one tab is out in all of this browser's, and nobody else is", async () => {
  const { url } = await link("--view", "main/door");
  const [{ page, errors, close }, other] = [await open(url), await open(url)];
  const tab = await page.context().newPage();
  await tab.goto(url);
  await Promise.all([live(page), live(tab), live(other.page)]);
  // The bar has gone meanwhile, and comes when the mouse moves.
  await page.locator("#stage .lock").evaluate((button) => button.click());
  await page.click("#forget");
  await Promise.all([asked(page), asked(tab)]);
  assert.deepEqual(await kept(tab), []);
  assert.equal(await isLive(other.page), true);
  assert.deepEqual(errors, []);
  await Promise.all([close(), other.close()]);
});

test("a phone has room for the form, the lock and the link", async () => {
  const { page, close } = await open(`${secure}#/main/door`, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  const fits = async (...ids) => {
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
    for (const id of ids) {
      const box = await page.locator(id).boundingBox();
      assert.ok(box && box.x >= 0 && box.x + box.width <= 390 && box.height >= 34, id);
    }
  };
  await asked(page);
  await fits("#gate-text", "#gate-show", "#gate-go");
  await type(page, secrets.owner);
  await live(page);
  await fits("#stage .lock", "#stage .share", "#quality");
  await page.tap("#stage .share");
  await page.tap("#share-make");
  await page.locator("#share-qr").waitFor();
  await fits("#share-url", "#share-join", "#share-again");
  await close();
});

test("where a hub asks nobody its address is shared, and the page says that it is not encrypted but on this machine", async () => {
  const free = `http://127.0.0.1:${port + 1}/`;
  const own = start("streamflow-hub", "--port", String(port + 1));
  await answers(free);
  start("streamflow-send", "--source", "pattern", "--host", `127.0.0.1:${port + 1}`, "--name", "door", "--quiet");
  const { page, errors, close } = await open(`${free}#/main/door&token=of-another-hub`);
  await live(page);
  assert.equal(await page.evaluate(() => location.hash), "#/main/door");
  assert.deepEqual(await kept(page), []);
  await page.click("#stage .share");
  assert.equal(await page.inputValue("#share-url"), `${free}#/main/door`);
  await page.click("#share-made .close");
  await page.click("#stage .lock");
  await page.getByText("Everything: this hub asks nobody").waitFor();
  assert.equal(await page.locator("#rights-title").textContent(), "On this machine");
  assert.equal(await page.locator("#forget").isVisible(), false);
  assert.deepEqual(errors, []);
  await close();
  await stop(own);
});
