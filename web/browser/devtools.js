// A Chromium over its own protocol (https://chromedevtools.github.io/devtools-protocol/), on a pipe. Playwright tells
// every page that it has the focus, and then no tab is ever hidden; here a tab is hidden when another is in front.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ARGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
  "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "--window-size=1100,720"];

export class Browser {
  #process;
  #directory = mkdtempSync(join(tmpdir(), "streamflow-tab-"));
  #serial = 0;
  #waiting = new Map();
  /** Sessions of workers, by the session of their page. */
  workers = new Map();

  constructor(executable, more = []) {
    const args = [...ARGS, ...more, `--user-data-dir=${this.#directory}`, "about:blank"];
    this.#process = spawn(executable, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    let text = "";
    this.#process.stdio[4].setEncoding("utf8").on("data", (piece) => {
      const messages = (text + piece).split("\0");
      text = messages.pop() ?? "";
      for (const message of messages) this.#hear(JSON.parse(message));
    });
  }

  #hear({ id, result, error, method, params, sessionId }) {
    if (method === "Target.attachedToTarget" && params.targetInfo.type === "worker") {
      this.workers.set(sessionId, params.sessionId);
    }
    const [done, failed] = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    if (error) failed?.(new Error(error.message));
    else done?.(result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#serial;
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((done, failed) => this.#waiting.set(id, [done, failed]));
  }

  /** Somebody else at the same computer: windows and memory of their own. */
  async person() {
    return (await this.send("Target.createBrowserContext")).browserContextId;
  }

  /** Opens a tab in front of that person's others. */
  async open(url, browserContextId) {
    const { targetId } = await this.send("Target.createTarget", { url, browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const options = { autoAttach: true, waitForDebuggerOnStart: false, flatten: true };
    await this.send("Target.setAutoAttach", options, sessionId);
    return new Tab(this, targetId, sessionId);
  }

  /** Resident memory of all its processes together, in bytes. */
  async memory() {
    const { processInfo } = await this.send("SystemInfo.getProcessInfo");
    return processInfo.reduce((sum, { id }) => sum + resident(id), 0);
  }

  async close() {
    this.#process.kill();
    if (this.#process.exitCode === null) await once(this.#process, "exit");
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

export class Tab {
  #browser;
  #target;
  #session;

  constructor(browser, target, session) {
    this.#browser = browser;
    this.#target = target;
    this.#session = session;
  }

  async run(what, ...given) {
    const expression = typeof what === "string" ? what : `(${what})(${given.map((v) => JSON.stringify(v)).join()})`;
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.#browser.send("Runtime.evaluate", options, this.#session);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Puts it in front of the others. */
  front() {
    return this.#browser.send("Target.activateTarget", { targetId: this.#target });
  }

  /**
   * What page and worker hold after a collection: their JavaScript objects, and the buffers and pictures behind them, in
   * bytes.
   */
  async heap() {
    const sum = { objects: 0, buffers: 0 };
    for (const session of [this.#session, this.#browser.workers.get(this.#session)].filter(Boolean)) {
      await this.#browser.send("HeapProfiler.collectGarbage", {}, session);
      const usage = await this.#browser.send("Runtime.getHeapUsage", {}, session);
      sum.objects += usage.usedSize + (usage.embedderHeapUsedSize ?? 0);
      sum.buffers += usage.backingStorageSize ?? 0;
    }
    return sum;
  }
}

function resident(pid) {
  try {
    return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
