// What links and addresses say.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fragmentOf, pasted, read, withoutToken } from "../address.js";

test("an address says stream, key and token in any order", () => {
  const all = { stream: ["main", "front door"], token: "t.o-k", key: "k&y", pin: "" };
  assert.deepEqual(read("#/main/front%20door&token=t.o-k&key=k%26y"), all);
  assert.deepEqual(read("#token=t.o-k&/main/front%20door&key=k%26y"), all);
  assert.deepEqual(read("#token=abc"), { stream: null, token: "abc", key: "", pin: "" });
  for (const none of ["", "#", "#/", "#///", "#/%", "#/a/b/c", "#tokens=x", "#token="]) {
    assert.deepEqual(read(none), { stream: null, token: "", key: "", pin: "" }, none);
  }
});

test("an address without its token is the same place with the same key", () => {
  for (const [hash, without] of [
    ["#/main/door&token=a.b&key=k", "#/main/door&key=k"],
    ["#token=a.b", "#/"],
    ["#token=a.b&key=k", "#/&key=k"],
    ["#/main/door&token=a&token=b", "#/main/door"],
    ["#/main/d%20r", "#/main/d%20r"],
  ]) {
    assert.equal(withoutToken(hash), without);
    assert.deepEqual(read(without), { ...read(hash), token: "" });
  }
});

test("a secret that is typed is one, and a link that is pasted is read as a whole", () => {
  const none = { stream: null, token: "", key: "", pin: "", host: "", room: "", isLink: false };
  const link = { ...none, isLink: true };
  const door = ["main", "door"];
  for (const [text, said] of [
    [" s3cret ", { ...none, token: "s3cret" }],
    ["token=a&b#c", { ...none, token: "token=a&b#c" }],
    ["pass phrase of words", { ...none, token: "pass phrase of words" }],
    ["https://Desk:8002/#token=a.b", { ...link, token: "a.b", host: "desk:8002" }],
    ["https://desk/cam/#/main/door&token=a.b&key=k", { ...link, stream: door, token: "a.b", key: "k", host: "desk" }],
    ["sf://10.0.0.5:8002/main/door#pin=p&token=a.b\n", { ...link, stream: door, token: "a.b", pin: "p", host: "10.0.0.5:8002" }],
    ["sf://[::1]:8002/main#token=a", { ...link, token: "a", host: "[::1]:8002" }],
    ["streamflow-view --join 'sf://desk/main/door#token=a'", { ...link, stream: door, token: "a", host: "desk" }],
    ["<https://desk/#token=a>", { ...link, token: "a", host: "desk" }],
    ["https://desk/~a.b/stream/main/door", { ...link, token: "a.b", host: "desk" }],
    ["http://desk/stream?size=1x1&token=a%2Eb", { ...link, token: "a.b", host: "desk" }],
    ["https://desk/rooms/a%20b#token=a&key=k", { ...link, token: "a", key: "k", host: "desk", room: "a b" }],
    ["https://desk/#/main/door", { ...link, stream: door, host: "desk" }],
  ]) {
    assert.deepEqual(pasted(text), said, text);
  }
});

test("the address of a stream leads back to it, whatever it is called", () => {
  for (const stream of [["main", "door"], ["ma in", "<b>&token=x"], ["ü", "a=b"]]) {
    assert.deepEqual(read(fragmentOf(...stream)), { stream, token: "", key: "", pin: "" });
  }
});
