"""Opens pictures that are sealed end to end (docs/protocol.md, section 11), by the package `cryptography`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import importlib
from dataclasses import dataclass
from typing import Any, Optional

from .errors import SealedError, UsageError
from .wire import MAX_METADATA, SEALED, PicturePacket

KEY, TAG, NONCE, HEAD = 16, 16, 12, 20
ROUNDS = 600_000
SHORTEST = 12
SUITE = (4).to_bytes(2, "big")
# Publishers that are remembered; each start of one counts.
INSTANCES = 64


class RepeatedError(Exception):
    """It, or a later one, was seen before."""


def _cipher(key: bytes) -> Any:
    try:
        return importlib.import_module("cryptography.hazmat.primitives.ciphers.aead").AESGCM(key)
    except ImportError:
        raise SealedError("to open a stream that is sealed end to end: pip install cryptography") from None


def check(key: str) -> None:
    """Raises UsageError where this is no key, and SealedError where nothing here opens with it."""
    _random(key)
    _cipher(bytes(KEY))


def _random(text: str) -> Optional[bytes]:
    """The 16 bytes of a random key; None: it is a passphrase."""
    text = _bare(text)
    if len(text) == 22 and text.isascii():
        try:
            found = base64.b64decode(text.replace("-", "+").replace("_", "/") + "==", validate=True)
        except binascii.Error:
            found = b""
        if len(found) == KEY and base64.urlsafe_b64encode(found).decode().rstrip("=") == text:
            return found
    if len(text) < SHORTEST:
        raise UsageError(f"a key is 22 characters for 16 random bytes, or a passphrase of {SHORTEST} characters or more")
    if any(c < " " or "\x7f" <= c <= "\x9f" for c in text):
        raise UsageError("the key has more than one line, or characters that cannot be typed")
    return None


def _bare(text: str) -> str:
    text = text.strip()
    return text[4:] if text.startswith("key=") else text


def _hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF with SHA-256 (RFC 5869), 32 bytes at most."""
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()[:length]


def header(sealed: bytes) -> Optional[tuple[int, int, int]]:
    """Key identifier, counter and length of an SFrame header (RFC 9605, 4.3); None where it is cut off."""
    if not sealed:
        return None
    at, numbers = 1, []
    for nibble in (sealed[0] >> 4, sealed[0] & 15):
        if nibble < 8:
            numbers.append(nibble)
            continue
        end = at + (nibble & 7) + 1
        if len(sealed) < end:
            return None
        numbers.append(int.from_bytes(sealed[at:end], "big"))
        at = end
    return numbers[0], numbers[1], at


class Keys:
    """The keys of one publisher."""

    def __init__(self, base: bytes, kid: int) -> None:
        label = kid.to_bytes(8, "big") + SUITE
        self._cipher = _cipher(_hkdf(b"", base, b"SFrame 1.0 Secret key " + label, KEY))
        self._salt = int.from_bytes(_hkdf(b"", base, b"SFrame 1.0 Secret salt " + label, NONCE), "big")

    def open(self, counter: int, sealed: bytes, length: int, beside: bytes) -> Optional[bytes]:
        """What was sealed behind a header of this length; None where it does not open."""
        nonce = (self._salt ^ counter).to_bytes(NONCE, "big")
        if len(sealed) < length + TAG:
            return None
        try:
            opened: bytes = self._cipher.decrypt(nonce, sealed[length:], sealed[:length] + beside)
        except importlib.import_module("cryptography.exceptions").InvalidTag:
            return None
        return opened


@dataclass
class _Instance:
    keys: Keys
    counter: int
    latest: int


class Opener:
    """Opens the pictures of one stream, each once, and none from before another of the same publisher."""

    def __init__(self, key: str, room: str, name: str) -> None:
        self._salt = f"streamflow 1|{room}|{name}".encode()
        self._shared = _random(key) or hashlib.pbkdf2_hmac("sha256", _bare(key).encode(), self._salt, ROUNDS, KEY)
        self._instances: dict[int, _Instance] = {}
        self._floor = 0

    def base_key(self, instance: int) -> bytes:
        """The base key of one start of a publisher."""
        return _hkdf(self._salt, self._shared, b"send" + instance.to_bytes(8, "big"), KEY)

    def open(self, packet: PicturePacket) -> tuple[bytes, bytes]:
        """JPEG and metadata of a sealed picture. Raises SealedError, and RepeatedError for one that was seen before."""
        if packet.codec != SEALED:
            raise SealedError("a picture is not encrypted end to end, and only such ones are wanted with a key")
        closed = SealedError("a picture does not open with this key: the key is another, or the picture was changed on its way")
        found = header(packet.payload)
        if found is None:
            raise closed
        kid, counter, length = found
        known = self._instances.get(kid)
        if known is not None and counter <= known.counter:
            raise RepeatedError
        # Of a number that was not seen nothing is kept before a picture has opened.
        keys = known.keys if known else Keys(self.base_key(kid), kid)
        text = keys.open(counter, packet.payload, length, bytes((packet.codec, packet.quality, packet.rung)))
        if text is None:
            raise closed
        wall, end = int.from_bytes(text[:8], "little"), HEAD + int.from_bytes(text[16:20], "little")
        if len(text) < HEAD or end > HEAD + MAX_METADATA or text[12] != packet.rung or text[end : end + 2] != b"\xff\xd8":
            raise SealedError("what is inside a sealed picture is no picture of this version")
        if known is None and wall <= self._floor:
            raise RepeatedError
        if known is None:
            if len(self._instances) >= INSTANCES:
                oldest = min(self._instances, key=lambda each: self._instances[each].latest)
                self._floor = max(self._floor, self._instances.pop(oldest).latest)
            self._instances[kid] = _Instance(keys, counter, wall)
        else:
            known.counter, known.latest = counter, max(known.latest, wall)
        return text[end:], text[HEAD:end]
