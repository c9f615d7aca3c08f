"""The life of one task from its reservation to the history, in whichever process keeps it. Wires the parts.

Knows watcher, rows, feedback and bus; must not know fronts.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from context_bus.process.tree import Identity, identify
from context_bus.watch import history, running
from context_bus.watch.outcome import NEVER_RAN, Reason, ending_of
from context_bus.watch.start import Launcher, NotStarted, start, take_up
from context_bus.watch.watcher import End, Watcher, told_only

if TYPE_CHECKING:
    from context_bus.watch.feedbackfile import FeedbackFile
    from context_bus.watch.talk import Line
    from context_bus.watch.telling import Teller
    from context_bus.watch.values import Task

#: Rows of the history that one task deletes at its end: some milliseconds.
_PRUNED = 500


class Keeper:
    """Keeps one task.

    Args:
        launcher: What is launched, and how.
        tell: Takes what becomes known: ``id``, ``pid``; in the end ``why`` in words if it did not end by
            itself, the ``code`` of the launcher, and that all is ``done``.
        line: To the front; None in a front that keeps the task itself.
    """

    def __init__(self, launcher: Launcher, tell: Callable[..., None], line: Line | None = None) -> None:
        self._launcher, self._tell, self._line = launcher, tell, line
        self._database = launcher.database
        self._began = time.monotonic()
        self._teller: Teller | None = None

    # -- a task that begins ----------------------------------------------------------------------

    def launch(self) -> int:
        """Take up the reservation, start the command, watch it, archive it.

        Returns:
            The exit code of the launcher.

        Raises:
            ContextBusError: It may not start, or cannot be written down.
        """
        watcher = identify(os.getpid())
        assert watcher is not None
        task = take_up(self._launcher, watcher)
        self._tell(id=task.id)
        feedback = self._prepare_feedback(task)
        self._began = time.monotonic()
        try:
            command = start(self._launcher, task, watcher)
        except NotStarted as error:
            self._open_teller(task)
            return self._conclude(task, End(None, error.reason, 0, self._began))
        task = task._replace(pid=command.pid, ticks=command.ticks)
        with told_only():
            running.set_pid(self._database, task.id, *command)
        self._tell(pid=command.pid)
        self._open_teller(task)
        return self._watch(task, command, feedback)

    def _prepare_feedback(self, task: Task) -> FeedbackFile | None:
        """Move aside what is left from earlier; follow the file if somebody is to know what becomes of it."""
        assert task.feedfile is not None
        order = self._launcher.order
        if not (order.expects_feedback or order.bus or os.path.lexists(task.feedfile)):
            return None
        from pathlib import Path

        from context_bus.watch.feedbackfile import set_aside

        with contextlib.suppress(OSError):  # then it is no change that it is there
            set_aside(Path(task.feedfile))
        return self._follow(task)

    def _follow(self, task: Task) -> FeedbackFile | None:
        order = self._launcher.order
        if task.feedfile is None or not (order.expects_feedback or order.bus):
            return None
        from pathlib import Path

        from context_bus.watch.feedbackfile import FeedbackFile

        timeout = order.timeout if order.expects_feedback else math.inf
        return FeedbackFile(Path(task.feedfile), timeout, time.monotonic(), wants_content=bool(order.bus))

    def _open_teller(self, task: Task) -> None:
        if self._launcher.order.bus:
            from context_bus.watch.telling import Teller

            self._teller = Teller(self._launcher.order.bus, task)
            if task.pid is not None:
                self._teller.started()

    # -- a task whose watcher was killed ---------------------------------------------------------

    def take_over(self, task: Task, command: Identity | None, reason: Reason) -> int:
        """Go on with a task whose watcher was killed; its command is a child of this process by now.

        Args:
            task: Its row.
            command: The process; None if there is none, any more or yet.
            reason: What is to be said of it if it is ended now.

        Returns:
            The exit code of the launcher.
        """
        if command is None:
            return self._conclude(task, End(None, NEVER_RAN, 0, time.monotonic()))
        me = identify(os.getpid())
        assert me is not None
        with told_only():
            # Who was first stays among them: all that the task has started is known by that name.
            running.set_keepers(self._database, task.id, [me, *(one for one in task.keepers if one != me)])
            running.set_pid(self._database, task.id, *command)
        self._open_teller(task)
        return self._watch(task, command, self._follow(task), reason)

    # -- both ------------------------------------------------------------------------------------

    def _watch(
        self, task: Task, command: Identity, feedback: FeedbackFile | None, orphaned: Reason | None = None
    ) -> int:
        watcher = Watcher(self._launcher, task, command, self._line, feedback, self._teller, orphaned)
        code = self._conclude(task, watcher.run())
        if feedback is not None:
            feedback.close()
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, command.pid, os.WEXITED | os.WNOHANG)
        return code

    def _conclude(self, task: Task, end: End) -> int:
        """Write down how it ended, and clear up behind it."""
        ending = ending_of(end.status, end.reason, end.left)
        why = {} if end.reason is None else {"why": f"task {task.id}: {ending.termerror}"}
        self._tell(code=ending.launcher_code, **why)
        values = self._last_feedback(task)
        if self._teller is not None and values:
            self._teller.updated(values)
        now, elapsed = time.time() - (time.monotonic() - end.at), max(0.0, end.at - self._began)
        history.archive(self._database, task, ending, json.dumps(values), now, elapsed)
        if task.feedfile is not None:
            with contextlib.suppress(OSError):
                os.unlink(task.feedfile)
        if (retain := self._launcher.order.retain) is not None:
            history.prune(self._database, now - retain, _PRUNED)
        if self._teller is not None:
            self._teller.ended(ending)
            self._teller.close()
        self._tell(done=True)
        return ending.launcher_code

    @staticmethod
    def _last_feedback(task: Task) -> dict[str, str]:
        if task.feedfile is None or not os.path.lexists(task.feedfile):
            return {}
        from pathlib import Path

        from context_bus.watch.feedbackfile import FeedbackReader

        return FeedbackReader(Path(task.feedfile)).read()
