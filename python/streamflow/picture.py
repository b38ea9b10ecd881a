"""A picture, as whoever watches gets it."""

from __future__ import annotations

import importlib
import json
import time
from typing import Any, Optional

from . import clock
from .errors import DecoderError, UsageError
from .session import Moment

# As the hub's own limit: larger ones are not decoded.
MOST_PIXELS = 64 << 20
MOST_SEGMENTS = 256


class Picture:
    """A JPEG with what is known of it. It does not change."""

    __slots__ = ("_captured", "_metadata", "_moment", "jpeg", "quality", "sequence", "skipped")

    def __init__(self, jpeg: bytes, sequence: int, moment: Moment, metadata: bytes = b"", quality: int = 0) -> None:
        # The bytes, exactly as they came.
        self.jpeg = jpeg
        # The number in its stream, from 0 on; it wraps around at 2**32. A gap is pictures that were left out.
        self.sequence = sequence
        # The JPEG quality, 1 to 100; 0 where nobody knows.
        self.quality = quality
        # How many were left out between the one that was given to this program before, and this one.
        self.skipped = 0
        self._moment, self._metadata = moment, metadata
        self._captured: Optional[float] = None

    def __repr__(self) -> str:
        age = self.age
        old = "of unknown age" if age is None else f"{age * 1000:.1f} ms old"
        return f"<Picture {self.sequence}: {len(self.jpeg)} bytes, {old}>"

    @property
    def age(self) -> Optional[float]:
        """How old it is now, in seconds, since it was captured. None where nobody knows: its source does not tell, or the
        clocks of hub and program have not been compared yet."""
        at, _ = self._moment.known()
        return None if at is None else max(clock.now() - at, 0) / 1e6

    @property
    def estimated(self) -> bool:
        """Whether the age, where there is one, is an estimate: a clock on the way is not known well yet."""
        return self._moment.known()[1]

    @property
    def captured(self) -> Optional[float]:
        """When it was captured, in seconds since 1970 by this machine's clock; None where the age is unknown."""
        if self._captured is None:
            at, estimated = self._moment.known()
            if at is None:
                return None
            captured = time.time() - (clock.now() - at) / 1e6
            if estimated:
                return captured
            self._captured = captured
        return self._captured

    @property
    def metadata(self) -> Any:
        """What its publisher said of it, read from JSON; None where there is nothing, or nothing that can be read."""
        if not self._metadata:
            return None
        try:
            return json.loads(self._metadata.decode("utf-8"))
        except (ValueError, RecursionError):
            return None

    @property
    def size(self) -> Optional[tuple[int, int]]:
        """Width and height as they are stored, or None where the JPEG does not say. It may be shown turned: see `array`."""
        return jpeg_size(self.jpeg)

    def array(self, order: str = "bgr") -> Any:
        """The pixels, as a numpy array of height x width x 3 bytes, turned as the picture's Exif orientation says. `order` is
        `bgr`, as OpenCV has it, or `rgb`. Raises DecoderError where numpy and OpenCV or Pillow are not there, or it is no JPEG."""
        return decode(self.jpeg, order)


def jpeg_size(jpeg: bytes) -> Optional[tuple[int, int]]:
    """Width and height of a JPEG, from its frame header."""
    at = 2
    if jpeg[:2] != b"\xff\xd8":
        return None
    for _ in range(MOST_SEGMENTS):
        while jpeg[at : at + 2] == b"\xff\xff":
            at += 1
        if len(jpeg) < at + 9 or jpeg[at] != 0xFF:
            return None
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = int.from_bytes(jpeg[at + 5 : at + 7], "big"), int.from_bytes(jpeg[at + 7 : at + 9], "big")
            return (width, height) if width and height else None
        if length < 2 or marker in (0xD9, 0xDA):
            return None
        at += 2 + length
    return None


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _tools() -> tuple[Any, Any, Any]:
    """numpy, and OpenCV or Pillow."""
    numpy = _module("numpy")
    # OpenCV without numpy is left half loaded.
    cv2 = _module("cv2") if numpy else None
    pillow = _module("PIL.Image") if numpy and not cv2 else None
    if cv2 is None and pillow is None:
        raise DecoderError(
            "arrays need numpy, and OpenCV or Pillow: pip install numpy opencv-python-headless (the JPEG itself needs neither)"
        )
    return numpy, cv2, pillow


def _checked(order: str) -> bool:
    if order not in ("bgr", "rgb"):
        raise UsageError("the order of colours is 'bgr' or 'rgb'")
    return order == "rgb"


def decode(jpeg: bytes, order: str) -> Any:
    """The pixels of a JPEG."""
    rgb = _checked(order)
    numpy, cv2, pillow = _tools()
    size = jpeg_size(jpeg)
    if size is None:
        raise DecoderError("this is no JPEG that can be decoded: it has no size")
    if size[0] * size[1] > MOST_PIXELS:
        raise DecoderError(f"a picture of {size[0]}x{size[1]} has more pixels than are decoded ({MOST_PIXELS})")
    if cv2 is not None:
        pixels = cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise DecoderError("OpenCV cannot decode this JPEG")
        return pixels[:, :, ::-1] if rgb else pixels
    import io

    try:
        image = pillow.open(io.BytesIO(jpeg), formats=["JPEG"])
        turned = importlib.import_module("PIL.ImageOps").exif_transpose(image)
        pixels = numpy.asarray(turned.convert("RGB"))
    except Exception as error:
        raise DecoderError(f"Pillow cannot decode this JPEG: {error}") from None
    return pixels if rgb else pixels[:, :, ::-1]


def encode(pixels: Any, order: str, quality: int) -> bytes:
    """The JPEG of an array of height x width (grey) or height x width x 3 bytes."""
    rgb = _checked(order)
    numpy, cv2, pillow = _tools()
    pixels = numpy.asarray(pixels)
    fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != numpy.uint8 or not fits or pixels.size == 0:
        raise UsageError(
            f"an array of {'x'.join(map(str, pixels.shape))} {pixels.dtype} is no picture: height x width, or height x width x 3, of uint8"
        )
    if cv2 is not None:
        if rgb and pixels.ndim == 3:
            pixels = pixels[:, :, ::-1]
        done, encoded = cv2.imencode(".jpg", numpy.ascontiguousarray(pixels), [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not done:
            raise DecoderError("OpenCV cannot encode this array")
        return bytes(encoded)
    import io

    if not rgb and pixels.ndim == 3:
        pixels = pixels[:, :, ::-1]
    out = io.BytesIO()
    pillow.fromarray(numpy.ascontiguousarray(pixels)).save(out, "JPEG", quality=quality)
    return out.getvalue()
