"""What needs no socket: packets, clocks, links, certificates, keys. The vectors of docs/vectors hold for this package, too."""

from __future__ import annotations

import json
import random
import re
import unittest
from pathlib import Path
from typing import Any, Optional
from unittest import mock

import streamflow
from streamflow import address, clock, der, errors, picture, publisher, seal, session, websocket, wire

from . import support

VECTORS = Path(__file__).resolve().parents[2] / "docs" / "vectors"


def hex_vector(name: str) -> bytes:
    lines = (VECTORS / name).read_text().splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


def json_vector(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def packets(data: bytes) -> list[wire.Packet]:
    deframer = wire.Deframer()
    deframer.push(data)
    found: list[wire.Packet] = []
    while True:
        packet = deframer.next()
        if packet is None:
            return found
        found.append(wire.read_packet(packet))


class Packets(unittest.TestCase):
    def test_packets_are_those_of_the_protocol(self) -> None:
        (read,) = packets(hex_vector("picture.hex"))
        assert isinstance(read, wire.PicturePacket)
        self.assertEqual((read.quality, read.rung, read.captured), (80, 2, 0x0102030405060708))
        self.assertEqual((read.estimated, read.arrival, read.sequence), (True, False, 0x11223344))
        self.assertEqual((read.metadata, read.payload), (b'{"place":"door"}', b"\xff\xd8\xff\xd9"))
        self.assertEqual(read.spent, 16 + 32 + 48 + 65535 * 16)
        hello = {"type": "hello", "role": "view", "room": "main", "name": "door", "can": ["ack"]}
        self.assertEqual(wire.Deframer.frame(wire.control_packet(hello)), hex_vector("hello.hex"))
        self.assertEqual(packets(hex_vector("ping.hex"))[0]["type"], "ping")  # type: ignore[call-overload]

    def test_what_is_written_is_read_as_it_was(self) -> None:
        sent = wire.PicturePacket(1, 70, 0, 123456789, False, False, 1 << 31, 320, b'{"n":1}', b"\xff\xd8data")
        self.assertEqual(wire.read_packet(wire.picture_packet(sent)), sent)

    def test_what_a_later_version_brings_is_left_out_and_what_breaks_the_rules_is_refused(self) -> None:
        for name in ("skip-kind.hex", "skip-codec.hex"):
            found = packets(hex_vector(name))
            self.assertTrue(any(isinstance(packet, wire.Skipped) for packet in found), name)
        for name in ("refuse-length.hex", "refuse-short.hex", "refuse-empty.hex", "refuse-version.hex"):
            with self.subTest(name), self.assertRaises(errors.ProtocolError):
                packets(hex_vector(name))
        with self.assertRaisesRegex(errors.ProtocolError, "a web server"):
            packets(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def test_whatever_comes_is_read_or_refused_in_words(self) -> None:
        chance = random.Random(13)
        whole = [hex_vector(path.name) for path in VECTORS.glob("*.hex")]
        whole.append(wire.Deframer.frame(wire.control_packet({"type": "ping"})[:32] + b"[" * 60000))
        for n in range(4000):
            data = bytearray(whole[n % len(whole)])
            for _ in range(n // len(whole) and chance.randrange(6)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                for read in packets(bytes(data)):
                    if isinstance(read, dict):
                        session.Session(True, 0).control(read, 5)
            except errors.ProtocolError as error:
                self.assertTrue(str(error))

    def test_a_websocket_carries_the_same_and_is_bounded(self) -> None:
        frames = websocket.WebSocket()
        frames.push(hex_vector("websocket-picture.hex"))
        packet = frames.next()
        assert packet is not None
        self.assertEqual(wire.read_packet(packet), packets(hex_vector("picture.hex"))[0])
        masked = websocket.WebSocket.frame(b"12345")
        mask, data = masked[2:6], masked[6:]
        self.assertEqual(bytes(b ^ mask[n % 4] for n, b in enumerate(data)), b"12345")
        for wrong in (b"\x82\x7f" + b"\xff" * 8, b"\x81\x7e\x20\x00" + b"x" * 8192, b"\x80\x01x", b"\x8b\x00", b"\x82\x00"):
            frames = websocket.WebSocket()
            frames.push(wrong)
            with self.subTest(wrong[:10]), self.assertRaises(errors.ProtocolError):
                frames.next()
        frames = websocket.WebSocket()
        frames.push(b"\x02\x01a\x89\x02hi\x80\x01b\x88\x00")
        self.assertEqual(frames.next(), b"ab")
        self.assertEqual(len(frames.answers()), 1)
        with self.assertRaises(EOFError):
            frames.next()


class Clocks(unittest.TestCase):
    def test_the_other_clock_is_known_as_every_program_knows_it(self) -> None:
        for case in json_vector("clock.json")["cases"]:
            offset = clock.ClockOffset()
            for step in case["answers"]:
                offset.answer(round(step["sent"] * 1000), round(step["theirs"] * 1000), round(step["received"] * 1000))
                known = offset.known
                assert known is not None
                self.assertAlmostEqual(known.ahead / 1000, step["ahead"], delta=0.1, msg=case["what"])
                self.assertAlmostEqual(known.error / 1000, step["error"], delta=0.1, msg=case["what"])
                self.assertEqual(known.sure, step["sure"], case["what"])

    def test_waits_are_those_of_the_protocol(self) -> None:
        for case in json_vector("backoff.json")["cases"]:
            backoff = session.Backoff()
            waits = [round(backoff.next(case["chance"], case["local"]) * 1000, 3) for _ in case["waits_ms"]]
            self.assertEqual(waits, case["waits_ms"])

    def test_an_age_is_told_only_where_it_is_known(self) -> None:
        offset = clock.ClockOffset()
        first = session.Moment(offset, 5_000_000, False, False, 1_010_000)
        self.assertEqual(first.known(), (None, True), "no ping was answered yet")
        undated = session.Moment(offset, 5_000_000, True, True, 1_010_000)
        offset.answer(1_000_000, 5_001_000, 1_002_000)
        self.assertEqual(first.known(), (1_000_000, False), "known by what came later")
        self.assertEqual(undated.known(), (None, True), "nobody dated it")
        future = session.Moment(offset, 9_000_000, False, False, 1_010_000)
        self.assertIsNone(future.known()[0])
        early = session.Moment(offset, 5_020_000, False, False, 1_010_000)
        self.assertEqual(early.known()[0], 1_010_000, "clocks are a little off")
        # The hub's clock is set: what is known of pictures stays, and what was not known never will be.
        late = session.Moment(offset, 5_005_000, False, False, 1_010_000)
        self.assertTrue(offset.answer(2_000_000, 7_001_000, 2_002_000))
        self.assertEqual(late.known(), (None, True))
        self.assertEqual(first.known(), (1_000_000, False))

    def test_a_session_asks_quickly_at_first_and_silence_ends_it(self) -> None:
        begun = session.Session(False, 1)
        with self.assertRaises(session.DeadError):
            begun.due(1 + session.GREETING)
        begun.welcomed(1)
        asked, now = [], 1
        with self.assertRaises(session.DeadError):
            while True:
                ping, then = begun.due(now)
                asked += [now] if ping else []
                now = now if ping else then
        self.assertEqual([(at - 1) // 1000 for at in asked], [0, 100, 200, 300, 400, 5400])


class Pacing(unittest.TestCase):
    def test_a_picture_goes_out_when_none_waits_before_it_and_the_newest_is_the_one(self) -> None:
        waiting, begun = publisher._Waiting(), session.Session(False, 0)

        def give(number: int) -> None:
            waiting.held = (wire.PicturePacket(1, 0, 0, 0, False, False, number, 0, b"", b"\xff\xd8"), 0)

        def taken(now: int) -> Optional[int]:
            packet = waiting.take(begun, now)
            read = wire.read_packet(packet) if packet else None
            return read.sequence if isinstance(read, wire.PicturePacket) else None

        waiting.welcomed({"type": "welcome", "room": "main", "name": "door"})
        waiting.control({"type": "demand", "viewers": 1, "rungs": [{}]})
        begun.welcomed(0)
        give(0)
        self.assertEqual((taken(1), taken(1)), (0, None))
        # No round trip is known yet: one at a time.
        give(1)
        give(2)
        self.assertIsNone(taken(2))
        waiting.control({"type": "ack", "sequence": 77})
        self.assertIsNone(taken(2), "a number of nobody's")
        waiting.control({"type": "ack", "sequence": 0})
        self.assertEqual(taken(3), 2, "the newest")
        # On a path of 100 ms there and back several are under way, as long as none is late.
        begun.control({"type": "pong", "time": 100_000, "now": 5}, 200_000)
        for number, at in ((3, 40_000), (4, 80_000), (5, 120_000), (6, 152_000)):
            give(number)
            self.assertEqual(taken(at), number)
        give(7)
        self.assertIsNone(taken(153_000), "that of 3 us is late: something waits on the way")
        waiting.control({"type": "ack", "sequence": 3})
        self.assertEqual(taken(154_000), 7)
        # What is never acknowledged is given up.
        give(8)
        self.assertIsNone(taken(300_000))
        self.assertEqual(taken(6_000_000), 8)
        # When nobody watches any more, what waits is not sent.
        give(9)
        waiting.control({"type": "demand", "viewers": 0, "rungs": []})
        self.assertIsNone(taken(20_000_000))


class Links(unittest.TestCase):
    def test_addresses_are_read_as_people_write_them(self) -> None:
        for text, shown in [
            ("desk.local", "desk.local:8002"),
            ("10.0.0.1:9000", "10.0.0.1:9000"),
            ("::1", "[::1]:8002"),
            ("[fe80::1]:9", "[fe80::1]:9"),
            ("fe80::1%eth0", "[fe80::1%eth0]:8002"),
            ("ws://[fe80::1%25eth0]:9/ws", "ws://[fe80::1%eth0]:9/ws"),
            ("ws://hub:8002", "ws://hub:8002/ws"),
            ("ws://hub/cams/ws?x=1", "ws://hub:80/cams/ws?x=1"),
            ("wss://cams.example.org", "wss://cams.example.org:443/ws"),
        ]:
            self.assertEqual(str(address.parse_address(text)), shown)
        for wrong in ["", ":80", "a:b", "host:0", "http://x", "wss://", "a]b", "a#b", "[:1%25a%25b]", "a::b::c", "fe80::1%", "a b",
                      "[::1", "[::1]x", "host:99999", "h\n"]:
            with self.subTest(wrong), self.assertRaises(errors.UsageError):
                address.parse_address(wrong)

    def test_links_are_those_that_hubs_print(self) -> None:
        key = der.Fingerprint(bytes([7] * 32))
        pin = str(key)[7:].replace("+", "-").replace("/", "_")
        link = address.parse_link(f"sf://[::1]:9/lab/cam#pin={pin}&token=a%26b%C3%BC&key=k-k")
        self.assertEqual((link.hub.place, link.room, link.name), ("[::1]:9", "lab", "cam"))
        self.assertEqual((link.hub.pin, link.hub.tls, link.hub.token, link.key), (key, True, "a&b\u00fc", "k-k"))
        page = address.parse_link("https://cams.example.org/in/#/main/t%C3%BCr&token=a%26b")
        self.assertEqual(str(page.hub), "wss://cams.example.org:443/in/ws")
        self.assertEqual((page.room, page.name, page.hub.token, page.hub.tls), ("main", "t\u00fcr", "a&b", True))
        self.assertIsNone(address.parse_link("sf://desk/main").hub.tls)
        for wrong in ["sf://", "sf://desk#x", "sf://desk#what=1", "sf://desk#token=a&token=b", "sf://desk#pin=abc", "sf://desk//door",
                      "sf://desk/a/b/c", "sf://desk/a=b", "https://desk?x", "sf://desk#token=%00", "sf://desk#token=%ff"]:
            with self.subTest(wrong), self.assertRaises(errors.UsageError):
                address.parse_link(wrong)

    def test_a_secret_is_in_no_message_and_no_repr(self) -> None:
        for text in ("sf://desk/main#token=hunter2&x", "sf://desk/a=b#token=hunter2", "ws://d e#token=hunter2", "sf://d/m#token=hunter2%00"):
            with self.assertRaises(errors.UsageError) as raised:
                address.target(text, "", None, None, None)
            self.assertNotIn("hunter2", str(raised.exception))
        self.assertNotIn("hunter2", repr(address.parse_link("sf://desk/main#token=hunter2&key=hunter2hunter2")))

    def test_what_does_not_go_together_is_refused(self) -> None:
        pin = str(der.Fingerprint(bytes(32)))
        for hub, name, given, tls in [
            ("sf://desk/main/door", "bench", None, None),
            ("sf://desk/lab", "main/door", None, None),
            ("desk", "door", pin, False),
            ("ws://desk", "door", None, True),
            ("ws://desk", "door", pin, None),
            ("desk", "a/b/c", None, None),
            ("desk", "/door", None, None),
        ]:
            with self.subTest(hub=hub, name=name), self.assertRaises(errors.UsageError):
                address.target(hub, name, None, given, tls)
        for hub, name, stream in [
            ("desk", "", "main"), ("desk", "door", "main/door"), ("desk", "lab/", "lab"), ("sf://desk/lab", "cam", "lab/cam"),
            ("sf://desk/lab/cam", "", "lab/cam"), ("sf://desk/lab/cam", "lab/cam", "lab/cam"), ("desk", "lab/cam", "lab/cam"),
        ]:
            self.assertEqual(address.target(hub, name, None, None, None).stream, stream)


class Certificates(unittest.TestCase):
    def test_a_fingerprint_is_read_in_every_way_that_it_is_written(self) -> None:
        key = der.Fingerprint(bytes((n * 8 + 7) & 255 for n in range(32)))
        text = str(key)
        self.assertTrue(text.startswith("SHA256:") and len(text) == 50)
        for given in (text, text[7:], text[7:].replace("+", "-").replace("/", "_"), f" {text}=\n"):
            self.assertEqual(der.Fingerprint.read(given), key)
        for wrong in ("", "SHA256:", text[:49], text + "A", "SHA256:\u00e9", "*" * 43, "A" * 42 + "B"):
            self.assertIsNone(der.Fingerprint.read(wrong), wrong)

    def test_the_public_key_of_a_certificate_is_found_and_nothing_else_is_taken_for_one(self) -> None:
        certificate = support.CERTIFICATE
        # As `openssl x509 -pubkey | openssl pkey -pubin -outform der | sha256sum` says it.
        self.assertEqual(der.Fingerprint.of_certificate(certificate).hex(), support.CERTIFICATE_KEY)
        for cut in range(len(certificate)):
            with self.assertRaises(ValueError):
                der.public_key_info(certificate[:cut])
        for wrong in (b"\x30\x80\x00\x00", b"\x30\x85\x01\x01\x01\x01\x01", b"\x30\x82\x00\x05\x30\x03\x02\x01\x01", b"\x1f\x81\x01\x00",
                      b"\x30\x81\x05" + bytes(5), b"\x30" * 70000):
            with self.assertRaises(ValueError):
                der.public_key_info(wrong)
        chance = random.Random(13)
        for _ in range(5000):
            odd = bytearray(certificate)
            for _ in range(chance.randrange(1, 4)):
                odd[chance.randrange(300)] = chance.randrange(256)
            try:
                der.public_key_info(bytes(odd))
            except ValueError:
                pass


class Pictures(unittest.TestCase):
    def test_the_size_is_read_from_the_frame_header(self) -> None:
        self.assertEqual(picture.jpeg_size(support.jpeg(3)), (24, 16))
        for wrong in (b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 300, b"\xff\xd8\xff\xc0\x00\x00" + bytes(9)):
            self.assertIsNone(picture.jpeg_size(wrong))
        chance = random.Random(13)
        for _ in range(3000):
            odd = bytearray(support.jpeg(3))
            odd[chance.randrange(len(odd))] = chance.randrange(256)
            picture.jpeg_size(bytes(odd)[: chance.randrange(len(odd))])

    def test_metadata_that_cannot_be_read_is_none(self) -> None:
        moment = session.Moment.at(None, True)
        for text, found in [(b'{"n":1}', {"n": 1}), (b"", None), (b"{", None), (b"\xff", None), (b"[" * 60000, None)]:
            self.assertEqual(picture.Picture(b"", 0, moment, text).metadata, found)


class Sealed(unittest.TestCase):
    def test_headers_and_keys_are_those_of_the_rfc_and_of_the_protocol(self) -> None:
        for case in json_vector("sframe.json")["header"]:
            encoded = bytes.fromhex(case["encoded"])
            self.assertEqual(seal.header(encoded + b"more"), (int(case["kid"]), int(case["ctr"]), len(encoded)))
            for cut in range(len(encoded)):
                self.assertIsNone(seal.header(encoded[:cut]))
        for case in json_vector("seal.json")["cases"]:
            opener = seal.Opener(case["key"], case["room"], case["name"])
            self.assertEqual(opener.base_key(int(case["instance"])).hex(), case["base_key"], case["what"])

    def test_sealed_pictures_open_once_and_with_their_key_alone(self) -> None:
        support.needs("cryptography")
        for case in json_vector("seal.json")["cases"]:
            def packet(sealed: bytes, rung: int) -> wire.PicturePacket:
                return wire.PicturePacket(wire.SEALED, case["quality"], rung, 0, False, False, 1, 0, b"", sealed)

            sealed, rung = bytes.fromhex(case["sealed"]), case["rung"]
            opener = seal.Opener(case["key"], case["room"], case["name"])
            opened = opener.open(packet(sealed, rung))
            self.assertEqual(opened, (bytes.fromhex(case["jpeg"]), case["metadata"].encode()), case["what"])
            with self.assertRaises(seal.RepeatedError):
                opener.open(packet(sealed, rung))
            for wrong in (packet(sealed[:-1] + b"x", rung), packet(sealed, rung + 1), packet(b"", rung), packet(sealed[:20], rung)):
                with self.assertRaises(errors.SealedError):
                    seal.Opener(case["key"], case["room"], case["name"]).open(wrong)
            with self.assertRaises(errors.SealedError):
                seal.Opener("AAECAwQFBgcICQoLDA0OAA", case["room"], case["name"]).open(packet(sealed, rung))
            with self.assertRaises(errors.SealedError):
                opener.open(packet(sealed, rung)._replace(codec=wire.JPEG))

    def test_nothing_is_published_in_the_open_that_is_to_be_sealed(self) -> None:
        with self.assertRaises(errors.RefusedError):
            streamflow.publish("sf://127.0.0.1:9/main/door#key=AAECAwQFBgcICQoLDA0OAA")
        with mock.patch.dict("os.environ", STREAMFLOW_KEY="correct horse battery"), self.assertRaises(errors.RefusedError):
            streamflow.publish("127.0.0.1:9", "door")

    def test_a_key_that_is_too_short_is_refused(self) -> None:
        for wrong in ("", "hunter2", "two lines\nof it all"):
            with self.assertRaises(errors.UsageError):
                seal.check(wrong)


class Words(unittest.TestCase):
    def test_words_from_outside_cannot_steer_a_terminal(self) -> None:
        self.assertIsNone(re.search("[\x00-\x1f\x7f-\x9f\u202e]", errors.shown("a\x1b[2J\nb\u202e\x9b" + "x" * 9999)))
