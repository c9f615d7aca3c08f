"""When a child that runs counts as hung. Pure: time comes in as ``now``.

Knows what a file may say of liveness; must not know how a child is asked.
"""

from __future__ import annotations

import math

from context_bus.config.supervision import Liveness, LivenessKind

#: Periods without a heartbeat after which it is lost: one that is late is no reason, two missing ones are.
SILENCE = 2.5
#: Periods between two looks beyond which it was the onlooker who was away.
ABSENCE = 2.0
#: Part of a period by which a look at the deadline may be late: as long as timers take on a busy machine.
TOLERANCE = 0.25


class Pulse:
    """Whether one child is alive, by its heartbeats or by attempts to ask it.

    Whoever looks can be stopped, suspended or starved itself. What it then sees at first is a silence of its
    own making, with the beats of all children still unread; so a look after such an absence condemns
    nobody, and one more period is granted.

    Args:
        conf: What the file says.
        now: When the watch begins: the child is ready.
    """

    def __init__(self, conf: Liveness, now: float) -> None:
        self._conf = conf
        self._is_heartbeat = conf.kind is LivenessKind.HEARTBEAT
        # An attempt ends a timeout after it began at the latest, and the next may do so a period later.
        self._period = conf.probe.every if self._is_heartbeat else conf.probe.every + conf.probe.timeout
        self._looked = now
        self._deadline = now + SILENCE * self._period if self._is_heartbeat else math.inf
        self._failures = 0
        self._was_told = False

    @property
    def deadline(self) -> float:
        """When to look: without a beat until then it is lost; infinite if no beat is waited for."""
        return self._deadline

    @property
    def failures(self) -> int:
        """Attempts in a row that failed."""
        return self._failures

    def beat(self, now: float) -> None:
        """It gave a sign of life; that of a child that is lost already comes too late."""
        self._looked = now
        if self._is_heartbeat and not self._was_told:
            self._deadline = now + SILENCE * self._period

    def is_lost(self, now: float) -> bool:
        """Look for a heartbeat that is overdue.

        Args:
            now: When.

        Returns:
            Whether it is lost, which is told once.
        """
        # Who sleeps until the deadline is away for longer than two periods, too, but comes back in time.
        is_late = now - self._deadline > TOLERANCE * self._period
        was_away = self._look(now) and is_late
        if self._was_told or now < self._deadline:
            return False
        if was_away:
            self._deadline = now + self._period
            return False
        return self._tell()

    def attempt(self, ok: bool, now: float) -> bool:
        """Count an attempt to ask it.

        Args:
            ok: It answered as it should.
            now: When the attempt ended.

        Returns:
            Whether it is lost, which is told once.
        """
        was_away = self._look(now)
        if self._was_told or self._is_heartbeat:
            return False
        if ok:
            self._failures = 0
        elif not was_away:
            self._failures += 1
        return self._failures >= self._conf.failures and self._tell()

    def _look(self, now: float) -> bool:
        """Whether nobody looked for so long that what is seen now says nothing of the child."""
        was_away = now - self._looked > ABSENCE * self._period
        self._looked = now
        return was_away

    def _tell(self) -> bool:
        self._was_told = True
        self._deadline = math.inf
        return True
