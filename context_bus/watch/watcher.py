"""Watches the command of one task until its whole tree is gone: one loop that polls. Must not know fronts.

It waits for the end of the command, for what its front passes on, for feedback, for output, and for what is
due; while nothing of that happens it does nothing at all.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from context_bus.errors import StoreError
from context_bus.process import tree
from context_bus.process.signalfile import Caught, SignalFile
from context_bus.watch import outcome, running
from context_bus.watch.ending import TreeEnd
from context_bus.watch.outcome import Reason
from context_bus.watch.relay import ENDING, PASSED, STOPPING, Relay
from context_bus.watch.stopwatch import Stopwatch

if TYPE_CHECKING:
    from context_bus.process.tree import Identity
    from context_bus.watch.feedbackfile import FeedbackFile
    from context_bus.watch.start import Launcher
    from context_bus.watch.talk import Line
    from context_bus.watch.telling import Teller
    from context_bus.watch.values import Task

#: Signals of a watcher: a child has changed, there is a wish, end.
_OWN = frozenset({signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM})
#: What of children is taken note of while they live.
_CHANGES = os.WSTOPPED | os.WCONTINUED | os.WNOHANG


class End(NamedTuple):
    """How it ended.

    Args:
        status: Exit code of the command, or the negative number of the signal that ended it; None if unknown.
        reason: Why, if not by itself.
        left: Processes that it left behind and that were ended after it.
        at: When the command ended, on the monotonic clock.
    """

    status: int | None
    reason: Reason | None
    left: int
    at: float


class Watcher:
    """Watches one command.

    Args:
        launcher: What is launched, and how.
        task: Its row.
        command: The process; it is a child of this process, or has become one.
        line: To the front; None in a front that has become a watcher itself.
        feedback: Its feedback file; None if nobody is to know of it before the end.
        teller: Who is told of feedback; may be None.
        orphaned: Whoever watched it before was killed, and this is said of it if it is to end therefore.
    """

    def __init__(
        self,
        launcher: Launcher,
        task: Task,
        command: Identity,
        line: Line | None = None,
        feedback: FeedbackFile | None = None,
        teller: Teller | None = None,
        orphaned: Reason | None = None,
    ) -> None:
        self._launcher, self._task, self._command = launcher, task, command
        self._line, self._feedback, self._teller = line, feedback, teller
        self._outputs, self._orphaned = launcher.outputs, orphaned
        self._stopwatch = Stopwatch()
        self._tree = TreeEnd(command.pid)
        self._relay = Relay()
        self._reason: Reason | None = None
        self._has_ended = False
        self._status: int | None = None
        self._ended_at = math.inf
        self._children = 1
        self._left = 0
        #: Until when what the command left behind may end by itself.
        self._patience_until = math.inf
        limit = launcher.order.max_runtime
        self._overdue_at = math.inf if limit is None else time.monotonic() + limit
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[float], None]] = {}

    def _end(self, reason: Reason, number: int, grace: float, now: float) -> None:
        """End the whole tree; whoever says so first is named in the history.

        Args:
            reason: Why.
            number: Signal to begin with.
            grace: Seconds until what is left is killed.
            now: On the monotonic clock.
        """
        if not self._has_ended:
            self._look_at_command(now)  # it may have ended by itself meanwhile
        if not self._has_ended and self._reason is None:
            self._reason = reason
        self._tree.begin(number, grace, now)

    def run(self) -> End:
        """Watch until nothing is left of the command and all that it started."""
        numbers = _OWN if self._line is not None else _OWN | ENDING | PASSED
        with SignalFile(numbers) as signals:
            self._listen(signals.fileno(), lambda now: self._hear(signals.take(), now))
            if self._line is not None:
                self._listen(self._line.hear, self._hear_front)
            if self._feedback is not None:
                self._listen(self._feedback.fileno(), self._look_at_feedback)
            for pipe in self._outputs.open(self._task.output, self._task.error):
                self._listen(pipe, lambda now, pipe=pipe: self._move(pipe, now))  # type: ignore[misc]
            now = time.monotonic()
            self._look(now)
            if self._orphaned is not None:
                self._inherit(self._orphaned, now)
            while not self._is_over():
                self._turn()
        self._outputs.finish(time.monotonic())
        return End(self._status, self._reason, self._left, self._ended_at)

    def _inherit(self, orphaned: Reason, now: float) -> None:
        """Do what is to be done with a command whose watcher was killed, unless it had ended before."""
        if self._task.onorphan == "adopt":
            self._hear_wish(now)  # whoever had one told the watcher
            return
        if self._status == -signal.SIGKILL:  # that was the kernel, when the watcher ended
            self._reason = orphaned
        if self._children or not self._has_ended:
            self._end_gracefully(orphaned, now)

    def _is_over(self) -> bool:
        return self._has_ended and (not self._children or self._tree.has_given_up)

    def _turn(self) -> None:
        due = self._next_time()
        wait = None if due == math.inf else max(0.0, math.ceil((due - time.monotonic()) * 1000))
        ready = self._poll.poll(wait)
        now = time.monotonic()
        for descriptor, _ in ready:
            if (handler := self._handlers.get(descriptor)) is not None:
                handler(now)
        self._keep_time(now)

    def _listen(self, descriptor: int, handler: Callable[[float], None]) -> None:
        self._handlers[descriptor] = handler
        self._poll.register(descriptor, select.POLLIN)

    def _forget(self, descriptor: int) -> None:
        del self._handlers[descriptor]
        self._poll.unregister(descriptor)

    # -- time ------------------------------------------------------------------------------------

    def _is_timed(self) -> bool:
        """Whether the command can be late: it runs, and nobody ends it already."""
        return not (self._has_ended or self._tree.is_begun or self._stopwatch.is_stopped)

    def _next_time(self) -> float:
        due = min(self._tree.next_time, self._patience_until, self._outputs.next_time)
        if not self._is_timed():
            return due
        return min(due, self._stopwatch.at(self._overdue_at), self._feedback_due(time.monotonic()))

    def _feedback_due(self, now: float) -> float:
        if self._feedback is None:
            return math.inf
        return self._stopwatch.at(self._feedback.next_deadline(self._stopwatch.read(now)))

    def _keep_time(self, now: float) -> None:
        self._tree.go_on(now)
        self._outputs.retry(now)
        if now >= self._patience_until:
            self._patience_until = math.inf
            self._left = self._children = self._tree.reap()
            if self._left:
                self._tree.begin(signal.SIGTERM, self._launcher.order.grace, now)
        if not self._is_timed():
            return
        limit = self._launcher.order.max_runtime
        if limit is not None and self._stopwatch.read(now) >= self._overdue_at:
            self._end_gracefully(outcome.overdue(limit), now)
        elif now >= self._feedback_due(now):
            self._look_at_feedback(now)

    def _end_gracefully(self, reason: Reason, now: float) -> None:
        self._end(reason, signal.SIGTERM, self._launcher.order.grace, now)

    # -- who speaks ------------------------------------------------------------------------------

    def _hear(self, caught: list[Caught], now: float) -> None:
        for number, code, _ in caught:
            if number == signal.SIGCHLD:
                self._look(now)
            elif number == signal.SIGUSR1:
                self._hear_wish(now)
            else:
                self._obey(self._relay.meaning(number, code), now)

    def _hear_front(self, now: float) -> None:
        assert self._line is not None
        numbers = self._line.take_signals()
        if numbers is None:
            self._forget(self._line.hear)
            self._stopwatch.go("front", now)
            if self._task.onorphan != "adopt":
                self._end_gracefully(outcome.LAUNCHER_KILLED, now)
            return
        for number in numbers:
            self._obey(number, now)

    def _obey(self, number: int, now: float) -> None:
        if number == signal.SIGKILL:
            self._end(outcome.INTERRUPTED_TWICE, number, 0.0, now)
        elif number in ENDING:
            self._end_gracefully(outcome.launcher_told(number), now)
        elif number in STOPPING:
            self._stopwatch.stop("front", now)
        elif number == signal.SIGCONT:
            self._stopwatch.go("front", now)
        elif number and not self._has_ended:
            tree.send_signal(self._command, signal.Signals(number))

    def _hear_wish(self, now: float) -> None:
        """Look whether somebody has left a wish that the task be ended."""
        with told_only():
            task = running.get(self._launcher.database, self._task.id)
            if task is not None and (wish := task.request) is not None:
                self._end(outcome.wished(wish), wish.signal, wish.grace, now)

    # -- the command -----------------------------------------------------------------------------

    def _look(self, now: float) -> None:
        """Take note of all that has become of children, the command and others."""
        if not self._has_ended:
            self._look_at_command(now)
        self._children = self._tree.reap()
        if self._has_ended and self._children and not self._tree.is_begun:
            self._patience_until = min(self._patience_until, now + self._launcher.order.grace)

    def _look_at_command(self, now: float) -> None:
        pid = self._command.pid
        try:
            # It stays a zombie until all is written down: if we are killed before, our front can still see.
            end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # it is not ours: whoever watched it before has reaped it
            self._note_end(None, now)
            return
        if end is not None:
            self._note_end(end.si_status if end.si_code == os.CLD_EXITED else -end.si_status, now)
            return
        with contextlib.suppress(ChildProcessError):  # it has just ended: that is told by a signal of its own
            while (change := os.waitid(os.P_PID, pid, _CHANGES)) is not None:
                is_stopped = change.si_code == os.CLD_STOPPED
                (self._stopwatch.stop if is_stopped else self._stopwatch.go)("command", now)

    def _note_end(self, status: int | None, now: float) -> None:
        self._has_ended, self._status, self._ended_at = True, status, now
        self._stopwatch.go("command", now)

    # -- what it writes --------------------------------------------------------------------------

    def _look_at_feedback(self, now: float) -> None:
        assert self._feedback is not None
        active = self._stopwatch.read(now)
        has_changed = self._feedback.react(active)
        if has_changed and self._teller is not None:
            self._teller.updated(self._feedback.read())
        if not self._is_timed():
            return
        status = self._feedback.status
        if status is None:
            self._end_gracefully(
                outcome.silent(self._feedback.age(active), self._launcher.order.timeout), now
            )
        elif status != self._task.status:
            self._task = self._task._replace(status=status)
            with told_only():
                running.set_status(self._launcher.database, self._task.id, status, time.time())

    def _move(self, pipe: int, now: float) -> None:
        if not self._outputs.move(pipe, now):
            self._forget(pipe)


@contextlib.contextmanager
def told_only() -> Iterator[None]:
    """Go on watching when the database cannot be reached just now."""
    try:
        yield
    except StoreError as error:
        print(error, file=sys.stderr, flush=True)
