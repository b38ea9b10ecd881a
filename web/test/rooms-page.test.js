// The lobby and the rooms in a real Chromium, with its fake camera and microphone, against real programs. Needs what
// page.test.js needs. STREAMFLOW_ROOMS_URL is a hub that runs already, and STREAMFLOW_ROOMS_HUB where its senders go.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, bin, launch, start, stop, stopAll, until } from "../browser/programs.js";

const port = Number(process.env.STREAMFLOW_ROOMS_TEST_PORT ?? 18387);
const address = process.env.STREAMFLOW_ROOMS_URL ?? `http://127.0.0.1:${port}/`;
const hub = process.env.STREAMFLOW_ROOMS_HUB ?? `127.0.0.1:${port}`;
const DESK = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
let browser;

before(async () => {
  assert.ok(bin, "build the programs first");
  if (!process.env.STREAMFLOW_ROOMS_URL) start("streamflow-hub", "--port", String(port));
  await answers(address);
  browser = await launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
});

after(async () => {
  await browser?.close();
  stopAll();
});

const send = (room, name, size = "320x240") => start("streamflow-send", "--source", "pattern", "--room", room, "--name", name, "--size", size,
  "--fps", "5", "--host", hub, "--quiet");

async function make(title, host) {
  const answer = await fetch(`${address}rooms`, { method: "POST", body: JSON.stringify({ title, host_name: host }), headers: { "Content-Type": "application/json" } });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
}

async function open(path, options = DESK, prepare = () => {}, argument = null) {
  const context = await browser.newContext(options);
  await context.addInitScript(prepare, argument);
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) errors.push(message.text());
  });
  await page.goto(address + path);
  return { page, errors, close: () => context.close() };
}

/** Somebody in a room. */
async function enter(room, name, options = DESK, prepare = () => {}, argument = null) {
  const opened = await open(`rooms/${room}`, options, prepare, argument);
  await opened.page.fill("#ready-name", name);
  await opened.page.click("#ready-go");
  await person(opened.page, name).waitFor();
  return opened;
}

const person = (page, name) => page.locator(`.person[data-name="${name}"]`);
const is = (page, name, kind) => person(page, name).and(page.locator(`.${kind}`));
const said = (page) => page.locator("#chat-log .text").allTextContents();
const asHost = ([id, token]) => localStorage.setItem("streamflow-room-tokens /", JSON.stringify([[id, token]]));

test("a room is made in the lobby, and one enters it after a look at oneself", async () => {
  const { page, errors, close } = await open("rooms");
  await page.click("#new-room");
  await page.fill("#make-title", "Made <b>here</b>");
  await page.fill("#make-name", "Ann Lee");
  await page.click("#make-go");
  await page.locator("#ready-title", { hasText: "Made <b>here</b>" }).waitFor();
  assert.equal(await page.inputValue("#ready-name"), "Ann Lee", "the name is remembered");
  await until("one sees oneself", () => page.locator("#ready-video").evaluate((video) => video.videoWidth > 0 && !video.paused));
  assert.equal(await page.locator("#ready-video").evaluate((video) => getComputedStyle(video).transform), "matrix(-1, 0, 0, 1, 0, 0)", "mirrored");
  await until("the level moves", () => page.locator("#ready-level").evaluate((meter) => Number(meter.style.getPropertyValue("--level")) > 0.2));
  assert.deepEqual(await page.locator("#ready-noise option").allTextContents(), ["Suppressed by the browser", "Suppressed more strongly, by RNNoise", "Left as it is, for music"]);
  assert.ok(await page.locator("#ready-camera option").count() > 0);
  assert.ok(await page.locator("#ready-microphone option").count() > 1);
  await page.selectOption("#ready-size", "small");
  await until("the size is as chosen", () => page.locator("#ready-video").evaluate((video) => video.videoWidth === 320 && video.videoHeight === 180));
  await page.click("#ready-go");
  await is(page, "Ann Lee", "has-picture").waitFor();
  assert.equal(await page.title(), "Made <b>here</b> · StreamFlow");
  assert.match(await person(page, "Ann Lee").locator(".plate").textContent(), /Ann Lee \(you\)Host/);
  await page.locator("#alone").waitFor();
  await page.click("#leave");
  await page.click("#leave-all");
  await page.locator("#lobby").waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test("the lobby has title, host, who is there and the newest picture of each room, and finds one", async () => {
  const [one, other] = [await make("Blue room", "Björn"), await make("Green room", "Chloé")];
  const sender = send(one.room_id, "arm");
  const ann = await enter(one.room_id, "Dana");
  const { page, errors, close } = await open("rooms");
  const card = (room) => page.locator(`.card[data-room="${room.room_id}"]`);
  await card(one).and(page.locator(".has-picture")).waitFor();
  assert.match(await card(one).textContent(), /Blue room.*by Björn/s);
  await until("who is there", async () => (await card(one).locator(".count").textContent()) === "1 person, 1 camera");
  assert.equal(await card(other).locator(".count").textContent(), "nobody here");
  let pictures = 0;
  page.on("request", (request) => (pictures += Number(request.url().includes(`${one.room_id}/thumbnail`))));
  await page.waitForTimeout(3200);
  assert.ok(pictures >= 2 && pictures <= 5, `${pictures} pictures in 3 s`);
  await page.fill("#search", "green");
  assert.equal(await card(one).count(), 0);
  await page.fill("#search", "dana");
  assert.deepEqual([await card(one).count(), await card(other).count()], [1, 0]);
  await page.fill("#search", "no such thing");
  assert.match(await page.locator("#not-found").textContent(), /no such thing/);
  await page.fill("#search", "");
  await card(one).locator("a").click();
  await page.locator("#ready-who", { hasText: "Dana" }).waitFor();
  assert.deepEqual(errors, []);
  await Promise.all([close(), ann.close(), stop(sender)]);
});

test("a link or a name typed in the lobby leads to the room", async () => {
  const { page, close } = await open("rooms");
  await page.fill("#go-room", "some room");
  await page.click("#go-form button");
  await page.locator("#ready-title", { hasText: "some room" }).waitFor();
  assert.equal(page.url(), `${address}rooms/some%20room`);
  await page.goto(`${address}rooms`);
  await page.fill("#go-room", `${address}rooms/abc`);
  await page.keyboard.press("Enter");
  await page.locator("#ready-title", { hasText: "abc" }).waitFor();
  await close();
});

test("what is turned on and off is seen by others: the microphone, the camera, and a screen instead of it", async () => {
  const room = await make("Switches", "Ann");
  const [ann, bo] = [await enter(room.room_id, "Ann"), await enter(room.room_id, "Bo")];
  await person(ann.page, "Bo").waitFor();
  await is(ann.page, "Ann", "has-picture").waitFor();
  await ann.page.click("#sound");
  await is(bo.page, "Ann", "is-muted").waitFor();
  assert.match(await ann.page.getAttribute("#sound", "title"), /^Unmute/);
  await ann.page.keyboard.press("a");
  await until("Ann is not muted any more", async () => (await is(bo.page, "Ann", "is-muted").count()) === 0);
  // Somebody who speaks: a browser on a busy machine hears its own microphone now and then only, and what is heard has rules of its own.
  await bo.page.evaluate((room) => {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws/${room}/Cy`);
    Object.assign(window, { say: (/** @type {object} */ message) => socket.send(JSON.stringify(message)) });
    return new Promise((resolve) => socket.addEventListener("open", resolve));
  }, room.room_id);
  const speak = (/** @type {boolean} */ speaks) =>
    bo.page.evaluate((is_speaking) => Object(window).say({ type: "audio_activity", is_speaking }), speaks);
  await person(ann.page, "Cy").waitFor();
  await speak(true);
  await is(ann.page, "Cy", "speaks").waitFor();
  await speak(false);
  await until("Cy does not speak any more", async () => (await is(ann.page, "Cy", "speaks").count()) === 0);
  await ann.page.click("#video");
  await until("initials", async () => (await is(ann.page, "Ann", "has-picture").count()) === 0);
  await until("others know", async () => /no picture/.test(await person(bo.page, "Ann").getAttribute("aria-label")));
  assert.equal(await person(bo.page, "Ann").locator(".letters").textContent(), "A");
  await ann.page.keyboard.press("v");
  await is(ann.page, "Ann", "has-picture").waitFor();
  await until("others know", async () => !/no picture/.test(await person(bo.page, "Ann").getAttribute("aria-label")));
  const mirrored = () => person(ann.page, "Ann").locator("video").evaluate((video) => video.classList.contains("mirrored"));
  assert.equal(await mirrored(), true);
  await ann.page.keyboard.press("m");
  assert.equal(await mirrored(), false);
  await ann.page.keyboard.press("m");
  await ann.page.click("#devices");
  await ann.page.selectOption("#room-size", "small");
  await until("the size is another", () => person(ann.page, "Ann").locator("video").evaluate((video) => video.videoHeight === 180));
  await ann.page.selectOption("#room-size", "medium");
  await ann.page.click("#choosing .close");
  // There is no screen here: what the browser would give is a picture of our own.
  await ann.page.evaluate(() => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [800, 800];
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    navigator.mediaDevices.getDisplayMedia = async () => (globalThis.shown = canvas.captureStream(5));
    globalThis.painting = setInterval(() => canvas.getContext("2d").fillRect(Math.random() * 700, 0, 9, 9), 100);
  });
  await ann.page.click("#present");
  await until("the screen is seen, as it is", async () => (await person(ann.page, "Ann").locator("video").evaluate((video) => video.videoWidth)) === 800 && !(await mirrored()));
  await ann.page.keyboard.press("d");
  await until("the camera again", async () => (await person(ann.page, "Ann").locator("video").evaluate((video) => video.videoWidth)) !== 800 && (await mirrored()));
  assert.deepEqual([ann.errors, bo.errors], [[], []]);
  await Promise.all([ann.close(), bo.close()]);
});

test("streams of programs are people, too: large by a click, with numbers, saved, and in full screen", async () => {
  const room = await make("Streams", "Ann");
  const senders = [send(room.room_id, "arm"), send(room.room_id, "hand", "240x320")];
  const { page, errors, close } = await enter(room.room_id, "Ann");
  await is(page, "arm", "has-picture").waitFor();
  await is(page, "hand", "has-picture").waitFor();
  const box = (name) => person(page, name).boundingBox();
  await until("each has its shape", async () => {
    const [arm, hand] = [await box("arm"), await box("hand")];
    return Math.abs(arm.width / arm.height - 4 / 3) < 0.02 && Math.abs(hand.width / hand.height - 3 / 4) < 0.02;
  });
  await person(page, "arm").locator(".open").click();
  await until("it is large", async () => (await box("arm")).width > 3 * (await box("hand")).width);
  await page.keyboard.press("Escape");
  await until("all are again", async () => (await box("arm")).width < 3 * (await box("hand")).width);
  await page.keyboard.press("2");
  await is(page, "hand", "pinned").waitFor();
  await page.keyboard.press("2");
  assert.equal(await person(page, "arm").locator(".numbers").isVisible(), false);
  await page.keyboard.press("t");
  await until("numbers", async () => /^(≈ )?[\d.]+ m?s · \d+ fps · 320×240 · \d+ kB\/s$/.test(await person(page, "arm").locator(".numbers").textContent()));
  assert.equal(await person(page, "arm").locator(".numbers").isVisible(), true);
  await page.click("#statistics");
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
  assert.match(download.suggestedFilename(), /^Streams-\d{8}-\d{6}\.jpg$/);
  await page.keyboard.press("f");
  await until("full screen", () => page.evaluate(() => document.fullscreenElement !== null));
  await page.click("#fullscreen");
  await until("and back", () => page.evaluate(() => document.fullscreenElement === null));
  await page.keyboard.press("?");
  assert.equal(await page.locator("#keys").isVisible(), true);
  assert.ok((await page.locator("#room-keys kbd").count()) > 12);
  await page.keyboard.press("h");
  await stop(senders[0]);
  await until("who is gone is not shown", async () => (await person(page, "arm").count()) === 0, 30_000);
  await page.click("#chat-button");
  await page.locator("#chat-log .event", { hasText: "arm left" }).waitFor();
  assert.deepEqual(errors, []);
  await Promise.all([close(), stop(senders[1])]);
});

test("while nobody sees the page no pictures are sent to it, in the room and in the lobby", async () => {
  const room = await make("Hidden", "Ann");
  const sender = send(room.room_id, "arm");
  const { page, close } = await enter(room.room_id, "Ann");
  await is(page, "arm", "has-picture").waitFor();
  const viewers = async () => {
    const { streams } = await (await fetch(`${address}api/streams?room=${room.room_id}`)).json();
    return streams.find(({ name }) => name === "arm")?.viewers;
  };
  await until("it is watched", async () => (await viewers()) === 1);
  const see = (is) => page.evaluate((is) => {
    Object.defineProperty(document, "visibilityState", { value: is ? "visible" : "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, is);
  await see(false);
  await until("it is not watched", async () => (await viewers()) === 0);
  assert.equal(await person(page, "Ann").count(), 1, "one is still there");
  await see(true);
  await until("it is watched again", async () => (await viewers()) === 1);
  await page.click("#leave");
  await page.click("#leave-only");
  const card = page.locator(`.card[data-room="${room.room_id}"]`);
  await card.and(page.locator(".has-picture")).waitFor();
  await see(false);
  await page.waitForTimeout(300);
  let asked = 0;
  page.on("request", () => asked++);
  await page.waitForTimeout(2500);
  assert.equal(asked, 0);
  await Promise.all([close(), stop(sender)]);
});

test("a picture goes out of the page, where the browser can", async () => {
  const room = await make("Outside", "Ann");
  const sender = send(room.room_id, "arm");
  const { page, errors, close } = await enter(room.room_id, "Ann");
  await is(page, "arm", "has-picture").waitFor();
  const can = await page.evaluate(() => document.pictureInPictureEnabled);
  await page.keyboard.press("p");
  if (can) await until("it is out, or the browser says no", () => page.evaluate(() => document.pictureInPictureElement !== null || /picture in picture/.test(document.getElementById("toast").textContent)));
  else await page.locator("#toast", { hasText: "This browser has no picture in picture." }).waitFor();
  await page.keyboard.press("p");
  assert.deepEqual(errors, []);
  await Promise.all([close(), stop(sender)]);
});

test("chat is text alone, is counted while it is closed, and is there after a reload", async () => {
  const room = await make("Words", "Ann");
  const [ann, bo] = [await enter(room.room_id, "Ann"), await enter(room.room_id, "Bo")];
  await person(ann.page, "Bo").waitFor();
  const markup = "<img src=x onerror=\"document.title='owned'\"> <b>bold</b> \u202egnp";
  await bo.page.keyboard.press("c");
  await bo.page.fill("#chat-text", markup);
  await bo.page.keyboard.press("Enter");
  await bo.page.fill("#chat-text", "two\nlines");
  await bo.page.click("#chat-form button");
  await until("Bo sees it", async () => (await said(bo.page)).length === 2);
  await until("Ann has two to read", async () => (await ann.page.locator("#chat-button .badge").textContent()) === "2");
  assert.equal(await ann.page.getAttribute("#chat-button", "aria-label"), "Chat, 2 unread");
  await ann.page.click("#chat-button");
  assert.deepEqual(await said(ann.page), [markup.replace("\u202e", "\\u{202e}"), "two\nlines"]);
  assert.equal(await ann.page.locator("#chat-log :is(img, b)").count(), 0);
  assert.equal(await ann.page.locator("#chat-button .badge").isVisible(), false);
  await ann.page.locator("#chat-log .event", { hasText: "Bo came in" }).waitFor();
  assert.match(await ann.page.locator("#chat-log .who time").first().textContent(), /\d\d:\d\d/);
  await ann.page.keyboard.type("the keys a, v and t are letters here");
  assert.equal(await ann.page.locator("#chat").isVisible(), true);
  await ann.page.keyboard.press("Escape");
  assert.equal(await ann.page.locator("#chat").isVisible(), false);
  await bo.close();
  await until("Bo left", async () => (await person(ann.page, "Bo").count()) === 0);
  await ann.page.reload();
  await ann.page.click("#ready-go");
  await ann.page.click("#chat-button");
  await until("what was said is there", async () => (await said(ann.page)).length === 2);
  assert.deepEqual(ann.errors, []);
  await ann.close();
});

test("the same name elsewhere takes the place, the older is told and comes back by a button, and neither fights", async () => {
  const room = await make("Twice", "Host");
  const first = await enter(room.room_id, "Ann");
  await first.page.keyboard.press("c");
  await first.page.fill("#chat-text", "once");
  await first.page.keyboard.press("Enter");
  const second = await enter(room.room_id, "Ann");
  await first.page.locator("#over-title", { hasText: "You are in this room elsewhere" }).waitFor();
  await first.page.waitForTimeout(2500);
  assert.equal(await second.page.locator("#room").isVisible(), true, "the older does not come back by itself");
  await first.page.click("#over-again");
  await is(first.page, "Ann", "has-picture").waitFor();
  await second.page.locator("#over-again").waitFor();
  await until("what was said is there once", async () => (await said(first.page)).join() === "once");
  assert.equal(await first.page.locator("#chat-button .badge").count(), 1);
  assert.deepEqual([first.errors, second.errors], [[], []]);
  await Promise.all([first.close(), second.close()]);
});

test("the host mutes and removes somebody, and closes the room; others cannot", async () => {
  const room = await make("Hosted", "Ann");
  const ann = await enter(room.room_id, "Ann", DESK, asHost, [room.room_id, room.host_token]);
  const [bo, cy] = [await enter(room.room_id, "Bo"), await enter(room.room_id, "Cy")];
  await person(cy.page, "Bo").waitFor();
  assert.equal(await person(cy.page, "Bo").locator(".remove").isVisible(), false);
  await person(ann.page, "Bo").hover();
  await person(ann.page, "Bo").locator(".mute").click();
  await is(cy.page, "Bo", "is-muted").waitFor();
  await bo.page.locator("#toast", { hasText: "The host has muted you" }).waitFor();
  await person(ann.page, "Bo").hover();
  await person(ann.page, "Bo").locator(".remove").click();
  await bo.page.locator("#over-title", { hasText: "You were removed" }).waitFor();
  assert.equal(await bo.page.locator("#over-again").isVisible(), false);
  await until("Bo is gone", async () => (await person(cy.page, "Bo").count()) === 0);
  await cy.page.click("#leave");
  await cy.page.locator("#lobby").waitFor();
  await cy.page.goBack();
  await cy.page.click("#ready-go");
  await person(cy.page, "Ann").waitFor();
  await ann.page.click("#leave");
  await ann.page.click("#leaving .close");
  assert.equal(await person(ann.page, "Cy").count(), 1);
  await ann.page.click("#leave");
  await ann.page.click("#leave-all");
  await cy.page.locator("#over-title", { hasText: "The room is closed" }).waitFor();
  await ann.page.locator("#lobby").waitFor();
  assert.deepEqual([ann.errors, bo.errors, cy.errors], [[], [], []]);
  await Promise.all([ann.close(), bo.close(), cy.close()]);
});

test("a connection that breaks is said and comes back by itself, with what was off still off", async () => {
  const room = await make("Breaks", "Ann");
  const bo = await enter(room.room_id, "Bo");
  const { page, errors, close } = await open(`rooms/${room.room_id}`);
  const links = [];
  let isDown = false;
  await page.routeWebSocket(/\/ws\/[^/]+\/Ann$/, (socket) => {
    if (isDown) return socket.close({ code: 1011 });
    socket.connectToServer();
    links.push(socket);
  });
  await page.fill("#ready-name", "Ann");
  await page.click("#ready-go");
  await person(page, "Bo").waitFor();
  await page.click("#sound");
  await is(bo.page, "Ann", "is-muted").waitFor();
  isDown = true;
  for (const link of links.splice(0)) await link.close({ code: 1011, reason: "away" });
  await page.locator("#room-note", { hasText: "The connection is lost, trying again" }).waitFor();
  await page.keyboard.press("c");
  await page.fill("#chat-text", "hello?");
  await page.keyboard.press("Enter");
  assert.match(await page.locator("#chat-why").textContent(), /Not sent/);
  assert.equal(await page.inputValue("#chat-text"), "hello?", "it is not lost");
  isDown = false;
  await until("it is back", async () => !(await page.locator("#room-note").isVisible()));
  await page.click("#chat-form button");
  await until("now it went", async () => (await said(page)).includes("hello?"));
  await is(bo.page, "Ann", "is-muted").waitFor();
  assert.deepEqual(errors, []);
  await Promise.all([close(), bo.close()]);
});

test("without camera and microphone, or without leave to use them, one comes in all the same and is told what to do", async () => {
  const room = await make("Bare", "Ann");
  const without = (name) => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", name));
    navigator.mediaDevices.enumerateDevices = () => Promise.resolve([]);
  };
  for (const [name, words] of [["NotAllowedError", /Allow that with the sign beside the page's address/], ["NotFoundError", /There is no camera here/], ["NotReadableError", /another program/]]) {
    const { page, errors, close } = await enter(room.room_id, "Zoe", DESK, without, name);
    assert.match(await page.locator("#ready-why").textContent(), words);
    assert.equal(await is(page, "Zoe", "is-muted").count(), 1);
    assert.equal(await person(page, "Zoe").locator(".letters").textContent(), "Z");
    await page.click("#video");
    await page.locator("#room-why", { hasText: words }).waitFor();
    assert.deepEqual(errors, []);
    await close();
  }
  const plain = await enter(room.room_id, "Zoe", DESK, () => Object.defineProperty(navigator, "mediaDevices", { value: undefined }));
  assert.match(await plain.page.locator("#ready-why").textContent(), /by https/);
  await plain.close();
});

test("one invites by the address and its QR code", async () => {
  const room = await make("Open", "Ann");
  const { page, errors, close } = await enter(room.room_id, "Ann");
  await page.keyboard.press("l");
  assert.equal(await page.inputValue("#invite-url"), `${address}rooms/${room.room_id}`);
  assert.ok(await page.locator("#invite-qr").evaluate((canvas) => canvas.width > 100));
  await page.click("#invite .close");
  await page.click("#alone-invite");
  assert.equal(await page.locator("#invite").isVisible(), true);
  assert.deepEqual(errors, []);
  await close();
});

test("on a phone the people are above, the controls below, and the chat is a sheet", async () => {
  const room = await make("Phone", "Ann");
  const senders = [1, 2, 3].map((n) => send(room.room_id, `cam${n}`));
  const { page, errors, close } = await enter(room.room_id, "Ann", PHONE);
  for (const n of [1, 2, 3]) await is(page, `cam${n}`, "has-picture").waitFor();
  const boxes = await page.locator(".person, .below .switch").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().toJSON()));
  for (const { left, right, top, bottom } of boxes) assert.ok(left >= 0 && right <= 390 && top >= 0 && bottom <= 844);
  const scrolls = await page.evaluate(() => [document.documentElement.scrollWidth > innerWidth, document.documentElement.scrollHeight > innerHeight]);
  assert.deepEqual(scrolls, [false, false]);
  await page.tap("#chat-button");
  const sheet = await page.locator("#chat").boundingBox();
  assert.equal(sheet.width, 390);
  assert.ok(sheet.y > 844 * 0.2 && sheet.y + sheet.height < 844 - 50);
  assert.deepEqual(errors, []);
  await Promise.all([close(), ...senders.map(stop)]);
});
