"""When a child that has ended is started again. Pure: time comes in as ``now``, chance as ``rng``.

Knows what a file may say of restarts; must not know what a child is (a service, a session, a step).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypedDict

import msgspec

from context_bus.config.supervision import Restart, RestartWhen


class Ended(msgspec.Struct, frozen=True):
    """How a child ended.

    Args:
        success: It ended well: exit code 0, or one that was said to mean success.
        was_ready: It had been ready before.
        uptime: Seconds from its start to its end; 0 if it could not be started at all.
        how: In words, for the reason of giving up; e.g. ``ended with exit code 3``.
    """

    success: bool
    was_ready: bool
    uptime: float
    how: str = ""


class Stay(msgspec.Struct, frozen=True):
    """It stays ended: so says its policy."""


class Again(msgspec.Struct, frozen=True):
    """It is started again.

    Args:
        at: When, on the clock of ``now``.
        delay: Seconds from its end to ``at``.
        number: Which restart this is since somebody commanded it, from 1.
        streak: How many boot failures in a row it follows; 0 after an end of another kind.
    """

    at: float
    delay: float
    number: int
    streak: int = 0

    @property
    def is_boot_failure(self) -> bool:
        """Whether it ended before it had really begun."""
        return self.streak > 0


class GiveUp(msgspec.Struct, frozen=True):
    """It is not started again until somebody commands it; with the reason and the remedy."""

    reason: str


Verdict = Stay | Again | GiveUp


class Memory(TypedDict):
    """The counts of one child as its record keeps them; times are seconds since the epoch."""

    number: int
    streak: int
    starts: list[float]
    fatal: str


class Restarts:
    """Counts the restarts of one child and decides about the next.

    Args:
        conf: What the file says.
        rng: A number from 0 up to 1, for the jitter, so that children which failed together do not come
            back together.
    """

    def __init__(self, conf: Restart, rng: Callable[[], float]) -> None:
        self._conf = conf
        self._rng = rng
        self._number = 0
        self._streak = 0
        self._fatal = ""
        #: When it was or will be started again, as far as the window reaches back.
        self._starts: deque[float] = deque()

    @property
    def streak(self) -> int:
        """Boot failures in a row so far."""
        return self._streak

    @property
    def fatal(self) -> str:
        """Why it was given up; empty if it was not."""
        return self._fatal

    def ended(self, ending: Ended, now: float) -> Verdict:
        """Decide after an end that nobody asked for.

        Args:
            ending: How it ended.
            now: When.

        Returns:
            What is to be done. Once it was given up, that again until ``forgive``.
        """
        if self._fatal:
            return GiveUp(self._fatal)
        self._correct_last_start(now - ending.uptime)
        self._streak = self._streak + 1 if self._is_boot_failure(ending) else 0
        if not self._is_wanted(ending):
            return Stay()
        delay = self._delay()
        at = now + delay
        self._forget_before(at)
        if self._is_too_often():
            self._fatal = self._reason(ending)
            return GiveUp(self._fatal)
        self._starts.append(at)
        self._number += 1
        return Again(at, delay, self._number, self._streak)

    def settled(self) -> None:
        """Forget the boot failures: it is ready and has lived its ``min_uptime``."""
        self._streak = 0

    def forgive(self) -> None:
        """Begin to count anew, since somebody commanded it to start, stop or restart."""
        self._number = self._streak = 0
        self._fatal = ""
        self._starts.clear()

    def _is_wanted(self, ending: Ended) -> bool:
        if self._conf.policy is RestartWhen.ON_FAILURE:
            return not ending.success
        return self._conf.policy is RestartWhen.ALWAYS

    def _is_boot_failure(self, ending: Ended) -> bool:
        return not ending.was_ready or ending.uptime < self._conf.min_uptime

    def _is_too_often(self) -> bool:
        return len(self._starts) >= self._conf.max_restarts

    def _correct_last_start(self, started: float) -> None:
        # It may have been started later than promised, since it waited for others: two starts that were
        # planned a window apart can be a second apart, and the window is about what really happened.
        if self._starts:
            self._starts[-1] = max(self._starts[-1], started)

    def _forget_before(self, at: float) -> None:
        while self._starts and at - self._starts[0] >= self._conf.window:
            self._starts.popleft()

    def _delay(self) -> float:
        if self._streak == 0:
            return 0.0
        return self._grown() * self._factor_of_chance()

    def _grown(self) -> float:
        conf = self._conf
        try:
            return min(conf.max_delay, conf.delay * conf.factor ** (self._streak - 1))
        except OverflowError:  # a thousand failures in a row, which take a night at 30 s each
            return conf.max_delay

    def _factor_of_chance(self) -> float:
        return 1.0 + self._conf.jitter * (2.0 * self._rng() - 1.0)

    def _reason(self, ending: Ended) -> str:
        how = ending.how or ("ended well" if ending.success else "failed")
        conf = self._conf
        if conf.max_restarts <= 0:
            told = f"fatal: {how}, and max_restarts is {conf.max_restarts}"
        else:
            told = (
                f"fatal: restarted {len(self._starts)} times within {conf.window:g} s, "
                f"last: {how} after {ending.uptime:.3g} s"
            )
        return f"{told}; a restart command tries again; see max_restarts"

    # -- across the end of the provider ---------------------------------------------------------

    def to_memory(self, now: float, wall: float) -> Memory:
        """The counts, as they can be stored.

        Args:
            now: The time on the clock of ``ended``.
            wall: The same moment in seconds since the epoch: the other clock starts anew with the machine.
        """
        starts = [start - now + wall for start in self._starts]
        return Memory(number=self._number, streak=self._streak, starts=starts, fatal=self._fatal)

    @classmethod
    def from_memory(
        cls, conf: Restart, rng: Callable[[], float], memory: Memory, now: float, wall: float
    ) -> Restarts:
        """Go on counting where another process stopped.

        Args:
            conf: What the file says now, which may be something else.
            rng: See the class.
            memory: What ``to_memory`` returned.
            now: The present time on this process' clock.
            wall: The same moment in seconds since the epoch.
        """
        restarts = cls(conf, rng)
        restarts._number, restarts._streak = memory["number"], memory["streak"]
        restarts._fatal = memory["fatal"]
        # A wall clock that was put back would let starts lie in the future, and count for ever.
        latest = now + conf.max_delay * (1.0 + conf.jitter)
        restarts._starts.extend(sorted(min(start - wall + now, latest) for start in memory["starts"]))
        return restarts
