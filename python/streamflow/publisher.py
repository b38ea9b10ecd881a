"""Publishing a stream: the newest picture, as soon as the link carries it, and none that nobody watches."""

from __future__ import annotations

import collections
import json
import os
import random
import threading
import time
import weakref
from typing import Any, Optional, Union

from . import clock
from .address import Target, target
from .errors import Error, RefusedError, UsageError, shown
from .link import Link, LinkUser, log
from .picture import Picture, encode
from .session import Session
from .state import State
from .viewer import PROGRAM, _given
from .wire import JPEG, MAX_METADATA, MAX_PICTURE, Control, PicturePacket, number, picture_packet

# Pictures that may be under way at most, and for how long one is waited for, in microseconds.
MOST_UNDER_WAY = 64
FORGOTTEN = 5_000_000
# What a round trip may be late without a queue, in microseconds.
SLACK = 2_000


class _Waiting(LinkUser):
    """Room for one picture between whoever publishes and the link's thread."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.viewers = 0
        self.wanted = False
        self.connected = False
        self.error: Optional[Error] = None
        self.max_picture = MAX_PICTURE
        self.sent = self.replaced = 0
        self.held: Optional[tuple[PicturePacket, int]] = None
        # Numbers of what is under way, with when it was sent.
        self._under_way: collections.deque[tuple[int, int]] = collections.deque()

    def welcomed(self, message: Control) -> None:
        with self.changed:
            self._under_way.clear()
            self.connected = True
            self.max_picture = number(message, "max_picture", 0) or MAX_PICTURE
            self.changed.notify_all()

    def control(self, message: Control) -> None:
        kind = message["type"]
        with self.changed:
            if kind == "demand":
                rungs = message.get("rungs")
                self.viewers = number(message, "viewers", 0)
                self.wanted = self.viewers > 0 or bool(rungs)
                if not self.wanted:
                    self.held = None
                self.changed.notify_all()
            elif kind == "ack":
                sequence = number(message, "sequence")
                # What came before it has come as well; a number from nowhere is none of ours.
                if any(sequence == sent for sent, _ in self._under_way):
                    while self._under_way.popleft()[0] != sequence:
                        pass
            elif kind == "dropped":
                log.warning("the hub leaves pictures out: %s", shown(str(message.get("reason", ""))))

    def take(self, session: Session, now: int) -> Optional[bytes]:
        with self.changed:
            while self._under_way and now - self._under_way[0][1] > FORGOTTEN:
                self._under_way.popleft()
            if self.held is None or len(self._under_way) >= MOST_UNDER_WAY:
                return None
            if self._under_way:
                # While nothing waits on the way, the oldest is acknowledged after a round trip.
                trip = session.round_trip()
                if trip is None or now - self._under_way[0][1] > trip + trip // 2 + SLACK:
                    return None
            (packet, took), self.held = self.held, None
            self._under_way.append((packet.sequence, now))
            self.sent += 1
            self.changed.notify_all()
        return picture_packet(packet, took)

    def picture_is_wanted(self) -> bool:
        """Whether somebody watches."""
        return self.connected and self.wanted

    def lost(self, reason: str) -> None:
        with self.changed:
            self.connected = self.wanted = False
            self.viewers, self.held = 0, None
            self.changed.notify_all()

    def failed(self, error: Error) -> None:
        self.lost(str(error))
        with self.changed:
            self.error = error
            self.changed.notify_all()


class Publisher:
    """A stream that is published. It connects again by itself. `close` it, or use it in a `with`."""

    def __init__(self, wanted: Target, state: State, replace: bool, quality: int, order: str) -> None:
        self._waiting, self._quality, self._order = _Waiting(), quality, order
        self._sequence = 0
        self._closed = False
        hello: Control = {
            "type": "hello",
            "role": "publish",
            "room": wanted.room,
            "name": wanted.name,
            "program": PROGRAM,
            "replace": replace,
            "instance": random.SystemRandom().getrandbits(63) | 1,
        }
        self._link = Link(wanted, state, hello, self._waiting)
        self._end = weakref.finalize(self, self._link.close)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def wanted(self) -> bool:
        """Whether somebody watches. Nothing is encoded and sent while it is False."""
        self._check()
        return self._waiting.picture_is_wanted()

    @property
    def viewers(self) -> int:
        """How many watch, as the hub says."""
        return self._waiting.viewers

    @property
    def sent(self) -> int:
        """How many pictures went out."""
        return self._waiting.sent

    @property
    def replaced(self) -> int:
        """How many gave way to a newer one before the link could carry them."""
        return self._waiting.replaced

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until somebody watches, `timeout` seconds at most, and says whether somebody does."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._waiting.changed:
            while not self._waiting.picture_is_wanted():
                self._check()
                left = 1.0 if until is None else min(until - time.monotonic(), 1.0)
                if left <= 0:
                    return False
                self._waiting.changed.wait(left)
        return True

    def send(self, image: Any, metadata: Any = None, captured: Union[float, Picture, None] = None) -> bool:
        """Gives a picture: a JPEG (bytes), or an array of uint8, which is encoded only where somebody watches. It goes out as
        soon as the link carries it, unless a newer one comes first. Says whether it was taken: False where nobody watches.

        `metadata`: what is said of the picture, as JSON has it, 64 KiB at most; viewers show an object of plain values.
        `captured`: when it was captured, in seconds since 1970; or the picture that it was made of, so that its age goes on;
        None: now. Raises what ended the connection for good."""
        called = clock.now()
        if not self.wanted:
            return False
        at, estimated, arrival = _when(captured, called)
        text = b""
        if metadata is not None:
            try:
                text = json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
            except (TypeError, ValueError, RecursionError) as error:
                raise UsageError(f"this metadata is no JSON: {error}") from None
            if len(text) > MAX_METADATA:
                raise UsageError(f"metadata of {len(text)} bytes: {MAX_METADATA} is the most")
        took = 0
        if isinstance(image, (bytes, bytearray, memoryview)):
            jpeg, quality = bytes(image), 0
            if jpeg[:2] != b"\xff\xd8":
                raise UsageError("these bytes are no JPEG, which begins with FF D8")
        else:
            begun = clock.now()
            jpeg, quality = encode(image, self._order, self._quality), self._quality
            took = clock.now() - begun
        waiting = self._waiting
        if len(jpeg) > waiting.max_picture:
            raise UsageError(f"a picture of {len(jpeg)} bytes: {waiting.max_picture} is the most that this hub takes")
        # What is known to have passed before: to whoever watches it is no time of the uplink.
        spent = 0 if arrival else called - at
        packet = PicturePacket(JPEG, quality, 0, at, estimated, arrival, self._sequence, spent, text, jpeg)
        with waiting.changed:
            if not waiting.picture_is_wanted():
                return False
            waiting.replaced += waiting.held is not None
            waiting.held = (packet, took)
            self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        self._link.wake()
        return True

    def flush(self, timeout: float = 1.0) -> bool:
        """Waits until the last picture has gone out. Says whether it has, or was not wanted."""
        until = time.monotonic() + timeout
        with self._waiting.changed:
            while self._waiting.held is not None:
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._waiting.changed.wait(left)
        return True

    def _check(self) -> None:
        if self._closed:
            raise UsageError("the publisher is closed")
        if self._waiting.error is not None:
            raise self._waiting.error

    def close(self) -> None:
        """Ends it; the name is free again."""
        self._closed = True
        self._end()


def _when(captured: Union[float, Picture, None], now: int) -> tuple[int, bool, bool]:
    """When it was by our clock, whether that is an estimate, and whether nobody knows how far off it is."""
    if captured is None:
        return now, False, False
    if isinstance(captured, Picture):
        at, estimated = captured._moment.known()
        return (now, True, True) if at is None else (max(at, 0), estimated, False)
    age = time.time() - captured
    if not 0 <= age <= 30 * 86400:
        # A clock may have been set meanwhile; a little in the future is now.
        if -1.0 <= age < 0:
            return now, False, False
        raise UsageError("captured is seconds since 1970, as time.time() says it, and not in the future or a month ago")
    return max(now - round(age * 1e6), 0), False, False


def publish(
    hub: str,
    name: str = "",
    *,
    token: Optional[str] = None,
    pin: Optional[str] = None,
    replace: bool = False,
    quality: int = 80,
    order: str = "bgr",
    tls: Optional[bool] = None,
    state: Optional[str] = None,
) -> Publisher:
    """Publishes a stream, as NAME or ROOM/NAME.

    `hub`, `token`, `pin`, `tls` and `state` are those of `view`. `replace` takes the name over from whoever has it. `quality` and
    `order` (`bgr`, as OpenCV has it, or `rgb`) are for arrays.

    The hub is looked for in the background: an error that is final is raised by the next `send`.
    """
    wanted = target(hub, name, _given(token, "STREAMFLOW_TOKEN", hub), pin, tls)
    if not wanted.name:
        raise UsageError("a stream that is published needs a name")
    if wanted.key is not None or os.environ.get("STREAMFLOW_KEY"):
        raise RefusedError(
            "there is a key (of the link, or STREAMFLOW_KEY): this package does not seal pictures end to end, and sends none that are to "
            "be sealed; streamflow-send does"
        )
    if not 1 <= quality <= 100:
        raise UsageError("the quality is 1 to 100")
    if order not in ("bgr", "rgb"):
        raise UsageError("the order of colours is 'bgr' or 'rgb'")
    return Publisher(wanted, State(state), replace, quality, order)
