"""Servers that are no hub, or one that breaks the rules: an error in words, and nothing without bound."""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import time
from typing import Callable

import streamflow
from streamflow import wire

from .support import LIMIT, Case, Server, jpeg, wait_for


def frame(packet: bytes) -> bytes:
    return wire.Deframer.frame(packet)


def control(**message: object) -> bytes:
    return frame(wire.control_packet(message))


WELCOME = control(type="welcome", room="main", name="door", program="test", max_picture=8 << 20)


def hello(connection: socket.socket) -> bytes:
    head = connection.recv(8, socket.MSG_WAITALL)
    (length,) = struct.unpack("<Q", head)
    return head + connection.recv(length, socket.MSG_WAITALL)


class Hostile(Case):
    def says(self, *what: bytes) -> Server:
        """A server that hears the hello and says this."""

        def serve(connection: socket.socket) -> None:
            hello(connection)
            for one in what:
                connection.sendall(one)
            # It does not hang up: that it ends is the other side's doing.
            while connection.recv(65536):
                pass

        return Server(self, serve)

    def test_what_is_no_hub_is_said_to_be_none(self) -> None:
        for said, words in [
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "none has more than"),
            (struct.pack("<Q", 1 << 62), "none has more than"),
            (struct.pack("<Q", 0), "none has more than"),
            (frame(b"x"), "shorter than a header"),
            (frame(b"x" * 40), "no packet of a hub"),
            (frame(b"SF\x07\x02" + bytes(28)), "version 7"),
            (frame(wire.control_packet({})[:32] + b"{"), "no JSON"),
            (frame(wire.control_packet({})[:32] + b"[" * 60000), "no JSON"),
            (frame(wire.control_packet({})[:32] + b"[]"), "without a type"),
            (frame(wire.control_packet({})[:32] + b" " * 70000), "control message of 70000 bytes"),
            (WELCOME + struct.pack("<Q", 1 << 40), "breaks the protocol"),
            (WELCOME + frame(wire.HEADER.pack(b"SF", 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 << 31) + b"x" * 90), "metadata of"),
            (WELCOME + control(type="ping"), "time is no number"),
            (WELCOME + control(type="ping", time=-1), "time is no number"),
            (WELCOME + os.urandom(1), None),
        ]:
            server = self.says(said)
            with self.subTest(said[:60]), streamflow.view(server.address, "door", timeout=0.3 if words is None else LIMIT) as view:
                with self.assertRaisesRegex(streamflow.Error, words or "no picture within") as raised:
                    view.next()
                expected = streamflow.NoPictureError if words is None else streamflow.ProtocolError
                self.assertIsInstance(raised.exception, expected)
                self.assertIn(server.address if words else "", str(raised.exception))
        with streamflow.publish(self.says(WELCOME + control(type="demand", viewers="x")).address, "bench") as bench:
            with self.assertRaisesRegex(streamflow.ProtocolError, "viewers is no number"):
                bench.wait(LIMIT)
        with self.assertRaisesRegex(streamflow.ProtocolError, "no StreamFlow hub"):
            streamflow.view("ws://" + Server(self, lambda c: c.sendall(b"220 mail\r\n\r\n")).address, "door", timeout=LIMIT).next()

    def test_garbage_of_every_kind_ends_in_an_error_of_ours_or_in_a_picture(self) -> None:
        chance = random.Random(13)
        picture = wire.picture_packet(wire.PicturePacket(1, 80, 0, 5, False, False, 7, 0, b'{"n":1}', jpeg(0)))
        good = WELCOME + control(type="state", live=True, published=True) + control(type="pong", time=3, now=4) + frame(picture)
        for _ in range(60):
            odd = bytearray(good)
            for _ in range(chance.randrange(1, 8)):
                odd[chance.randrange(len(odd))] = chance.randrange(256)
            with streamflow.view(self.says(bytes(odd)).address, "door", timeout=0.05) as view:
                try:
                    shown = view.next()
                    self.assertIsNotNone((repr(shown), shown.metadata, shown.size, shown.age, view.reason))
                except streamflow.Error as error:
                    self.assertNotIn("a fault in", str(error))

    def test_a_hub_that_hangs_up_is_tried_again_more_and_more_slowly(self) -> None:
        server = Server(self, lambda connection: None)
        with self.assertLogs("streamflow", "WARNING") as said, streamflow.view(server.address, "door", timeout=1.5) as view:
            with self.assertRaisesRegex(streamflow.NoPictureError, "closed the connection without a word"):
                view.next()
        # At 0, 0.19, 0.56 and 1.3 s at the earliest; and the same words once.
        self.assertTrue(2 <= server.connections <= 5, server.connections)
        self.assertEqual(len(said.output), 1)

    def test_a_hub_that_asks_and_reads_nothing_is_left(self) -> None:
        def serve(connection: socket.socket) -> None:
            hello(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(WELCOME)
            while True:
                connection.sendall(control(type="ping", time=1) * 1000)

        with self.assertRaisesRegex(streamflow.ProtocolError, "does not read the answers"):
            streamflow.view(Server(self, serve).address, "door", timeout=LIMIT).next()

    def test_goodbyes_mean_what_they_say_and_cannot_steer_a_terminal(self) -> None:
        for cause, kind, again in [
            ("refused", streamflow.RefusedError, False), ("protocol", streamflow.RefusedError, False),
            ("unauthorized", streamflow.UnauthorizedError, False), ("replaced", streamflow.RefusedError, False),
            ("stopping", streamflow.NoPictureError, True), ("unheard", streamflow.NoPictureError, True),
        ]:
            server = self.says(control(type="bye", cause=cause, reason="no \x1b[2J\u202ewhy"))
            with self.subTest(cause), self.assertRaisesRegex(kind, r"no \\x1b\[2J\\u202ewhy"):
                streamflow.view(server.address, "door", timeout=1.0 if again else LIMIT).next()
            self.assertEqual(server.connections > 1, again)

    def test_answers_over_http_are_bounded_and_judged(self) -> None:
        def serves(answer: Callable[[], bytes]) -> str:
            def serve(connection: socket.socket) -> None:
                connection.recv(65536)
                connection.sendall(answer())

            return Server(self, serve).address

        def http(status: str, body: bytes, more: str = "") -> Callable[[], bytes]:
            return lambda: f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body

        for answer, kind in [
            (lambda: b"SSH-2.0\r\n", streamflow.ProtocolError),
            (http("200 OK", b"no picture"), streamflow.ProtocolError),
            (http("404 Not Found", b"nothing"), streamflow.RefusedError),
            (http("401 Unauthorized", b"a link, please"), streamflow.UnauthorizedError),
            (http("403 Forbidden", b"picture", "Content-Type: image/jpeg\r\n"), streamflow.SealedError),
            (http("502 Bad Gateway", b""), streamflow.UnreachableError),
            (http("200 OK", bytes(1), "X: " + "y" * 70000 + "\r\n"), streamflow.ProtocolError),
            (lambda: b"HTTP/1.1 200 OK\r\n\r\n" + bytes(33 << 20), streamflow.ProtocolError),
        ]:
            with self.assertRaises(kind):
                streamflow.snapshot(serves(answer), "door", timeout=LIMIT)
        odd = b"\xff\xd8" + bytes(30)
        for field in ("X-Age-Ms: nan", "X-Age-Ms: -1", "X-Age-Ms: x", "X-Age-Ms: 5\r\nX-Age-Estimated: 1"):
            self.assertIsNone(streamflow.snapshot(serves(http("200 OK", odd, field + "\r\n")), "door").age, field)
        for body in (b"", b"[", b"3", b"[1]", b'{"streams": 7}', b'{"streams": [{}]}', b"[" * 100000,
                     json.dumps([{"room": "a", "name": "b", "size": "axb"}]).encode()):
            with self.subTest(body[:20]), self.assertRaises(streamflow.ProtocolError):
                streamflow.streams(serves(http("200 OK", body)))

    def test_who_sends_slowly_costs_no_more_than_came(self) -> None:
        deframer = wire.Deframer()
        deframer.push(struct.pack("<Q", wire.LONGEST))
        deframer.push(b"x" * 10)
        self.assertIsNone(deframer.next())
        self.assertLess(deframer._bytes.__sizeof__(), 1000)

    def test_closing_does_not_wait_for_a_hub_that_says_nothing(self) -> None:
        server = Server(self, lambda connection: time.sleep(LIMIT))
        view = streamflow.view(server.address, "door")
        wait_for(lambda: server.connections, "it is there")
        view.close()
        self.assertEqual(list(view), [])
