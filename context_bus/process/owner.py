"""The guardian as its owner sees it: orders to it, news from it. Knows the protocol; no service.

One thread hears the guardian, and tells children, and thereby whoever waits for them, what has become
of them. Orders come from any thread.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from multiprocessing.connection import Connection, Pipe

from context_bus.errors import ProcessError
from context_bus.process import tree
from context_bus.process.asked import Asked, GuardianGone, Wish
from context_bus.process.child import UNKNOWN, Child
from context_bus.process.freight import Freight
from context_bus.process.keeping import connect_to, listen_at
from context_bus.process.launch import execute, hello, shake_hands
from context_bus.process.line import Line
from context_bus.process.mark import mark_of
from context_bus.process.messages import (
    AllGone,
    Drop,
    End,
    Exited,
    Failed,
    Handed,
    Kept,
    KillAll,
    Message,
    Order,
    Preload,
    Start,
    Started,
    Stopped,
    Take,
)
from context_bus.process.wire import close_all, memory_file

_log = logging.getLogger(__name__)

#: Seconds that a guardian may take to let its next owner in: as long as it may be busy importing.
ADOPTION = 10.0
#: Seconds that children may take to follow a guardian that was killed.
FOLLOWING = 2.0


class Guardian:
    """A guardian that we own.

    Args:
        connection: To it; belongs to this object from now on.
        pid: Its process id.
        is_ours: Whether it is our child, which we reap.
        keeps: Whether it keeps children for the next owner.
    """

    def __init__(self, connection: socket.socket, pid: int, *, is_ours: bool, keeps: bool) -> None:
        self.pid = pid
        self._line, self._is_ours, self._keeps = Line(connection, pid), is_ours, keeps
        # One that has ended already has no children.
        self._identity = tree.identify(pid) or tree.Identity(pid, 0)
        self._is_gone = self._is_ending = False
        self._asked = Asked()
        self._children: dict[int, Child] = {}
        self._pids: set[int] = set()
        #: Hears the guardian for as long as it lives.
        self.thread = threading.Thread(target=self._listen, name="guardian", daemon=True)

    # -- coming --------------------------------------------------------------------------------

    @classmethod
    def launch(cls, keep: str = "") -> Guardian:
        """Start a guardian, without waiting for it.

        Args:
            keep: Path at which the next owner finds it; empty: it ends with us.

        Raises:
            ProcessError: No process can be made, or the path cannot be used.
        """
        listener = listen_at(keep) if keep else None
        try:
            given = {} if listener is None else {"listener": listener.fileno()}
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                guardian = cls(ours, execute(theirs.fileno()), is_ours=True, keeps=bool(keep))
        except OSError as error:
            raise ProcessError(f"cannot start a guardian: {error.strerror}; see `ulimit -u -n`") from error
        else:
            # If it has ended already, whoever needs it will see that.
            with contextlib.suppress(GuardianGone):
                guardian._line.order(
                    hello(os.path.abspath(keep) if keep else "", given), list(given.values())
                )
        finally:
            if listener is not None:
                listener.close()
        guardian.thread.start()
        return guardian

    @classmethod
    def adopt(cls, path: str) -> tuple[Guardian, tuple[Child, ...]] | None:
        """Become the owner of a guardian whose owner is gone; None when none is there.

        Raises:
            ProcessError: Its owner lives, or it does not let us in.
        """
        connection = connect_to(path)
        if connection is None:
            return None
        connection.settimeout(ADOPTION)
        try:
            welcome, kept = shake_hands(connection, path)
            guardian = cls(connection, welcome.pid, is_ours=False, keeps=True)
            children = tuple(guardian._take_over(*one) for one in kept)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                raise ProcessError(f"the guardian at {path} does not answer: {error}") from error
            raise
        connection.settimeout(None)
        guardian.thread.start()
        return guardian, children

    def _take_over(self, kept: Kept, descriptors: list[int]) -> Child:
        if kept.has_channel and not descriptors:
            raise ProcessError("too many open files to adopt all processes; raise `ulimit -n`")
        channel = Connection(descriptors[0]) if descriptors else None
        identity = tree.Identity(kept.pid, kept.ticks)
        mark = mark_of(self._identity, kept.child)
        child = Child(kept.name, identity, channel, self, kept.child, mark, kept.note, kept.held)
        if kept.is_stopped:
            child.note_stopped(True)
        if kept.code is None:
            self._children[kept.child] = child
            self._pids.add(child.pid)
        else:
            child.note_exit(kept.code)
        return child

    # -- orders --------------------------------------------------------------------------------

    def preload(self, modules: Sequence[str]) -> None:
        """Have modules imported before the first Python child is needed."""
        self._line.order(Preload(tuple(modules)))

    def begin(self, wish: Wish) -> Future[Child]:
        """Order a child; its future is set when it has a pid and, if it is a program, has been executed.

        The future fails with `GuardianGone` if the guardian ends meanwhile, with another `ProcessError`
        if the child cannot be started. What the wish names can be closed when this returns.

        Raises:
            GuardianGone: The guardian has ended.
            ProcessError: The order cannot be sent.
        """
        with contextlib.ExitStack() as stack:
            given, ours = list(wish.streams.items()), None
            if wish.freight is not None:
                ours, theirs, load = _vessels(wish.name, wish.freight)
                stack.enter_context(theirs)
                stack.callback(os.close, load)
                given += [("channel", theirs.fileno()), ("load", load)]
                if self._keeps and wish.is_bequeathed:
                    given.append(("ours", ours.fileno()))
                given += [("passed", one) for one in wish.freight.descriptors]
            return self._ask_for(wish, ours, given)

    def _ask_for(self, wish: Wish, ours: Connection | None, given: list[tuple[str, int]]) -> Future[Child]:
        number, future = self._asked.wish(wish, ours)
        if ours is not None:
            future.add_done_callback(lambda done: ours.close() if done.exception() else None)
        names = tuple(name for name, _ in given)
        order = Start(number, wish.name, wish.argv, wish.surroundings, wish.note, names, tuple(wish.held))
        try:
            self._line.order(order, [*(one for _, one in given), *wish.held.values()])
        except BaseException:
            self._asked.withdraw(number)
            if ours is not None:
                ours.close()
            raise
        return future

    def take(self, number: int, name: str) -> int | None:
        """A copy of a descriptor that is held for a child; None if there is none of that name.

        Raises:
            GuardianGone: The guardian has ended, and what it held is lost.
        """
        return self._question(lambda request: Take(request, number, name))

    def drop(self, number: int, name: str) -> None:
        """Hold a descriptor no longer."""
        with contextlib.suppress(GuardianGone):
            self._line.order(Drop(number, name))

    def collect(self, number: int) -> None:
        """Have the guardian forget a child that has ended; does not wait, even for a guardian that hangs."""
        self._line.collect(number)

    def knows(self, pid: int) -> bool:
        """Whether a process is a child that runs, as far as we have heard."""
        return pid in self._pids

    def kill_all(self) -> None:
        """Kill all that was started, and all that this started; returns when it is gone.

        Raises:
            GuardianGone: The guardian has ended, and so have they.
        """
        self._question(KillAll)

    def shut_down(self) -> None:
        """Kill all that was started, and end the guardian; returns when all is gone."""
        self._is_ending = True
        with contextlib.suppress(GuardianGone):
            self._line.order(End())
        self.thread.join()

    def abandon(self) -> None:
        """Let go of the connection in a process that was forked from the owner, and owns nothing."""
        self._line.abandon()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, as far as we know."""
        return self._is_gone

    def fileno(self) -> int:
        """Descriptor of the connection; -1 when there is none."""
        return self._line.fileno()

    def _question(self, ask: Callable[[int], Order]) -> int | None:
        number, future = self._asked.question()
        try:
            self._line.order(ask(number))
        except BaseException:
            self._asked.withdraw(number)
            raise
        return future.result()

    # -- news ----------------------------------------------------------------------------------

    def _listen(self) -> None:
        try:
            while (received := self._line.receive()) is not None:
                self._hear(*received)
        finally:  # whatever ends this thread, nobody must wait for it in vain
            self._lose()

    def _hear(self, news: Message, descriptors: list[int]) -> None:
        match news:
            case Started():
                self._begin(news)
            case Failed(request, why):
                wish, _, future = self._asked.take_wish(request)
                future.set_exception(ProcessError(f"cannot start {wish.name}: {why}"))
            case Exited(number, code, is_clean):
                child = self._children.pop(number)
                self._pids.discard(child.pid)
                child.note_exit(code, is_clean=is_clean)
            case Stopped(number, is_stopped):
                self._children[number].note_stopped(is_stopped)
            case Handed(request):
                self._asked.answer(request, descriptors.pop() if descriptors else None)
            case AllGone(request):
                self._asked.answer(request, None)
        close_all(descriptors)

    def _begin(self, news: Started) -> None:
        wish, ours, future = self._asked.take_wish(news.request)
        identity = tree.Identity(news.pid, news.ticks)
        mark = mark_of(self._identity, news.child)
        child = Child(wish.name, identity, ours, self, news.child, mark, wish.note, tuple(wish.held))
        self._children[news.child] = child
        self._pids.add(child.pid)
        future.set_result(child)

    def _lose(self) -> None:
        """The guardian has ended: let nothing of it live on, then tell everybody who waits."""
        self._is_gone = True
        self._line.close()
        _see_gone([child.identity for child in self._children.values()])
        if self._is_ours:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        else:
            with contextlib.suppress(OSError):
                tree.wait_gone([self._identity], FOLLOWING)
        ended = ProcessError(f"guardian {self.pid} was shut down") if self._is_ending else None
        self._asked.fail(ended or GuardianGone(f"guardian {self.pid} has ended"))
        for child in self._children.values():
            child.note_exit(UNKNOWN)
        self._children.clear()
        self._pids.clear()


def _see_gone(living: Sequence[tree.Identity]) -> None:
    """Let nothing live on that had a guardian."""
    try:
        for identity in living:  # the kernel has done so already, but for programs that change their user
            tree.send_signal(identity, signal.SIGKILL)
        if left := tree.wait_gone(living, FOLLOWING):
            _log.error("outlive their guardian: pids=%s", [one.pid for one in left])
    except OSError as error:  # too many open files, and everybody must be told all the same
        _log.error("not seen to their end: pids=%s reason=%s", [one.pid for one in living], error)


def _vessels(name: str, freight: Freight) -> tuple[Connection, Connection, int]:
    """Both ends of the channel of a Python child, and a file with what it is to run.

    Raises:
        ProcessError: There are no descriptors for them.
    """
    try:
        ours, theirs = Pipe()
        try:
            return ours, theirs, memory_file("freight", freight.data)
        except BaseException:
            ours.close()
            theirs.close()
            raise
    except OSError as error:
        raise ProcessError(f"cannot start {name}: {error.strerror}; see `ulimit -n`") from error
