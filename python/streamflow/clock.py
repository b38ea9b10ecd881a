"""Clocks: our own, and what is known of another machine's (docs/protocol.md, section 7). Microseconds everywhere."""

from __future__ import annotations

import time
from typing import NamedTuple, Optional

# Answers that are kept, and for how long.
KEPT = 32
LASTS = 60_000_000
# How fast two clocks part that nobody slews, in millionths.
DRIFT = 50
GRAIN = 200
# Delays that differ by less are the same.
NEAR = 3_000
# So many answers must agree; or one has both bounds as near as this to their middle.
AGREE = 3
PROVEN = 2_000
# What all agreed on was wrong if one answer alone betters it by so much; by so much it may be a clock that is slewed.
STEP = 4_000
CREEP = 1_000

_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> int:
    """Our clock: it never goes back, and runs on while the machine sleeps where the system has such a clock."""
    return (time.monotonic_ns() if _CLOCK is None else time.clock_gettime_ns(_CLOCK)) // 1000


class Answer(NamedTuple):
    """One answer: their clock is ahead by `there` at most, and behind by `back` at most."""

    there: int
    back: int
    at: int

    def bounds(self, now: int) -> tuple[int, int]:
        """The same, with what the clocks may have parted since."""
        parted = max(now - self.at, 0) * DRIFT // 1_000_000
        return self.there + parted, self.back + parted

    def is_near(self, other: Answer, by: int) -> bool:
        """Whether two say the same."""
        return abs(self.there - other.there) <= by and abs(self.back - other.back) <= by


class Known(NamedTuple):
    """What all answers together say: how far their clock is ahead, how far off that may be, whether it is sure."""

    ahead: int
    error: int
    sure: bool
    # Another one after each time that the clock was set: what came before is of another clock.
    epoch: int


def _best(answers: list[Answer], now: int) -> Optional[tuple[int, int]]:
    bounds = [answer.bounds(now) for answer in answers]
    return (min(b[0] for b in bounds), min(b[1] for b in bounds)) if bounds else None


class ClockOffset:
    """How far another machine's clock is ahead of ours: the best bound of each way, believed when answers agree.

    One thread notes answers; others may read `known`, which is replaced as a whole.
    """

    def __init__(self) -> None:
        self.known: Optional[Known] = None
        self.epoch = 0
        self._answers: list[Answer] = []
        self._agreed: Optional[int] = None

    def answer(self, sent: int, theirs: int, received: int) -> bool:
        """Notes an answer: the ping left at `sent`, their clock said `theirs`, it came at `received`. Says whether the clock
        looks as if it were slewed or set, so that more pings are to tell."""
        if received < sent:
            return False
        answer = Answer(theirs - sent, received - theirs, received)
        self._answers = [old for old in self._answers if received - old.at <= LASTS]
        steps, doubtful = self._judge(answer)
        if steps:
            self._forget([])
        self._keep(answer)
        first = self._first_of_another_clock(received)
        if first:
            self._forget(self._answers[first:])
        self._settle(received)
        return steps or bool(first) or doubtful

    def _forget(self, kept: list[Answer]) -> None:
        self.epoch += 1
        self._answers, self._agreed, self.known = kept, None, None

    def _judge(self, answer: Answer) -> tuple[bool, bool]:
        """Whether an answer cannot be of the clock that was known, and whether it may not be."""
        best = _best(self._answers, answer.at)
        if best is None:
            return False, False
        slow_there, slow_back = answer.there - best[0], answer.back - best[1]
        if answer.there + best[1] < -GRAIN or best[0] + answer.back < -GRAIN:
            return True, False
        sure = self.known is not None and self.known.sure
        if sure and min(slow_there, slow_back) < -STEP:
            return True, False
        return False, sure and min(slow_there, slow_back) < -CREEP and max(slow_there, slow_back) > CREEP

    def _keep(self, answer: Answer) -> None:
        if len(self._answers) >= KEPT:
            best = _best(self._answers, answer.at)
            assert best is not None
            which = (n for n, old in enumerate(self._answers) if not _is_best(old.bounds(answer.at), best))
            del self._answers[next(which, 0)]
        self._answers.append(answer)

    def _first_of_another_clock(self, now: int) -> int:
        """Where answers begin that are of another clock than those before: all lost on one way and won on the other, and
        three of them agree. 0: nowhere."""
        for first in range(len(self._answers) - AGREE, 0, -1):
            before, after = self._answers[:first], self._answers[first:]
            was, is_now = _best(before, now), _best(after, now)
            assert was is not None and is_now is not None
            lost, won = is_now[0] - was[0], was[1] - is_now[1]
            shift = max(min(lost, won), -max(lost, won))
            if shift > CREEP:
                by = min(shift, NEAR)
                if any(sum(a.is_near(b, by) for b in after) >= AGREE for a in after):
                    return first
        return 0

    def _agree(self, best: tuple[int, int], now: int) -> bool:
        """Whether on each way so many answers are near the best, those of the one not all before those of the other."""
        spans = []
        for way in (0, 1):
            near = [n for n, answer in enumerate(self._answers) if answer.bounds(now)[way] <= best[way] + NEAR]
            if len(near) < AGREE:
                return False
            spans.append((near[0], near[-1]))
        return spans[0][0] <= spans[1][1] and spans[1][0] <= spans[0][1]

    def _settle(self, now: int) -> None:
        best = _best(self._answers, now)
        if best is None:
            return
        half = max((best[0] + best[1]) // 2, 0)
        quickest = min(answer.there + answer.back for answer in self._answers) // 2
        if quickest <= PROVEN or self._agree(best, now):
            self._agreed = half
        elif self._agreed is not None and half > self._agreed + STEP:
            self._agreed = None
        sure = self._agreed is not None
        # Bounds of two answers may be of two clocks as long as none agree; the quickest answer's own are of one.
        self.known = Known(best[0] - half, half if sure else quickest, sure, self.epoch)


def _is_best(bounds: tuple[int, int], best: tuple[int, int]) -> bool:
    return bounds[0] == best[0] or bounds[1] == best[1]
