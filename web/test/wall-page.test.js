// The wall of streams, what is beside one of them, and a camera's controls, in a real Chromium. Needs what page.test.js needs.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { answers, bin, launch, start, stop, stopAll, until } from "../browser/programs.js";

const port = Number(process.env.STREAMFLOW_WALL_TEST_PORT ?? 18383);
const address = `http://127.0.0.1:${port}/`;
let browser;

const send = (name, size) => start("streamflow-send", "--source", "pattern", "--size", size, "--fps", "8", "--host",
  `127.0.0.1:${port}`, "--name", name, "--quiet");

/** A picture, posted by a worker of another system. */
async function post(camera) {
  const picture = await (await fetch(`${address}snapshot/main/door`)).arrayBuffer();
  const body = JSON.stringify({ camera_id: camera, frame_base64: Buffer.from(picture).toString("base64") });
  const answer = await fetch(`${address}api/broadcast-detection`, { method: "POST", body });
  assert.equal(answer.status, 200);
}

async function open(hash = "", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) errors.push(message.text());
  });
  await page.goto(address + hash);
  return { page, errors, close: () => context.close() };
}

const tile = (page, name) => page.locator(`.tile[data-stream="main/${name}"]`);
const live = (page) => until("pictures", () => page.evaluate(() => globalThis.streamflow.report?.state === "live"));

before(async () => {
  assert.ok(bin, "build the programs first");
  start("streamflow-hub", "--port", String(port));
  await answers(address);
  send("door", "640x480");
  send("hall", "240x424");
  send("street", "640x360");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  stopAll();
});

test("every tile has the shape of its picture, and all of them are seen without scrolling", async () => {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }, { width: 1920, height: 1080 }]) {
    const { page, errors, close } = await open("", { viewport });
    for (const [name, shape] of [["door", 4 / 3], ["hall", 240 / 424], ["street", 16 / 9]]) {
      await tile(page, name).and(page.locator(".live")).waitFor();
      await until(`${name} has its shape`, async () => {
        const { width, height } = await tile(page, name).locator(".frame").boundingBox();
        return Math.abs(width / height / shape - 1) < 0.02;
      });
      const box = await tile(page, name).boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= viewport.width && box.y + box.height <= viewport.height, name);
    }
    const scrolls = await page.evaluate(() => [document.documentElement.scrollWidth > innerWidth, document.documentElement.scrollHeight > innerHeight]);
    assert.deepEqual(scrolls, [false, false]);
    assert.deepEqual(errors, []);
    await close();
  }
});

test("a camera that dies keeps its tile and its last picture, and says since when, until it is dismissed", async () => {
  const sender = send("dying", "320x240");
  const { page, errors, close } = await open();
  await tile(page, "dying").and(page.locator(".live")).waitFor();
  await stop(sender);
  await tile(page, "dying").and(page.locator(".lost")).waitFor();
  await until("it says since when", async () => /\nlast picture .*\d\d:\d\d:\d\d/.test(await tile(page, "dying").locator(".reason").textContent()));
  const grey = (name) => tile(page, name).locator("canvas").evaluate((canvas) => getComputedStyle(canvas).filter);
  assert.match(await grey("dying"), /grayscale\(1\)/);
  const list = (change) => page.route("**/api/streams", async (route) => {
    const told = await (await route.fetch()).json();
    await route.fulfill({ json: { ...told, streams: change(told.streams.filter(({ name }) => name !== "dying")) } });
  });
  // The hub forgets it while the page is open.
  await list((others) => others);
  await tile(page, "dying").and(page.locator(".gone")).waitFor();
  assert.match(await tile(page, "dying").locator(".reason").textContent(), /^gone\nlast picture .*\d\d:\d\d:\d\d/);
  assert.match(await grey("dying"), /grayscale\(1\)/);
  const drawn = await tile(page, "dying").locator("canvas").evaluate((canvas) => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
    copy.drawImage(canvas, 0, 0);
    return copy.getImageData(0, 0, canvas.width, canvas.height).data.some((byte, at) => at % 4 < 3 && byte > 128);
  });
  assert.equal(drawn, true);
  // And somebody waits for it again.
  await page.unroute("**/api/streams");
  let lists = 0;
  await list((others) => {
    lists++;
    return [...others, { room: "main", name: "dying", live: false, published: false, reason: "publisher gone", viewers: 1 }];
  });
  await until("it is in the list again", async () => !(await tile(page, "dying").getAttribute("class")).includes("gone"));
  await tile(page, "dying").locator(".dismiss").click();
  const before = lists;
  await until("two more lists", () => lists > before + 2);
  assert.equal(await tile(page, "dying").count(), 0);
  await page.unroute("**/api/streams");
  const again = send("dying", "320x240");
  await tile(page, "dying").and(page.locator(".live")).waitFor();
  await stop(again);
  assert.deepEqual(errors, []);
  await close();
});

test("names are shown as they were given, and cannot act", async () => {
  for (const camera of ["Lot A/1", "<img src=x onerror=alert(1)>\u202e"]) await post(camera);
  const { page, errors, close } = await open();
  await page.locator(".caption strong", { hasText: /^Lot A\/1$/ }).waitFor();
  await page.locator(".caption strong", { hasText: "<img src=x onerror=alert(1)>\\u{202e}" }).waitFor();
  await page.locator(".tile", { has: page.locator("strong", { hasText: /^Lot A\/1$/ }) }).click();
  await until("the stage has it, too", async () => (await page.locator("#name").textContent()) === "Lot A/1");
  assert.equal(await page.title(), "Lot A/1 · StreamFlow");
  await page.keyboard.press("i");
  assert.equal(await page.locator("#details-title").textContent(), "Lot A/1");
  assert.match(await page.inputValue("#link-embed"), /^<img src="[^"<>]+\/stream\/detection\/Lot_A_1-[0-9a-f]{8}" alt="Lot A\/1">$/);
  assert.deepEqual(errors, []);
  await close();
});

test("the whole wall is saved as one picture", async () => {
  const { page, errors, close } = await open();
  await tile(page, "street").and(page.locator(".live")).waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
  assert.match(download.suggestedFilename(), /^wall-\d{8}-\d{6}\.jpg$/);
  const bytes = await readFile(await download.path());
  const size = await page.evaluate(async (data) => {
    const picture = new Image();
    picture.src = `data:image/jpeg;base64,${data}`;
    await picture.decode();
    return [picture.width, picture.height];
  }, bytes.toString("base64"));
  assert.deepEqual(size, [1920, 1080]);
  assert.deepEqual(errors, []);
  await close();
});

test("arrows and buttons go to the next stream and the one before", async () => {
  const { page, errors, close } = await open("#/main/door");
  const at = (name) => until(name, () => page.evaluate((name) => globalThis.streamflow.stream === `main/${name}`, name));
  await page.locator("#next").waitFor();
  await page.keyboard.press("ArrowRight");
  await at("hall");
  await page.click("#next");
  await at("street");
  await page.click("#previous");
  await page.keyboard.press("ArrowLeft");
  await at("door");
  await live(page);
  await page.keyboard.press("q");
  await tile(page, "door").waitFor();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await until("the second tile is open", () => page.evaluate(() => globalThis.streamflow.isOpen));
  assert.deepEqual(errors, []);
  await close();
});

test("a view that is rotated and mirrored is so again after a reload, on the wall, too", async () => {
  const { page, errors, close } = await open("#/main/street");
  await live(page);
  await page.keyboard.press("r");
  await page.keyboard.press("m");
  const seen = () => page.locator("#picture").evaluate(({ dataset }) => [dataset.turn, dataset.mirror]);
  assert.deepEqual(await seen(), ["1", "true"]);
  // As large as the window lets it be, on its side.
  const box = await page.locator("#picture canvas").evaluate((canvas) => {
    const { width, height } = canvas.getBoundingClientRect();
    return [width, height];
  });
  assert.deepEqual(box.map(Math.round), [1280, 800]);
  await page.reload();
  await live(page);
  assert.deepEqual(await seen(), ["1", "true"]);
  for (const keys of ["Shift+R", "a"]) await page.keyboard.press(keys);
  assert.deepEqual(await seen(), ["1", "true"], "these keys are others'");
  await page.keyboard.press("q");
  await until("the tile stands upright", async () => {
    const { width, height } = await tile(page, "street").locator(".frame").boundingBox();
    return Math.abs(width / height / (9 / 16) - 1) < 0.02;
  });
  assert.deepEqual(errors, []);
  await close();
});

test("a picture that lies on its side in its file is upright, and is rotated from there", async () => {
  const picture = Buffer.from(await (await fetch(`${address}snapshot/main/door`)).arrayBuffer());
  // Exif with one entry, the orientation: to be turned by a quarter.
  const exif = Buffer.from("ffe100224578696600004d4d002a000000080001011200030000000100060000" + "00000000", "hex");
  const turned = Buffer.concat([picture.subarray(0, 2), exif, picture.subarray(2)]);
  assert.equal((await fetch(`${address}api/publish/main/photo`, { method: "POST", body: turned })).status, 200);
  const { page, errors, close } = await open();
  const shape = async () => {
    const { width, height } = await tile(page, "photo").locator(".frame").boundingBox();
    return width / height;
  };
  await tile(page, "photo").and(page.locator(".live")).waitFor();
  await until("it is upright", async () => Math.abs((await shape()) / (3 / 4) - 1) < 0.02);
  await page.evaluate(() => (location.hash = "#/main/photo"));
  await live(page);
  await page.keyboard.press("r");
  await page.keyboard.press("q");
  await until("it is turned from there", async () => Math.abs((await shape()) / (4 / 3) - 1) < 0.02);
  assert.deepEqual(errors, []);
  await close();
});

test("statistics are in plain words, and their parts add up to the age", async () => {
  const { page, errors, close } = await open("#/main/door");
  await live(page);
  await page.locator("#overlay .legend .sum").waitFor();
  await page.locator("#overlay .legend").getByText("to hub").waitFor();
  const told = () => page.evaluate(() => {
    const of = (where) => [...document.querySelectorAll(`#overlay ${where}`)].map((one) => one.textContent);
    return { age: of(".lines .age dd")[0], sum: of(".legend .sum dd")[0], parts: of(".legend div:not(.sum) dd") };
  });
  for (let n = 0; n < 20; n++) {
    const { age, sum, parts } = await told();
    assert.equal(age.replace(/^≈ | ±.*$/g, ""), sum);
    assert.equal(parts.reduce((sum, part) => sum + Number(part), 0).toFixed(/\.(\d+)/.exec(sum)[1].length), sum.split(" ")[0]);
    await page.waitForTimeout(70);
  }
  await until("there is a curve", () => page.locator("#overlay .curve.age path").evaluate((path) => path.getAttribute("d").includes("L")));
  assert.deepEqual(errors, []);
  await close();
});

test("on a phone the picture comes first, and the statistics when they are asked for", async () => {
  const { page, close } = await open("#/main/hall", { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await live(page);
  assert.equal(await page.locator("#overlay").isVisible(), false);
  await page.tap("#statistics");
  assert.equal(await page.locator("#overlay").isVisible(), true);
  await page.tap("#more");
  await page.tap('#menu [data-action="help"]');
  await page.tap("#keys .close");
  assert.equal(await page.locator("#keys").isVisible(), false);
  await close();
});

test("there are links to copy, who watches, and which version the hub is", async () => {
  const { page, errors, close } = await open("#/main/door");
  await live(page);
  await page.click("#more");
  await page.click('#menu [data-action="details"]');
  assert.equal(await page.inputValue("#link-page"), `${address}#/main/door`);
  assert.equal(await page.inputValue("#link-snapshot"), `${address}snapshot/main/door`);
  const stream = await page.inputValue("#link-stream");
  assert.equal(stream, `${address}stream/main/door`);
  assert.equal(await page.inputValue("#link-embed"), `<img src="${stream}" alt="door">`);
  await page.locator("#details-viewers td", { hasText: "web page" }).first().waitFor();
  assert.match(await page.locator("#details-watching").textContent(), /^\d+ watching$/);
  await page.click("#details .close");
  await page.keyboard.press("?");
  assert.match(await page.locator("#hub-version").textContent(), /^The hub is StreamFlow \d+\.\d+\.\d+/);
  await page.click("#keys .close");
  assert.deepEqual(errors, []);
  await close();
});

const CONTROLS = [
  { name: "brightness", label: "Brightness", type: "integer", min: 0, max: 255, step: 1, default: 128, value: 128 },
  { name: "auto", label: "Auto <b>Exposure</b>", type: "menu", default: 3, value: 3, menu: [{ value: 1, label: "Manual" }, { value: 3, label: "Automatic" }] },
  { name: "exposure", label: "Exposure", type: "integer", min: 3, max: 2047, step: 1, default: 250, value: 250, inactive: true, held_by: "auto" },
  { name: "white", label: "White balance", type: "boolean", default: true, value: true },
  { name: "focus", label: "Focus now", type: "button" },
];

/** A hub with a camera that has controls. */
async function withControls(page, refuse = () => null) {
  const values = new Map(CONTROLS.map(({ name, value }) => [name, value]));
  const asked = [];
  await page.route("**/api/streams/main/door/controls", async (route) => {
    const change = route.request().method() === "POST" ? route.request().postDataJSON() : null;
    asked.push({ change });
    const refused = change && refuse(change);
    if (refused) return route.fulfill(refused);
    for (const [name, value] of Object.entries(change ?? {})) values.set(name, value);
    if (change?.reset) for (const { name, default: usual } of CONTROLS) values.set(name, usual);
    await route.fulfill({ json: { controls: CONTROLS.map((one) => ({ ...one, value: values.get(one.name) })) } });
  });
  return asked;
}

test("a camera's controls act while they are moved, and the last value counts", async () => {
  const { page, errors, close } = await open("#/main/door");
  const asked = await withControls(page);
  await live(page);
  assert.deepEqual(asked, [], "nobody asks before somebody wants to know");
  await page.keyboard.press("c");
  const brightness = page.locator('[data-control="brightness"] input');
  await brightness.waitFor();
  const box = await brightness.boundingBox();
  const middle = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width / 2, middle);
  await page.mouse.down();
  for (let n = 0; n < 40; n++) await page.mouse.move(box.x + box.width * (0.5 + n / 100), middle);
  await page.mouse.up();
  const value = Number(await brightness.inputValue());
  assert.ok(value > 180);
  const changes = () => asked.filter(({ change }) => change);
  await until("the last value is there", () => changes().at(-1)?.change.brightness === value);
  assert.equal(await page.locator('[data-control="brightness"] output').textContent(), String(value));
  await page.selectOption('[data-control="auto"] select', "1");
  await until("the menu is told", () => changes().at(-1).change.auto === 1);
  await page.click('[data-control="white"] input');
  await until("the switch is told", () => changes().at(-1).change.white === false);
  await page.click("#controls-reset");
  await until("the reset is told", () => changes().at(-1).change.reset === true);
  await until("and seen", async () => (await brightness.inputValue()) === "128");
  assert.deepEqual(errors, []);
  await close();
});

test("a control that another one holds says which, and an error is the hub's own words", async () => {
  const { page, errors, close } = await open("#/main/door");
  await withControls(page, () => ({ status: 409, json: { error: "the camera is busy: <b>try again</b>" } }));
  await live(page);
  await page.click("#more");
  await page.click('#menu [data-action="controls"]');
  assert.equal(await page.locator('[data-control="exposure"] .note').textContent(), "held by Auto <b>Exposure</b>");
  assert.equal(await page.locator('[data-control="exposure"] input').isDisabled(), true);
  const brightness = page.locator('[data-control="brightness"] input');
  await brightness.focus();
  await page.keyboard.press("ArrowRight");
  await until("it says so", async () => (await page.locator("#controls-why").textContent()) === "the camera is busy: <b>try again</b>");
  await until("what was not taken is not shown", async () => (await brightness.inputValue()) === "128");
  assert.equal(await page.evaluate(() => globalThis.streamflow.stream), "main/door", "arrows move the slider alone");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#controls").isVisible(), false);
  assert.deepEqual(errors, []);
  await close();
});

test("a stream without controls says so, and who may not operate is not offered any", async () => {
  const { page, close } = await open("#/main/door");
  await page.route("**/controls", (route) => route.fulfill({ status: 404, json: { error: "no controls" } }));
  await live(page);
  await page.keyboard.press("c");
  await page.getByText("This stream has no controls.").waitFor();
  await page.click("#controls-close");
  await close();

  const other = await open("");
  await other.page.route("**/api/session", (route) => route.fulfill({ json: {
    asks: true, encrypted: false, permissions: [{ roles: ["view"], streams: ["*"] }], ends: null, why: null } }));
  await other.page.goto(`${address}#/main/door`);
  await other.page.reload();
  await live(other.page);
  await other.page.click("#more");
  assert.equal(await other.page.locator('#menu [data-action="rotate"]').isVisible(), true);
  assert.equal(await other.page.locator('#menu [data-action="controls"]').isVisible(), false);
  await other.page.keyboard.press("c");
  assert.equal(await other.page.locator("#controls").isVisible(), false);
  await other.close();
});

test("the panel sets a control of the real camera, and says what the hub says", async () => {
  const { page, errors, close } = await open("#/main/door");
  await live(page);
  await page.keyboard.press("c");
  const slider = page.locator('[data-control="brightness"] input');
  await slider.waitFor();
  const value = async () => {
    const { controls } = await (await fetch(`${address}api/streams/main/door/controls`)).json();
    return controls.find((one) => one.name === "brightness").value;
  };
  assert.equal(await value(), 128);
  await slider.fill("200");
  await until("it is set", async () => (await value()) === 200);
  await page.click("#controls-reset");
  await until("it is what it was", async () => (await value()) === 128);
  assert.deepEqual(errors, []);
  await close();
});
