// What a viewer says of a hub that does not let it in, with a browser's sockets and answers that are none.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Viewer } from "../viewer.js";
import { refusal } from "../words.js";

const TEXT = { "content-type": "text/plain; charset=utf-8" };
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A viewer whose socket is closed before it opened, by a hub that answers so. Gives its last report. */
async function refused(t, answer) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const sockets = [];
  globalThis.WebSocket = class {
    constructor() {
      sockets.push(this);
    }
    close() {}
  };
  const asked = t.mock.method(globalThis, "fetch", async () => answer());
  let said;
  const viewer = new Viewer({
    url: "ws://cams.example.org/ws", room: "main", name: "door", quality: null, show() {}, report: (report) => (said = report),
  });
  viewer.watch(true);
  for (let tries = 0; tries < 3; tries++) {
    sockets.at(-1).onclose();
    await settle();
    t.mock.timers.tick(1100);
  }
  assert.ok(sockets.length > 1, "it tries again");
  assert.deepEqual(asked.mock.calls[0].arguments, ["http://cams.example.org/ws", { method: "POST" }]);
  viewer.close();
  return said;
}

test("a page that the hub refuses says so in the hub's own words, all of them", async (t) => {
  const words = `pages of https://cams.example.org may not use this hub, which was asked for as 127.0.0.1: behind a proxy, let the
 proxy pass Host on and give the hub --public-url https://cams.example.org; for a page of another server give it --allow-origin`
    .replace("\n", "");
  for (const status of [403, 421]) {
    await t.test(`${status}`, async (t) => {
      const { state, detail } = await refused(t, () => new Response(`${words}\n`, { status, headers: TEXT }));
      assert.deepEqual([state, detail], ["connecting", `the hub refuses this page: ${words}`]);
    });
  }
});

test("a hub that is not there is unreachable, and so is one behind a proxy that does not find it", async (t) => {
  for (const [name, answer] of [
    ["nothing", () => Promise.reject(new TypeError("Failed to fetch"))],
    ["a proxy's error", () => new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "content-type": "text/html" } })],
    ["a hub that lets it in", () => new Response("POST is not served here, only GET\n", { status: 405, headers: TEXT })],
  ]) {
    await t.test(name, async (t) => {
      const { state, detail } = await refused(t, answer);
      assert.deepEqual([state, detail], ["connecting", "hub unreachable, trying again"]);
    });
  }
});

test("words of a refusal cannot act, and what is not text is a number", async () => {
  const acting = new Response("no\u202e\nyes\n", { status: 403, headers: TEXT });
  assert.equal(await refusal(acting), "no\\u{202e}\\u{a}yes");
  assert.equal(await refusal(new Response("x".repeat(100_000), { status: 403, headers: TEXT })), `${"x".repeat(599)}…`);
  const page = new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "content-type": "text/html" } });
  assert.equal(await refusal(page), "HTTP status 502");
  assert.equal(await refusal(new Response("", { status: 503, headers: TEXT })), "HTTP status 503");
});
