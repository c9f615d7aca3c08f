"""Follows what commands write into their feedback files. Knows the loop; must not know what comes of it.

Each command that has one is followed from before its process is made to after its end, when the last word is
read and a file of ours removed. However often a file is written, it is looked at a few times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from pathlib import Path

from context_bus.config.model import TaskServiceConf
from context_bus.config.supervision import Feedback as FeedbackConf
from context_bus.context.events import Event, FeedbackRead, Key, LifeLost, ProbeAnswered
from context_bus.context.logs import path_name
from context_bus.errors import ServiceError
from context_bus.kernel.feedback import Feedback
from context_bus.process.changes import FileChanges
from context_bus.process.growing import Growing
from context_bus.supervise.silence import Degree, Silence

#: Looks that may be taken for the last word of a process, as much as one can take at each.
LAST_LOOKS = 64
#: Environment variable that tells a program where its feedback file is.
VARIABLE = "CONTEXT_BUS_FEEDBACK"


class FeedbackFiles:
    """Where the files are that the provider sets aside for its commands.

    Args:
        state: Directory of the provider's state; empty if it keeps none, then they are in a temporary one.
    """

    def __init__(self, state: str = "") -> None:
        self._home = Path(state, "feedback") if state else None
        self._is_temporary = not state

    def of(self, key: Key) -> Path:
        """The file of one service; always the same, as a process may outlive its provider."""
        if self._home is None:
            import tempfile

            self._home = Path(tempfile.mkdtemp(prefix="context_bus-feedback-"))
        return self._home.absolute() / path_name(key.transaction) / f"{path_name(key.service_id)}.log"

    def remove(self) -> None:
        """Remove all of them; no process is left that writes."""
        if self._home is not None and self._home.exists():
            import shutil

            shutil.rmtree(self._home, ignore_errors=True)
        if self._is_temporary:
            self._home = None


class Feedbacks:
    """Follows the feedback of all commands of a provider.

    Args:
        post: Takes the events.
        file_of: The file of a service; None if it has none.
        files: Those of our own.
    """

    def __init__(
        self,
        post: Callable[[Event], None],
        file_of: Callable[[Key, TaskServiceConf], Path | None],
        files: FeedbackFiles,
    ) -> None:
        self._post, self._file_of, self._files = post, file_of, files
        self._followers: dict[tuple[Key, int], _Follower] = {}

    def prepare(self, key: Key, incarnation: int, conf: TaskServiceConf) -> None:
        """Get ready for a process that is about to be made: what an earlier one has left is not its feedback.

        Raises:
            ServiceError: There is no place for the file.
        """
        try:
            self.adopt(key, incarnation, conf)
            if (follower := self._followers.get((key, incarnation))) is not None:
                follower.prepare()
        except OSError as error:
            self._followers.pop((key, incarnation), None)
            raise ServiceError(f"there is no place for its feedback: {error}") from error

    def adopt(self, key: Key, incarnation: int, conf: TaskServiceConf) -> None:
        """Get ready for a process that another provider has made."""
        given, path = conf.supervision.feedback, self._file_of(key, conf)
        if given is not None and path is not None:
            self._followers[key, incarnation] = _Follower((key, incarnation), given, path, self._post)

    def watch(self, key: Key, incarnation: int) -> None:
        """Tell from now on what a service says, and whether it is silent; unless it has ended meanwhile."""
        follower = self._followers.get((key, incarnation))
        if follower is not None:
            follower.watch()

    def end(self, key: Key, incarnation: int) -> None:
        """The process is gone: tell its last word, and forget it."""
        follower = self._followers.pop((key, incarnation), None)
        if follower is not None:
            follower.end()

    def close(self) -> None:
        """Forget all, when no process is left."""
        for key, incarnation in list(self._followers):
            self.end(key, incarnation)
        self._files.remove()


class _Follower:
    """Follows one file."""

    def __init__(
        self, name: tuple[Key, int], conf: FeedbackConf, path: Path, post: Callable[[Event], None]
    ) -> None:
        self._name, self._conf, self._path, self._post = name, conf, path, post
        self._file, self._feedback = Growing(str(path)), Feedback()
        self._told: dict[str, str] = {}
        self._next_report = -math.inf
        self._changes: FileChanges | None = None
        self._silence: Silence | None = None
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def _is_ours(self) -> bool:
        return not self._conf.file

    def prepare(self) -> None:
        """Make room for the file; one that somebody else named is left as it is, and its content is old."""
        if self._is_ours:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
        else:
            self._file.skip()

    def watch(self) -> None:
        loop = asyncio.get_running_loop()
        if self._conf.timeout is not None:
            self._silence = Silence(self._conf.timeout, loop.time())
        self._changes = FileChanges(self._conf.every)
        self._changes.watch(str(self._path))
        loop.add_reader(self._changes.fileno(), self._look)
        self._look()

    def end(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if self._changes is not None:
            asyncio.get_running_loop().remove_reader(self._changes.fileno())
            self._changes.close()
        for _ in range(LAST_LOOKS):
            if not self._read():
                break
        self._report()
        if self._is_ours:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _look(self) -> None:
        """See what has come, or has not; called by the descriptor and the alarm."""
        assert self._changes is not None
        now = asyncio.get_running_loop().time()
        self._changes.take(now)
        has_more = self._read()
        if now >= self._next_report:
            self._next_report = now + self._conf.every
            self._report()
        self._judge(now)
        self._set_alarm(now if has_more else math.inf)

    def _read(self) -> bool:
        """Read what has come; says whether there is more."""
        look = self._file.look()
        if look.is_anew:
            self._feedback = Feedback()
        self._feedback.feed(look.data)
        now = asyncio.get_running_loop().time()
        if look.is_touched and self._silence is not None and self._silence.heard(now):
            self._post(ProbeAnswered(*self._name))
        return look.has_more

    def _report(self) -> None:
        values = self._feedback.values
        if values != self._told:
            self._told = values
            self._post(FeedbackRead(*self._name, values))

    def _judge(self, now: float) -> None:
        degree = self._silence.look(now) if self._silence is not None else None
        if self._silence is None or degree is None:
            return
        if degree is Degree.LOST:
            self._post(LifeLost(*self._name, self._silence.say(degree)))
        else:
            self._post(ProbeAnswered(*self._name, self._silence.say(degree)))

    def _set_alarm(self, at: float) -> None:
        assert self._changes is not None
        if self._alarm is not None:
            self._alarm.cancel()
        at = min(at, self._changes.next_time)
        if self._silence is not None:
            at = min(at, self._silence.next_look)
        if self._feedback.values != self._told:
            at = min(at, self._next_report)
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_at(at, self._look) if at < math.inf else None
