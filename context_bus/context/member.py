"""What the context knows of one of its services. Pure data; the rules that change it are in `steps`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from context_bus.config.model import TaskServiceConf
from context_bus.context.events import ChildExited, Key, Reported, Timer
from context_bus.context.jobs import Job
from context_bus.context.states import Lifecycle, State
from context_bus.kernel.message import Cause
from context_bus.supervise.policy import Restarts

#: How many publishers and pids of earlier processes are remembered, to know their late reports by.
REMEMBERED_SENDERS = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Deadlines and bounds, in seconds where they are durations.

    Args:
        spawn: From asking for a process to its existence; many may be asked for at once.
        ready: From the existence of a process (or from telling it to run) to its report.
        grace: From telling a process to stop to killing it, and from its last word to killing it.
        drain: From the end of a process to giving up on its last report.
        short_life: A process that lived shorter counts when a transition starts its successor.
        intensity: That many such successors are allowed within the window.
        window: See intensity.
    """

    spawn: float = 60.0
    ready: float = 10.0
    grace: float = 3.0
    drain: float = 1.0
    short_life: float = 1.0
    intensity: int = 5
    window: float = 10.0


class Goal(StrEnum):
    """What a command waits for."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Waiter:
    """A command that waits for a service."""

    job: Job
    goal: Goal


@dataclass(frozen=True, slots=True)
class Relaunch:
    """What to start once the present process has ended.

    Args:
        run: Run the task at once; None leaves it to the definition.
        conf: A new definition, if one was given.
        cause: The transition behind it.
    """

    run: bool | None
    conf: TaskServiceConf | None = None
    cause: Cause | None = None


@dataclass(eq=False, slots=True)
class Member:
    """One service of one transaction.

    Args:
        key: Which one.
        conf: Its definition.
        life: Its state.
        incarnation: Number of its present or last process; 0 if it never had one.
        pid: Its present process.
        sender: Publisher of its present process, once it has reported.
        past: Publishers and pids of its earlier processes.
        run: Whether the present process is to run its task rather than wait.
        ran: Whether the last process did run it.
        relaunch: What follows the present process.
        waiting: Commands that wait for it.
        commanded: Whether the end of the present process was asked for.
        doom: Why the present process is being ended as a failure.
        reason: Why it is in its state, where that is worth a word.
        final: Last word of the present process.
        gone: End of the present process.
        born: When the present or last process was asked for.
        died: When it ended.
        cause: Transition that started it, if one did.
        deadlines: When it must have reported, stopped, ended.
        brief: When transitions started successors of short lives.
        is_cut: Whether transitions are kept from starting it.
        silenced: Transitions of it that had no effect and were shown once.
        is_wanted: Whether it is to run; what a commanded stop has ended is not, nor what ended by itself.
        was_ready: Whether the present or last process was ever ready.
        existed: When the present process came to be; 0 while it does not.
        since: When it came into its state.
        complaint: Why it is not ready, as the last probe says.
        is_frozen: Whether its process was stopped by a signal and not continued.
        due_at: When its time by the clock comes, in seconds since the epoch.
        is_due: Whether its time by the clock has come, or somebody wants it to run now.
        last_end: How its last process ended.
        is_removed: Whether it is to be forgotten when it has ended.
    """

    key: Key
    conf: TaskServiceConf
    restarts: Restarts
    life: Lifecycle = field(default_factory=Lifecycle)
    incarnation: int = 0
    pid: int | None = None
    sender: str = ""
    past: deque[str | int] = field(default_factory=lambda: deque(maxlen=REMEMBERED_SENDERS))
    run: bool = False
    ran: bool = False
    relaunch: Relaunch | None = None
    waiting: list[Waiter] = field(default_factory=list)
    commanded: bool = False
    doom: str = ""
    reason: str = ""
    final: Reported | None = None
    gone: ChildExited | None = None
    born: float = 0.0
    died: float = 0.0
    cause: Cause | None = None
    deadlines: dict[Timer, float] = field(default_factory=dict)
    brief: deque[float] = field(default_factory=deque)
    is_cut: bool = False
    silenced: set[tuple[str, str, str]] = field(default_factory=set)
    is_wanted: bool = False
    was_ready: bool = False
    existed: float = 0.0
    since: float = 0.0
    complaint: str = ""
    is_frozen: bool = False
    due_at: float = 0.0
    is_due: bool = False
    last_end: str = ""
    is_removed: bool = False

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.life.now

    def next_process(self, run: bool, cause: Cause | None, now: float) -> None:
        """Forget the last process and count the next."""
        self.incarnation += 1
        self.pid, self.sender, self.run, self.ran = None, "", run, False
        self.relaunch, self.commanded, self.doom, self.reason = None, False, "", ""
        self.final, self.gone, self.born, self.cause = None, None, now, cause
        self.was_ready, self.existed, self.complaint, self.is_frozen = False, 0.0, "", False
        self.deadlines.clear()
        self.silenced.clear()

    def bury(self, now: float) -> None:
        """Its process is gone; what still arrives from it is late."""
        self.past.extend(each for each in (self.sender, self.pid) if each)
        self.died, self.pid = now, None
        self.is_frozen = self.is_due = False
        # What its probe complained of is part of the reason now, or nobody's business any more.
        self.complaint = ""
        self.deadlines.clear()

    def uncut(self) -> None:
        """Trust it again, since somebody commanded it."""
        self.is_cut = False
        self.brief.clear()
        self.restarts.forgive()

    def recognises(self, report: Reported) -> bool:
        """Whether a report comes from the present process; the first that may do so is bound to it."""
        if not report.sender or report.sender in self.past:
            return False
        if self.sender:
            return report.sender == self.sender
        # Without a pid of its own it can at least not be a process that has ended.
        if report.pid and (report.pid != self.pid if self.pid else report.pid in self.past):
            return False
        self.sender = report.sender
        # It may report before whoever made it has told.
        self.pid = self.pid or report.pid or None
        return True

    def would_run(self) -> bool:
        """Whether a restart is to run the task: as before, and at once if the definition says so."""
        return self.run or self.ran or not self.conf.is_deferred
