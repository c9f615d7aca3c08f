"""How a task stands by the age of its feedback, and when that changes. Pure: time comes in as an age.

Knows thresholds; must not know files or clocks.
"""

from __future__ import annotations

import math

from context_bus.supervise.silence import BEGINS, Degree
from context_bus.watch.values import TaskStatus

#: Part of the timeout from which on a task without feedback is silent.
SILENT_FROM = BEGINS[Degree.SILENT]
#: Part of the timeout from which on it is stalled.
STALLED_FROM = BEGINS[Degree.STALLED]
#: Seconds behind a threshold at which a look sees what is beyond it, whatever was rounded; polls count them.
TICK = 0.001
#: Part of the timeout by which a look that comes too late was no look of somebody who was there.
ABSENCE = 0.25
#: Seconds that it is late at least: with timeouts of a second, looks may well be late by a quarter.
SHORTEST_ABSENCE = 1.0
#: Part of the timeout for which a watcher that was woken by feedback may rest.
PAUSE_SHARE = 1 / 16
#: Seconds of rest at least: twenty wakes per second are few enough, for timeouts below a second.
SHORTEST_PAUSE = 0.05
#: Seconds of rest at most where somebody follows what the feedback says.
FOLLOWED_PAUSE = 0.25
#: Seconds of rest at most where nobody does.
LONGEST_PAUSE = 5.0


def status_of(age: float, timeout: float) -> TaskStatus | None:
    """How a task stands that is expected to give feedback.

    Args:
        age: Seconds since its feedback changed last, or since its start; negative (a file from the future) is
            new.
        timeout: Seconds that it may take; infinite if it need not give any.

    Returns:
        RUNNING below a quarter of the timeout, SILENT below half, STALLED up to the timeout itself; None
        beyond: it is to be ended.
    """
    if age < SILENT_FROM * timeout:
        return TaskStatus.RUNNING
    if age < STALLED_FROM * timeout:
        return TaskStatus.SILENT
    return TaskStatus.STALLED if age <= timeout else None


def next_change(age: float, timeout: float) -> float:
    """Seconds until a task stands otherwise if no feedback comes.

    Args:
        age: As for `status_of`.
        timeout: As for `status_of`.

    Returns:
        So long, and a tick; infinite if it never changes any more.
    """
    thresholds = (SILENT_FROM * timeout, STALLED_FROM * timeout)
    later = next((one for one in thresholds if age < one), timeout)
    return later - age + TICK if age <= timeout else math.inf


def fair_age(age: float, timeout: float) -> float:
    """The age that a task is judged by.

    A watcher can be stopped or starved itself, often together with what it watches (Ctrl-Z). A look that is
    far too late says nothing of the task, so that is left the last quarter of its timeout.

    Args:
        age: As for `status_of`.
        timeout: As for `status_of`.
    """
    is_late = age - timeout > max(ABSENCE * timeout, SHORTEST_ABSENCE)
    return (1 - ABSENCE) * timeout if is_late else age


def pause_for(timeout: float, *, wants_content: bool) -> float:
    """Seconds for which a watcher may rest after it was woken by feedback.

    Feedback that comes meanwhile counts as of the end of the rest, so it must be short beside the timeout.

    Args:
        timeout: As for `status_of`.
        wants_content: Somebody follows what the feedback says.
    """
    longest = FOLLOWED_PAUSE if wants_content else LONGEST_PAUSE
    return max(SHORTEST_PAUSE, min(PAUSE_SHARE * timeout, longest))
