"""Packets of docs/protocol.md: a length, a header of 32 bytes, metadata, a payload. No socket, no clock."""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple, Optional, Union

from .errors import ProtocolError

VERSION = 1
HEADER = struct.Struct("<2sBBBBBBQIHHHHI")
LENGTH = struct.Struct("<Q")
PICTURE, CONTROL = 1, 2
JPEG, SEALED = 1, 2
ESTIMATED, ARRIVAL = 1, 2
MAX_METADATA = 64 * 1024
MAX_CONTROL = 64 * 1024
MAX_PICTURE = 8 << 20
# What is read at most. A hub may take longer pictures than usual; beyond this it is none.
LONGEST = 4 * MAX_PICTURE
# Spans count units of 16 us.
SPAN = 16

Control = dict[str, Any]


class PicturePacket(NamedTuple):
    """A picture as it stands in a packet. Times are of the sender's clock, in microseconds."""

    codec: int
    quality: int
    rung: int
    captured: int
    estimated: bool
    arrival: bool
    sequence: int
    spent: int
    metadata: bytes
    payload: bytes


class Skipped(NamedTuple):
    """What a later version knows: a picture of an unknown codec with its number, or another kind of packet."""

    sequence: Optional[int]


Packet = Union[PicturePacket, Control, Skipped]


def control_packet(message: Control) -> bytes:
    """A control packet, without its length."""
    payload = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return HEADER.pack(b"SF", VERSION, CONTROL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) + payload


def picture_packet(picture: PicturePacket, encode: int = 0) -> bytes:
    """A picture's packet, without its length; `encode` is how long it took to encode it, in microseconds."""
    flags = (ESTIMATED if picture.estimated or picture.arrival else 0) | (ARRIVAL if picture.arrival else 0)
    capture = min(max(picture.spent, 0) // SPAN, 0xFFFF)
    head = HEADER.pack(
        b"SF",
        VERSION,
        PICTURE,
        picture.codec,
        flags,
        picture.quality,
        picture.rung,
        picture.captured,
        picture.sequence & 0xFFFFFFFF,
        capture,
        min(max(encode, 0) // SPAN, 0xFFFF),
        0,
        0,
        len(picture.metadata),
    )
    return b"".join((head, picture.metadata, picture.payload))


def read_packet(packet: bytes) -> Packet:
    """Reads a packet. Raises ProtocolError where it is none."""
    if packet[:2] == b"\xff\xd8":
        # A bare JPEG, which a hub does not send.
        return Skipped(None)
    if len(packet) < HEADER.size:
        raise ProtocolError(f"a packet of {len(packet)} bytes is shorter than a header")
    magic, version, kind, codec, flags, quality, rung, captured, sequence, *spans, metadata = HEADER.unpack_from(packet)
    if magic != b"SF":
        raise ProtocolError("what came is no packet of a hub")
    if version != VERSION:
        raise ProtocolError(f"it speaks version {version} of the protocol, and this package version {VERSION}")
    if kind == CONTROL:
        return read_control(packet[HEADER.size :])
    if kind != PICTURE:
        return Skipped(None)
    if metadata > MAX_METADATA or HEADER.size + metadata >= len(packet):
        raise ProtocolError(f"metadata of {metadata} bytes in a picture of {len(packet)}")
    if codec not in (JPEG, SEALED):
        return Skipped(sequence)
    payload = HEADER.size + metadata
    return PicturePacket(
        codec,
        quality,
        rung,
        captured,
        bool(flags & (ESTIMATED | ARRIVAL)),
        bool(flags & ARRIVAL),
        sequence,
        sum(spans) * SPAN,
        packet[HEADER.size : payload],
        packet[payload:],
    )


def read_control(payload: bytes) -> Control:
    """Reads the JSON of a control packet; of a type without a name, the type is empty."""
    if len(payload) > MAX_CONTROL:
        raise ProtocolError(f"a control message of {len(payload)} bytes")
    try:
        message = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ProtocolError("a control message that is no JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("a control message without a type")
    return message


def number(message: Control, member: str, default: Optional[int] = None) -> int:
    """A whole number of a control message that is not negative. Raises ProtocolError where there is none, and no default."""
    value = message.get(member, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise ProtocolError(f"a {message['type']} whose {member} is no number")
    return value


def text(message: Control, member: str, default: Optional[str] = None) -> str:
    """A text of a control message. Raises ProtocolError where there is none, and no default."""
    value = message.get(member, default)
    if not isinstance(value, str):
        raise ProtocolError(f"a {message['type']} whose {member} is no text")
    return value


class Deframer:
    """Finds packets in a stream of bytes: each behind its length, of 8 bytes."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._bytes = bytearray()

    def push(self, data: bytes) -> None:
        """Bytes came."""
        self._bytes += data

    def next(self) -> Optional[bytes]:
        """The next packet that is whole. Raises ProtocolError for a length that none has, before there are bytes for it."""
        if len(self._bytes) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._bytes)
        if not 1 <= length <= self._longest:
            if self._bytes.startswith(b"HTTP/"):
                raise ProtocolError("a web server")
            raise ProtocolError(f"a packet of {length} bytes, and none has more than {self._longest}")
        end = LENGTH.size + length
        if len(self._bytes) < end:
            return None
        packet = bytes(memoryview(self._bytes)[LENGTH.size : end])
        del self._bytes[:end]
        return packet

    @staticmethod
    def frame(packet: bytes) -> bytes:
        """A packet with what tells it from the next."""
        return LENGTH.pack(len(packet)) + packet

    def answers(self) -> list[bytes]:
        """What this framing itself wants said; nothing."""
        return []
