"""The rules of a session of whoever connects: greeting, heartbeat, the hub's clock, backoff. No socket; the time is an argument."""

from __future__ import annotations

from typing import Optional

from .clock import ClockOffset
from .errors import ProtocolError
from .wire import Control, number

# In microseconds.
GREETING = 5_000_000
DEAD_AFTER = 10_000_000
PING_EVERY = 5_000_000
SILENT = 1_000_000
DOUBT_EVERY = 200_000
OLDEST = 30 * 86_400_000_000
EARLY_PINGS = 5
MANY_PINGS, TOO_MANY_PINGS = 60, 100
EARLY_EVERY = 100_000
# Waits while the hub's clock is not known well; all are different.
CLOCK_EVERY = (37_000, 61_000, 43_000, 89_000, 53_000, 71_000, 47_000)
# Pictures that took less or longer than the one before by so much are worth a ping: the clock may have been set.
SHIFT = 4_000


class DeadError(Exception):
    """Nothing was heard for too long."""


class Session:
    """What is due when, and what is known of the hub's clock. `views`: pictures come from the hub, and so its clock matters."""

    def __init__(self, views: bool, now: int) -> None:
        self.views = views
        self.clock = ClockOffset()
        self.open = False
        self._begun = self._heard = now
        self._picture = now - DEAD_AFTER
        self._next_ping = now
        self._pinged = 0
        self._pings = 0
        self._took: Optional[int] = None
        self._asked = 0
        # The quickest answers to pings, each with its time.
        self._round_trips: list[tuple[int, int]] = []

    def welcomed(self, now: int) -> None:
        """The hub lets us in."""
        self.open, self._heard, self._next_ping = True, now, now

    def heard(self, now: int) -> None:
        """Bytes came."""
        self._heard = max(self._heard, now)

    def control(self, message: Control, now: int) -> Optional[Control]:
        """A ping gets the answer that is returned; a pong is noted."""
        if message["type"] == "ping":
            return {"type": "pong", "time": number(message, "time"), "now": now}
        if message["type"] == "pong":
            sent, theirs = number(message, "time"), number(message, "now")
            if not 0 < sent <= now:
                return None
            took = now - sent
            best = [trip for trip in self._round_trips if now - trip[1] < 60_000_000 and trip[0] < took]
            self._round_trips = [*best[-31:], (took, now)]
            if self.clock.answer(sent, theirs, now):
                self._pings, self._next_ping, self._took = 0, now + CLOCK_EVERY[0], None
        return None

    def round_trip(self) -> Optional[int]:
        """The quickest answer of the last minute."""
        return min((trip[0] for trip in self._round_trips), default=None)

    def picture(self, captured: int, spent: int, now: int) -> None:
        """A picture came, captured then by the hub's clock. One that took unusually long, or less than any can, is worth a ping."""
        self._picture = now
        known = self.clock.known
        if known is None:
            return
        took, before = now - (captured - known.ahead) - spent, self._took
        self._took = took
        doubtful = took < -SHIFT or (before is not None and abs(took - before) > SHIFT)
        if doubtful and now - self._asked >= DOUBT_EVERY:
            self._asked, self._next_ping = now, now

    def due(self, now: int) -> tuple[Optional[Control], int]:
        """A ping that is to be sent, and when to ask again. Raises DeadError."""
        if not self.open:
            if now - self._begun >= GREETING:
                raise DeadError("no answer within 5 s")
            return None, self._begun + GREETING
        dead_at = self._heard + DEAD_AFTER
        if now >= dead_at:
            raise DeadError("the hub does not answer")
        at = self._next_ping
        if now - self._picture < DEAD_AFTER:
            at = min(at, max(self._heard, self._pinged) + SILENT)
        if now < at:
            return None, min(at, dead_at)
        self._pinged = now
        if now >= self._next_ping:
            self._next_ping = now + self._pause()
            self._pings += 1
        return {"type": "ping", "time": now}, min(self._next_ping, dead_at)

    def _pause(self) -> int:
        known = self.clock.known
        if not self.views or (known is not None and known.sure and self._pings >= EARLY_PINGS - 1):
            return EARLY_EVERY if self._pings + 1 < EARLY_PINGS else PING_EVERY
        slower = 1 if self._pings < MANY_PINGS else 5 if self._pings < TOO_MANY_PINGS else 20
        return slower * CLOCK_EVERY[self._pings % len(CLOCK_EVERY)]


class Moment:
    """When a picture was captured, as well as it is known when that is asked: the first one comes before any answer."""

    __slots__ = ("_arrival", "_clock", "_epoch", "_fixed", "_received", "_theirs", "_told")

    def __init__(self, clock: ClockOffset, theirs: int, estimated: bool, arrival: bool, received: int) -> None:
        self._clock, self._epoch = clock, clock.epoch
        self._theirs, self._told, self._arrival, self._received = theirs, estimated, arrival, received
        self._fixed: Optional[tuple[Optional[int], bool]] = None

    @classmethod
    def at(cls, when: Optional[int], estimated: bool) -> Moment:
        """One that is known by our own clock; None: nobody knows."""
        moment = cls(ClockOffset(), 0, estimated, False, 0)
        moment._fixed = (when, estimated)
        return moment

    def known(self) -> tuple[Optional[int], bool]:
        """When it was by our clock (None: nobody knows), and whether that is an estimate."""
        if self._fixed is not None:
            return self._fixed
        if self._arrival:
            self._fixed = (None, True)
            return self._fixed
        known = self._clock.known
        if self._clock.epoch != self._epoch or (known is not None and known.epoch != self._epoch):
            # The hub's clock was set before this was known: what it said then cannot be translated any more.
            self._fixed = (None, True)
            return self._fixed
        if known is None:
            return None, True
        at: Optional[int] = self._theirs - known.ahead
        age = self._received - (self._theirs - known.ahead)
        if -20_000 <= age < 0:
            # Clocks that are a little off may take a picture for one of the future.
            at = self._received
        elif not 0 <= age <= OLDEST:
            at = None
        result = (at, self._told or at is None or not known.sure)
        if known.sure:
            self._fixed = result
        return result


class Backoff:
    """The waits between tries to connect, in seconds: at once, then 0.25, 0.5, 1, 2, 4, 4; 1 at most on this machine."""

    def __init__(self) -> None:
        self._step = 0

    def next(self, chance: float, local: bool) -> float:
        """How long to wait now; `chance` is 0 to 1, and shortens it by up to a quarter."""
        step, self._step = self._step, min(self._step + 1, 100)
        if step == 0:
            return 0.0
        return 0.25 * (1 << min(step - 1, 2 if local else 4)) * (1.0 - 0.25 * chance)

    def succeeded(self) -> None:
        """A connection held for a while."""
        self._step = 0


def bye_error(message: Control) -> tuple[str, str]:
    """Cause and reason of a goodbye."""
    cause, reason = message.get("cause", "unknown"), message.get("reason", "")
    if not isinstance(cause, str) or not isinstance(reason, str):
        raise ProtocolError("a goodbye that says nothing")
    return cause, reason
