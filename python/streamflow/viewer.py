"""Watching a stream: the newest picture, each time that one is asked for."""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from typing import Optional

from .address import Secret, Target, target
from .errors import Error, NoPictureError, SealedError, UsageError, shown
from .link import Link, LinkUser
from .picture import Picture
from .seal import Opener, RepeatedError, check
from .session import Moment
from .state import State
from .wire import SEALED, Control, PicturePacket

PROGRAM = "python-streamflow 0.1.0"
SEALED_TEXT = (
    "the stream is sealed end to end: only who has its key can open it (key=…, and pip install cryptography), as its window and page do"
)


class _Newest(LinkUser):
    """Room for one picture between the link's thread and whoever watches."""

    def __init__(self, wanted: Target, key: Optional[Secret]) -> None:
        self.changed = threading.Condition()
        self.held: Optional[Picture] = None
        self.skipped = 0
        # Left out since the last picture that was taken.
        self.since = 0
        self.error: Optional[Error] = None
        self.closed = False
        self.state: Control = {}
        self.reason = f"no hub was found at {wanted.hub} yet"
        self._wanted, self._key = wanted, key
        self._stream = (wanted.room, wanted.name)
        self._sequence: Optional[int] = None
        self._opener: Optional[Opener] = None

    def welcomed(self, message: Control) -> None:
        with self.changed:
            # Another hub, or the same one started anew, numbers anew.
            self._sequence, self.state = None, {}
            self.reason = f"the hub has no picture of {self._wanted.stream} yet"
        self._named(message)

    def _named(self, message: Control) -> None:
        room, name = message.get("room"), message.get("name")
        if isinstance(room, str) and isinstance(name, str) and name and (room, name) != self._stream:
            self._stream, self._opener = (room, name), None

    def _picture_of(self, packet: PicturePacket, moment: Moment) -> Optional[Picture]:
        """The picture of a packet; None for one that is not to be shown. Raises SealedError where it is sealed and does not open."""
        jpeg, metadata = packet.payload, packet.metadata
        if self._key is not None:
            if self._opener is None:
                self._opener = Opener(self._key, *self._stream)
            try:
                jpeg, metadata = self._opener.open(packet)
            except RepeatedError:
                return None
        elif packet.codec == SEALED:
            raise SealedError(SEALED_TEXT)
        elif jpeg[:2] != b"\xff\xd8":
            return None
        return Picture(jpeg, packet.sequence, moment, metadata, packet.quality)

    def picture(self, packet: PicturePacket, moment: Moment) -> Control:
        picture = self._picture_of(packet, moment)
        if picture is None:
            return {"type": "ack", "sequence": packet.sequence}
        with self.changed:
            waits = self.held is not None
            gap = 0 if self._sequence is None else (packet.sequence - self._sequence - 1) & 0xFFFFFFFF
            # A stream whose publisher is another one may begin anew.
            left_out = waits + (gap if gap < 1 << 31 else 0)
            self.skipped += left_out
            self.since += left_out
            self._sequence, self.held = packet.sequence, picture
            self.changed.notify_all()
        # No backlog is told of: the hub would send fewer pictures, and whoever is slow would be given one that has waited here.
        return {"type": "ack", "sequence": packet.sequence}

    def control(self, message: Control) -> None:
        if message["type"] == "state":
            self._named(message)
            with self.changed:
                self.state = message

    def lost(self, reason: str) -> None:
        with self.changed:
            self.reason, self.state = reason, {}

    def failed(self, error: Error) -> None:
        with self.changed:
            self.error = error
            self.changed.notify_all()

    def why(self) -> str:
        """Why there is no picture."""
        state = self.state
        if not state:
            return self.reason
        reason = state.get("reason")
        if isinstance(reason, str) and reason:
            return f"{self._wanted.stream}: {shown(reason)}"
        if not state.get("published"):
            return f"nobody publishes {self._wanted.stream}"
        return f"{self._wanted.stream} gives no picture"


class View:
    """A stream that is watched. Iterate over it for pictures: each time the newest there is, waiting for one that was not given
    yet. It connects again by itself. `close` it, or use it in a `with`; one that nobody holds any more ends, too."""

    def __init__(self, wanted: Target, state: State, request: Control, key: Optional[Secret], timeout: Optional[float]) -> None:
        self._newest = _Newest(wanted, key)
        self._timeout = timeout
        hello: Control = {
            "type": "hello",
            "role": "view",
            "room": wanted.room,
            "name": wanted.name,
            "program": PROGRAM,
            "instance": random.SystemRandom().getrandbits(63) | 1,
            "can": ["ack", "seal"],
            **request,
        }
        self._link = Link(wanted, state, hello, self._newest)
        self._end = weakref.finalize(self, self._link.close)

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> View:
        return self

    def __next__(self) -> Picture:
        picture = self._next(self._timeout)
        if picture is None:
            raise StopIteration
        return picture

    def next(self, timeout: Optional[float] = None) -> Picture:
        """The newest picture that was not given yet; waits for it, `timeout` seconds at most (None: as the view has it). Raises
        NoPictureError when none came (the next call may give one), and what the iteration raises."""
        picture = self._next(self._timeout if timeout is None else timeout)
        if picture is None:
            raise UsageError("the view is closed")
        return picture

    def _next(self, timeout: Optional[float]) -> Optional[Picture]:
        newest = self._newest
        until = None if timeout is None else time.monotonic() + timeout
        with newest.changed:
            while newest.held is None:
                if newest.closed:
                    return None
                if newest.error is not None:
                    raise newest.error
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise NoPictureError(f"no picture within {timeout:g} s: {newest.why()}")
                # Not for ever at once: on some systems Ctrl-C would have to wait for a picture.
                newest.changed.wait(1.0 if left is None else min(left, 1.0))
            picture, newest.held = newest.held, None
            picture.skipped, newest.since = newest.since, 0
            return None if newest.closed else picture

    @property
    def skipped(self) -> int:
        """How many pictures were left out so far: by the hub, because the link or this program was slow, and here, because a newer
        one came before they were asked for."""
        with self._newest.changed:
            return self._newest.skipped

    @property
    def live(self) -> bool:
        """Whether the hub says that pictures come."""
        return self._newest.state.get("live") is True

    @property
    def reason(self) -> str:
        """Why no picture comes, for a person; empty where one should."""
        with self._newest.changed:
            return "" if self.live else self._newest.why()

    def close(self) -> None:
        """Ends it. Whoever iterates comes to the end."""
        with self._newest.changed:
            self._newest.closed = True
            self._newest.changed.notify_all()
        self._end()


def view(
    hub: str,
    name: str = "",
    *,
    timeout: Optional[float] = None,
    token: Optional[str] = None,
    pin: Optional[str] = None,
    key: Optional[str] = None,
    size: Optional[str] = None,
    quality: Optional[int] = None,
    max_rate: Optional[int] = None,
    tls: Optional[bool] = None,
    state: Optional[str] = None,
) -> View:
    """Watches a stream.

    `hub`: HOST, HOST:PORT, wss://HOST/ws, or a link (sf://…, https://…). `name`: NAME, or ROOM/NAME; empty, that of the link, or the
    first stream there is. `timeout`: seconds without a picture after which NoPictureError is raised; None waits for ever.
    `token` (or `STREAMFLOW_TOKEN`) lets in; `pin` is the key that the hub must have, as it prints it; `key` (or `STREAMFLOW_KEY`)
    opens a stream that is sealed end to end, with the package `cryptography`. `size` (`320x240`, or `full`: never smaller),
    `quality` (1 to 100) and `max_rate` (bits a second) are asked of the publisher. `tls=False` does not encrypt, `True` does on this
    machine, too. `state`: the folder with the keys of hubs that the programs have met.

    The hub is looked for in the background: an error is raised where a picture is asked for. UnauthorizedError, RefusedError,
    ProtocolError and SealedError are final; what can pass is tried again for ever.
    """
    wanted = target(hub, name, _given(token, "STREAMFLOW_TOKEN", hub), pin, tls)
    request: Control = {}
    if size is not None:
        request["size"] = size
    if quality is not None:
        if not 1 <= quality <= 100:
            raise UsageError("the quality is 1 to 100")
        request["quality"] = quality
    if max_rate is not None:
        if max_rate <= 0:
            raise UsageError("max_rate is bits a second")
        request["max_rate"] = max_rate
    sealed = key or wanted.key or os.environ.get("STREAMFLOW_KEY") or None
    secret = None if sealed is None else Secret(sealed)
    if secret is not None:
        check(secret)
    return View(wanted, State(state), request, secret, timeout)


def _given(given: Optional[str], variable: str, hub: str) -> Optional[str]:
    """What was given, or what the environment has, where the link has none."""
    if given is not None:
        return given
    return None if "token=" in hub.partition("#")[2] else os.environ.get(variable) or None
