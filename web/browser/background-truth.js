// How well, how often and how dearly the person is found: node background-truth.js http://HUB:PORT/ PORTRAIT.png TRUTH.png [SECONDS]
// PORTRAIT is shown to the page as its camera at 640x360 and 30 frames a second, which needs ffmpeg. In TRUTH, of the same shape, the
// person is white and all else black. Prints the overlap of both (intersection over union), and what the room's page says of its work.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "./programs.js";

const [address, portrait, truth, seconds = "12"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "streamflow-truth-"));
const film = join(folder, "portrait.y4m");
const { status } = spawnSync("ffmpeg", ["-loglevel", "error", "-loop", "1", "-i", portrait, "-frames:v", "30", "-r", "30", "-vf", "scale=640:360", "-pix_fmt", "yuv420p", film], { stdio: "inherit" });
if (status !== 0) throw new Error("ffmpeg makes no film of the portrait");
const browser = await launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-video-capture=${film}`);
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(`${address}rooms/truth`);
  await page.fill("#ready-name", "Truth");
  // Nobody is as green as this, and it tells the person from all else without looking into the page.
  await page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
    const context = canvas.getContext("2d");
    context.fillStyle = "#00ff00";
    context.fillRect(0, 0, 640, 360);
    localStorage.setItem("streamflow-room-background", canvas.toDataURL("image/jpeg", 1).split(",")[1]);
  });
  await page.click("#ready-go");
  await page.click("#devices");
  await page.selectOption("#room-background", "picture");
  await page.click("#choosing .close");
  const sums = [];
  await page.waitForTimeout(5000);
  for (let second = 0; second < Number(seconds); second++) {
    await page.waitForTimeout(1000);
    sums.push(await page.evaluate(() => globalThis.streamflowRoom.media.veilStats));
  }
  const overlap = await page.evaluate(async (encoded) => {
    const canvas = new OffscreenCanvas(640, 360);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const pixels = (/** @type {CanvasImageSource} */ image) => {
      context.drawImage(image, 0, 0, 640, 360);
      return context.getImageData(0, 0, 640, 360).data;
    };
    const true_ = pixels(await createImageBitmap(new Blob([Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0))])));
    const seen = pixels(document.querySelector('.person[data-name="Truth"] video'));
    let [both, either] = [0, 0];
    for (let at = 0; at < seen.length; at += 4) {
      const person = seen[at + 1] - Math.max(seen[at], seen[at + 2]) < 128;
      const is = true_[at] > 127;
      both += Number(person && is);
      either += Number(person || is);
    }
    return both / either;
  }, readFileSync(truth).toString("base64"));
  const median = (/** @type {string} */ what) => sums.map((one) => one?.[what] ?? 0).sort((a, b) => a - b)[sums.length >> 1];
  console.log(`overlap ${overlap.toFixed(3)}; ${median("fps")} frames a second, drawn in ${median("drawMs")} ms; found ${median("searches")} times a second in ${median("searchMs")} ms`);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
