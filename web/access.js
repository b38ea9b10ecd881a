// @ts-check
// What this page has shown to its hub, and what it may do there.
import { refusal } from "./words.js";

const UNREACHABLE = "The hub does not answer. Try again.";
/** Where the token is kept for as long as the tab is open; hubs under other paths of the same server have their own. */
const KEPT = `streamflow-token ${new URL(".", document.baseURI).pathname}`;
/** The tabs of this browser, which have the same cookie. @type {BroadcastChannel | null} */
const tabs = typeof BroadcastChannel === "function" ? new BroadcastChannel(KEPT) : null;

/** A browser may be told to keep nothing. @template T @param {() => T} act @param {T} otherwise */
function tried(act, otherwise) {
  try {
    return act();
  } catch {
    return otherwise;
  }
}

/** What people make up may have other signs than a field of HTTP. @param {string} token */
function authorization(token) {
  if (/^[\x21-\x7e]+$/.test(token)) return `Bearer ${token}`;
  return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`:${token}`)))}`;
}

export class Access {
  /** @type {import("./rights.js").Rights | null} */
  rights = null;
  /** Why the hub did not take what was shown last; empty where it did. */
  why = "";
  #token = tried(() => sessionStorage.getItem(KEPT) ?? "", "");
  /** Whether the hub itself said no. */
  isRefused = false;
  /** @type {Promise<boolean> | null} */
  #recovering = null;
  #changed;

  /** @param {() => void} changed  is called when it is known what may be done */
  constructor(changed) {
    this.#changed = changed;
    // Another tab has logged this browser out: what this one kept would let it in again.
    if (tabs) tabs.onmessage = () => this.#keep("");
  }

  /** Whether there is something to forget. */
  get holds() {
    return this.#token !== "" || (this.rights?.asks === true && this.rights.permissions.length > 0);
  }

  /** Asks what this page may do. */
  async look() {
    const answer = await fetch("api/session", { cache: "no-store" }).catch(() => null);
    if (answer?.ok) await this.#learn(answer);
  }

  /**
   * Shows a token or a secret to the hub, which gives a cookie for it. Gives whether it was taken; `why` says why not.
   * @param {string} token
   */
  async show(token) {
    const headers = { Authorization: authorization(token) };
    const answer = await fetch("api/session", { method: "POST", headers, cache: "no-store" }).catch(() => null);
    if (!answer) return this.#refused("", UNREACHABLE);
    if (!answer.ok) {
      const why = await refusal(answer);
      // What is merely not looked at now may be good yet, and so may what something between refuses.
      return this.#refused(answer.status === 401 ? token : "", why);
    }
    this.why = "";
    this.isRefused = false;
    await this.#learn(answer);
    // A hub that asks nobody need not be shown it again.
    this.#keep(this.rights?.asks === false ? "" : token);
    return true;
  }

  /** Keeps a token that is not shown yet. @param {string} token */
  take(token) {
    this.#keep(token);
    this.#recovering = null;
  }

  /**
   * Shows what was kept once more, as after a restart of the hub, which forgets its cookies. Who asks meanwhile gets the
   * same answer.
   */
  recover() {
    if (!this.#token) {
      this.why = "";
      return Promise.resolve(false);
    }
    this.#recovering ??= this.show(this.#token).finally(() => (this.#recovering = null));
    return this.#recovering;
  }

  /** Ends the session, and keeps nothing of it. */
  async forget() {
    this.#keep("");
    this.why = "";
    tabs?.postMessage("forget");
    await fetch("api/session", { method: "DELETE" }).catch(() => null);
    await this.look();
  }

  /** @param {string} token  that is not to be shown again @param {string} why */
  #refused(token, why) {
    if (token && token === this.#token) this.#keep("");
    this.why = why;
    this.isRefused = why !== UNREACHABLE;
    return false;
  }

  /** @param {string} token */
  #keep(token) {
    this.#token = token;
    tried(() => (token ? sessionStorage.setItem(KEPT, token) : sessionStorage.removeItem(KEPT)), undefined);
  }

  /** @param {Response} answer */
  async #learn(answer) {
    const told = await answer.json().catch(() => null);
    if (!told || !Array.isArray(told.permissions)) return;
    this.rights = told;
    this.#changed();
  }
}
