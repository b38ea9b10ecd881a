"""Finds the public key in a certificate, which Python's ssl gives as DER only (X.690; RFC 5280, 4.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import NamedTuple, Optional

from .errors import UsageError

# No certificate of a server is longer.
LONGEST = 64 * 1024
SEQUENCE, INTEGER, VERSION = 0x30, 0x02, 0xA0


class _Value(NamedTuple):
    tag: int
    # Where it begins, with its tag; where its content begins; where it ends.
    start: int
    content: int
    end: int


def _value(der: bytes, at: int, end: int) -> _Value:
    """The value at a place. Raises ValueError where it does not lie within `end`, or has a form that DER does not have."""
    if end - at < 2:
        raise ValueError("it is cut off")
    tag, length, content = der[at], der[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise ValueError("a tag of more than one byte")
    if length >= 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or end - content < count:
            raise ValueError("a length that makes no sense")
        length = int.from_bytes(der[content : content + count], "big")
        if length < 0x80 or length >> 8 * (count - 1) == 0:
            raise ValueError("a length that is not as short as can be")
        content += count
    if length > end - content:
        raise ValueError("it is longer than what it is in")
    return _Value(tag, at, content, content + length)


def public_key_info(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, with tag and length. Raises ValueError where it is none."""
    if len(certificate) > LONGEST:
        raise ValueError("it is too long")
    whole = _value(certificate, 0, len(certificate))
    inner = _value(certificate, whole.content, whole.end)
    if whole.tag != SEQUENCE or inner.tag != SEQUENCE:
        raise ValueError("it is no certificate")
    at = inner.content
    first = _value(certificate, at, inner.end)
    if first.tag == VERSION:
        at = first.end
    # serialNumber, signature, issuer, validity, subject.
    for tag in (INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE):
        value = _value(certificate, at, inner.end)
        if value.tag != tag:
            raise ValueError("it is no certificate")
        at = value.end
    key = _value(certificate, at, inner.end)
    if key.tag != SEQUENCE:
        raise ValueError("it has no public key")
    return certificate[key.start : key.end]


class Fingerprint(bytes):
    """The SHA-256 of a public key; written as `SHA256:` and base64, as a hub prints it."""

    def __str__(self) -> str:
        return "SHA256:" + base64.b64encode(self).decode().rstrip("=")

    def __repr__(self) -> str:
        return str(self)

    @classmethod
    def of_certificate(cls, certificate: bytes) -> Fingerprint:
        """That of a certificate in DER. Raises ValueError where it is none."""
        return cls(hashlib.sha256(public_key_info(certificate)).digest())

    @classmethod
    def read(cls, text: str) -> Optional[Fingerprint]:
        """Reads one with or without `SHA256:`, in the alphabet of URLs or the usual one."""
        digits = text.strip()
        digits = digits[7:] if digits.startswith("SHA256:") else digits
        digits = digits.rstrip("=")
        if len(digits) != 43 or not digits.isascii():
            return None
        try:
            found = base64.b64decode(digits.replace("-", "+").replace("_", "/") + "=", validate=True)
        except binascii.Error:
            return None
        # Bits that stand for nothing must be 0.
        canonical = base64.b64encode(found).decode().rstrip("=") == digits.replace("-", "+").replace("_", "/")
        return cls(found) if canonical and len(found) == 32 else None

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """The same, where somebody typed it. Raises UsageError."""
        found = cls.read(text)
        if found is None:
            raise UsageError("a fingerprint is SHA256: and 43 characters, as the hub prints it when it starts")
        return found
