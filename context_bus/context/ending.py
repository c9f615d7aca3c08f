"""What the end of a process means. Pure: one decision.

The child's own last word counts most, then what was asked of it, then its exit code or signal.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass

from context_bus.context.events import ChildExited, Ending
from context_bus.context.member import Member
from context_bus.context.states import State
from context_bus.service.reports import Report


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a service ended.

    Args:
        state: Its state now.
        trigger: Row of the state table that leads there.
        report: Verb of the report that says so.
        reason: Why, where that is worth a word.
    """

    state: State
    trigger: str
    report: Report
    reason: str = ""


def judge(member: Member) -> Verdict:
    """Decide how a service ended whose process is gone."""
    if member.doom:
        return _failed(member.doom)
    gone, final = member.gone, member.final
    reason, where, says = "", "", ""
    if gone is not None and gone.ending is not Ending.SILENT:
        reason, where, says = gone.reason, gone.where, str(gone.ending)
    elif final is not None:
        reason, where = final.reason, final.where
        says = str(Ending.FAILED if final.action in {Report.FAILED, Report.STARTED} else Ending.STOPPED)
    elif gone is not None:
        reason = accident(gone, member.conf.supervision.restart.success_codes)
        says = str(Ending.FAILED if reason else Ending.STOPPED)
    reason = f"{where}: {reason}" if where and where not in reason else reason
    if member.commanded and gone is not None and gone.signal and _is_as_told(member, gone):
        reason, says = "", ""
    if member.commanded or (gone is not None and gone.commanded and says != Ending.FAILED):
        return Verdict(
            State.STOPPED, "end_stopped", Report.STOPPED, member.reason or _not_in_vain(says, reason)
        )
    if says == Ending.FAILED:
        return _failed(reason or "it gave no reason")
    return Verdict(State.EXITED, "end_exited", Report.STOPPED, reason)


def accident(gone: ChildExited, success_codes: tuple[int, ...] = (0,)) -> str:
    """What ended a process that said nothing; empty if its exit code is one of success."""
    if gone.signal:
        try:
            name = signal.Signals(gone.signal).name
        except ValueError:
            name = str(gone.signal)
        return f"ended by signal {name}"
    code = gone.exit_code or 0
    return "" if code in success_codes else f"ended with exit code {code}"


def _not_in_vain(says: str, reason: str) -> str:
    """A stop that went wrong is a stop, but not without a word."""
    return f"failed while it stopped: {reason}" if says == Ending.FAILED and reason else ""


def _failed(reason: str) -> Verdict:
    return Verdict(State.FAILED, "end_failed", Report.FAILED, reason)


def _is_as_told(member: Member, gone: ChildExited) -> bool:
    """Whether a process ended by the very signal that asked it to."""
    return gone.signal == signal.Signals[member.conf.supervision.stop.signal]
