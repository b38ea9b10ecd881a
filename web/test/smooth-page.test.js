// Even motion in the page of one stream, in a real Chromium against real programs. Needs what page.test.js needs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, bin, launch, start, stopAll, until } from "../browser/programs.js";

const port = Number(process.env.STREAMFLOW_TEST_PORT ?? 18377) + 70;
const address = `http://127.0.0.1:${port}/`;
let browser;

before(async () => {
  assert.ok(bin, "build the programs first");
  start("streamflow-hub", "--port", String(port), "--quiet");
  await answers(address);
  start("streamflow-send", "--source", "pattern", "--size", "320x240", "--fps", "20", "--host", `127.0.0.1:${port}`, "--name", "door", "--quiet");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  stopAll();
});

const report = (page) => page.evaluate(() => globalThis.streamflow.report);
const legend = (page) => page.locator("#overlay .legend .smooth");

test("pictures are held back as chosen, the age and its budget say so, it is kept, and without it nothing is", async () => {
  const page = await browser.newPage({ viewport: { width: 1100, height: 720 } });
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`${address}#/main/door`);
  await until("pictures", async () => (await report(page))?.fps > 10);
  assert.equal(Object.fromEntries((await report(page)).budget).smooth, null);
  assert.equal(await legend(page).isVisible(), false);
  await page.click("#more");
  assert.equal(await page.inputValue("#evenly"), "0");
  await page.fill("#evenly", "300");
  await page.keyboard.press("Tab");
  await page.locator("#toast", { hasText: "Even motion, 300 ms later" }).waitFor();
  await until("they are older", async () => {
    const { age, state, budget, fps, limit } = await report(page);
    const { smooth, decode } = Object.fromEntries(budget);
    return state === "live" && age >= 300 && smooth > 200 && decode < smooth && fps > 10 && !/decoder/.test(limit);
  });
  assert.equal(await legend(page).isVisible(), true);
  await page.reload();
  await until("it is kept", async () => (await report(page))?.age >= 300);
  await page.click("#more");
  assert.equal(await page.inputValue("#evenly"), "300");
  await page.fill("#evenly", "99999");
  await page.keyboard.press("Tab");
  assert.equal(await page.inputValue("#evenly"), "1000", "no more than a second");
  await page.fill("#evenly", "0");
  await page.keyboard.press("Tab");
  await page.locator("#toast", { hasText: "as soon as they are there" }).waitFor();
  await until("they are young again", async () => {
    const { age, budget } = await report(page);
    return age < 250 && Object.fromEntries(budget).smooth === null;
  });
  assert.equal(await legend(page).isVisible(), false);
  assert.deepEqual(errors, []);
  await page.close();
});
