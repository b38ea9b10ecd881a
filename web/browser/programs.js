// Real programs and a real Chromium, for tests.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../../", import.meta.url));
const built = ["release", "debug"].map((p) => `${root}target/${p}/`).filter((p) => existsSync(`${p}streamflow-hub`));
export const bin = process.env.STREAMFLOW_BIN ?? built[0];
export const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

/** @type {import("node:child_process").ChildProcess[]} */
const running = [];

/** What programs keep, as rooms and keys, is not this user's. */
const state = mkdtempSync(join(tmpdir(), "streamflow-page-"));
process.on("exit", () => rmSync(state, { recursive: true, force: true }));

export function start(program, ...args) {
  return startWith({}, program, ...args);
}

/** With these variables in its environment as well. */
export function startWith(variables, program, ...args) {
  const child = spawn(`${bin}${program}`, args, { stdio: "ignore", env: { ...process.env, STREAMFLOW_STATE: state, ...variables } });
  running.push(child);
  return child;
}

export async function stop(child) {
  child.kill();
  if (child.exitCode === null) await once(child, "exit");
}

export function stopAll() {
  for (const child of running) child.kill();
}

/** Until a hub answers here. */
export async function answers(address) {
  for (let i = 0; i < 200; i++) {
    if (await fetch(`${address}health`).then((a) => a.ok, () => false)) return;
    await sleep(50);
  }
  throw new Error("the hub does not answer");
}

export async function until(what, is, limit = 20_000) {
  const end = Date.now() + limit;
  while (!(await is())) {
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
    await sleep(50);
  }
}

/** With these arguments as well. */
export const launch = (...more) =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: [...ARGS, ...more] });
