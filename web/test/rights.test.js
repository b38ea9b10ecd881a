// What is said of rights and of the way to the hub.
import assert from "node:assert/strict";
import { test } from "node:test";
import { endInWords, endToEndInWords, may, mayShare, mayWatch, permissionsInWords, wayInWords } from "../rights.js";

const rights = (...permissions) => ({ asks: true, encrypted: true, ends: null, why: null,
  permissions: permissions.map(([roles, ...streams]) => ({ roles, streams })) });

test("rights are said in words, and words of others cannot act", () => {
  const { permissions } = rights([["view"], "main/*"], [["publish", "view"], "a/b", "*"], [["view", "operate", "fly\u202e"], "lab/c"]);
  assert.deepEqual(permissionsInWords(permissions), [
    "Watch all streams of room main",
    "Publish and watch a/b and all streams",
    "Watch, share and fly\\u{202e} lab/c",
  ]);
});

test("only who may watch and give away is offered to share, and only that", () => {
  const room = rights([["view", "operate"], "main/*"]);
  for (const [scope, is] of [["main/*", true], ["main/door", true], ["maine/door", false], ["*", false], ["lab/door", false]]) {
    assert.equal(mayShare(room, scope), is, scope);
  }
  assert.equal(mayShare(rights([["view"], "*"]), "main/door"), false);
  assert.equal(mayShare(rights([["operate"], "*"], [["view"], "main/door"]), "main/door"), true);
  assert.equal(mayShare(rights([["operate"], "*"], [["view"], "main/door"]), "main/*"), false);
  assert.equal(mayShare({ ...rights(), asks: false }, "main/door"), true);
  assert.equal(may(room, "publish", "main/door"), false);
  assert.equal(mayWatch(room) && !mayWatch(rights([["publish"], "*"])), true);
});

test("what is not encrypted is never said to be", () => {
  for (const [encrypted, protocol, hostname, kind] of [
    [true, "https:", "desk", "encrypted"],
    [false, "https:", "cams.example.org", "proxy"],
    [true, "http:", "desk", "clear"],
    [false, "http:", "10.0.0.5", "clear"],
    [false, "http:", "127.0.0.1", "local"],
    [false, "http:", "localhost", "local"],
    [false, "http:", "[::1]", "local"],
    [false, "http:", "127.0.0.1.evil.test", "clear"],
    [false, "http:", "notlocalhost", "clear"],
  ]) {
    const way = wayInWords(encrypted, { protocol, hostname });
    assert.equal(way.kind, kind, `${protocol}//${hostname}`);
    assert.equal(/^Encrypted/.test(way.label), kind === "encrypted" || kind === "proxy");
  }
});

test("a stream is said to be sealed end to end when it is, and nothing is said before anybody knows", () => {
  assert.equal(endToEndInWords(null), "");
  assert.equal(endToEndInWords({ sealed: false, locked: false, size: "" }), "");
  assert.match(endToEndInWords({ sealed: true, locked: false, size: "1x1" }), /is encrypted end to end: the hub cannot/);
  assert.match(endToEndInWords({ sealed: false, locked: true, size: "" }), /no key/);
  assert.match(endToEndInWords({ sealed: false, locked: false, size: "1x1" }), /is not encrypted end to end/);
});

test("the end of a right is a span and a day", () => {
  const now = Date.UTC(2026, 0, 1);
  const at = (seconds) => endInWords(now / 1000 + seconds, now);
  assert.equal(endInWords(null, now), "It does not end by itself.");
  assert.match(at(10), /^It ends in less than a minute, on /);
  assert.match(at(3600), /^It ends in 60 min, on /);
  assert.match(at(7200), /^It ends in 2 h, on /);
  assert.match(at(7 * 86_400), /^It ends in 7 days, on .*2026/);
  assert.match(at(-120), /^It ended on /);
  assert.equal(endInWords(1e300, now), "It does not end by itself.");
});
