"""The client's side of WebSocket (RFC 6455): packets as binary messages. No socket."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from typing import Optional

from .errors import ProtocolError
from .wire import LONGEST

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT_MOST = 4096
HEAD_MOST = 16 * 1024
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def request(authority: str, path: str) -> tuple[bytes, bytes]:
    """What asks for a WebSocket, and what the answer must have as its `Sec-WebSocket-Accept`."""
    key = base64.b64encode(os.urandom(16))
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key.decode()}",
        "Sec-WebSocket-Version: 13",
    ]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return "\r\n".join([*lines, "", ""]).encode(), accept


def status(head: bytes, accept: bytes) -> int:
    """The status of an answer; 101 only where it accepts. Raises ProtocolError where it is no answer."""
    lines = head.split(b"\r\n")
    first = lines[0].split(b" ")
    if len(first) < 2 or not first[0].startswith(b"HTTP/1.") or not first[1].isdigit() or len(first[1]) != 3:
        raise ProtocolError("it does not speak HTTP")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    if first[1] == b"101" and fields.get(b"sec-websocket-accept") != accept:
        raise ProtocolError("it answers, and not what was asked")
    return int(first[1])


def _masked(data: bytes, mask: bytes) -> bytes:
    whole = mask * (len(data) // 4) + mask[: len(data) % 4]
    return (int.from_bytes(data, "little") ^ int.from_bytes(whole, "little")).to_bytes(len(data), "little")


def _frame(opcode: int, data: bytes) -> bytes:
    length = len(data)
    if length < 126:
        head = struct.pack(">BB", 0x80 | opcode, 0x80 | length)
    elif length < 1 << 16:
        head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, length)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, length)
    mask = os.urandom(4)
    return head + mask + _masked(data, mask)


class WebSocket:
    """Finds packets in the bytes of a WebSocket. Interface of `wire.Deframer`."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._bytes = bytearray()
        self._message: Optional[bytearray] = None
        self._binary = True
        self._pong: Optional[bytes] = None

    def push(self, data: bytes) -> None:
        """Bytes came."""
        self._bytes += data

    @staticmethod
    def frame(packet: bytes) -> bytes:
        """A packet as a message."""
        return _frame(BINARY, packet)

    def answers(self) -> list[bytes]:
        """The answer to a ping, of several the newest."""
        pong, self._pong = self._pong, None
        return [] if pong is None else [_frame(PONG, pong)]

    def next(self) -> Optional[bytes]:
        """The next packet that is whole. Raises ProtocolError for what is no WebSocket, and EOFError when it is closed."""
        while True:
            frame = self._next_frame()
            if frame is None:
                return None
            fin, opcode, data = frame
            if opcode == PING:
                self._pong = data
            elif opcode == CLOSE:
                raise EOFError
            elif opcode in (TEXT, BINARY, CONTINUATION):
                message = self._join(fin, opcode, data)
                if message is not None:
                    return message
            elif opcode != PONG:
                raise ProtocolError("a WebSocket message of an unknown kind")

    def _join(self, fin: bool, opcode: int, data: bytes) -> Optional[bytes]:
        if (opcode == CONTINUATION) == (self._message is None):
            raise ProtocolError("a WebSocket message in pieces that do not fit")
        if opcode != CONTINUATION:
            self._binary, self._message = opcode == BINARY, bytearray()
        message = self._message
        assert message is not None
        if len(message) + len(data) > (self._longest if self._binary else TEXT_MOST):
            raise ProtocolError("a WebSocket message that is too long")
        message += data
        if not fin:
            return None
        self._message = None
        # Text is reserved, and ignored; an empty packet is none.
        if not self._binary:
            return None
        if not message:
            raise ProtocolError("an empty packet")
        return bytes(message)

    def _next_frame(self) -> Optional[tuple[bool, int, bytes]]:
        have = self._bytes
        if len(have) < 2:
            return None
        if have[0] & 0x70 or have[1] & 0x80:
            raise ProtocolError("a WebSocket frame that no server sends")
        fin, opcode, length, at = bool(have[0] & 0x80), have[0] & 15, have[1] & 0x7F, 2
        if opcode >= CLOSE and (not fin or length > 125):
            raise ProtocolError("a WebSocket control frame that is too long")
        if length == 126:
            at = 4
        elif length == 127:
            at = 10
        if len(have) < at:
            return None
        if at > 2:
            length = int.from_bytes(have[2:at], "big")
        if length > self._longest:
            raise ProtocolError(f"a WebSocket frame of {length} bytes, and none has more than {self._longest}")
        if len(have) < at + length:
            return None
        data = bytes(memoryview(have)[at : at + length])
        del have[: at + length]
        return fin, opcode, data
