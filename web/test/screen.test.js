// Browsers whose worker does not start, with workers, canvases and sockets that are none.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const workers = [];
const sockets = [];

class Silent {
  orders = [];
  ended = false;
  constructor() {
    workers.push(this);
  }
  postMessage(order) {
    this.orders.push(order);
  }
  terminate() {
    this.ended = true;
  }
}

class Socket {
  constructor() {
    sockets.push(this);
  }
  close() {}
}

beforeEach((t) => {
  workers.length = sockets.length = 0;
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  t.mock.method(console, "warn", () => {});
  const canvas = () => ({ getContext: () => ({}), remove() {} });
  Object.assign(globalThis, { Worker: Silent, WebSocket: Socket, document: { createElement: canvas, baseURI: "http://desk:8002/#/main/door" } });
  globalThis.location = new URL("http://desk:8002/#/main/door");
});

/** Every test has a page of its own: whether there is a worker is known of the page. */
let pages = 0;
async function page() {
  const { Screen } = await import(`../screen.js?${++pages}`);
  return (name = "door") => {
    const reports = [];
    return { reports, screen: new Screen({ room: "main", name, denied() {}, report: (report) => reports.push(report) }) };
  };
}

test("a worker that says nothing is done without after three seconds", async (t) => {
  const open = await page();
  const { screen, reports } = open();
  const closed = open("gate").screen;
  closed.watch(true);
  closed.close();
  screen.watch(true);
  screen.choose(40);
  const picture = screen.picture();
  t.mock.timers.tick(2900);
  assert.deepEqual([sockets.length, workers.length, workers[0].ended], [0, 1, false]);
  t.mock.timers.tick(200);
  assert.deepEqual([sockets.length, workers[0].ended], [1, true]);
  assert.equal(await picture, null, "who asked for a picture does not wait for ever");
  t.mock.timers.tick(100);
  assert.equal(reports.at(-1).state, "connecting");
  // Its words come too late.
  assert.equal(workers[0].onmessage, null);
  const later = open("late");
  later.screen.watch(true);
  assert.deepEqual([sockets.length, workers.length], [2, 1], "another is not tried");
  screen.close();
  later.screen.close();
});

test("a worker that cannot be loaded is done without at once", async (t) => {
  const { screen } = (await page())();
  screen.watch(true);
  workers[0].onerror({});
  t.mock.timers.tick(5000);
  assert.deepEqual([sockets.length, workers[0].ended], [1, true]);
  screen.close();
});

test("a browser that has no workers, or none of modules, shows the stream all the same", async () => {
  for (const Worker of [undefined, function () {
    throw new TypeError("no modules");
  }]) {
    sockets.length = 0;
    globalThis.Worker = Worker;
    const { screen } = (await page())();
    screen.watch(true);
    assert.equal(sockets.length, 1);
    screen.close();
  }
});

test("a worker that works stays, whatever goes wrong in it later", async (t) => {
  const { screen, reports } = (await page())();
  screen.watch(true);
  const [worker] = workers;
  const { id } = worker.orders[0];
  worker.onmessage({ data: { id, report: { state: "connecting" } } });
  assert.deepEqual(reports, [{ state: "connecting" }]);
  assert.equal(worker.onerror, null);
  t.mock.timers.tick(10_000);
  assert.deepEqual([worker.ended, sockets.length, worker.orders.map((order) => order.do)], [false, 0, ["open", "watch"]]);
  screen.close();
});
