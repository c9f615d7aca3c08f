"""The guardian as its owner sees it: orders to it, news from it. Knows the protocol; no service.

One thread hears the guardian, and tells children, and thereby whoever waits for them, what has become
of them. Orders come from any thread.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe

from context_bus.errors import ProcessError
from context_bus.kernel.surroundings import Surroundings
from context_bus.process import tree
from context_bus.process.child import UNKNOWN, Child
from context_bus.process.freight import Freight
from context_bus.process.keeping import connect_to, listen_at
from context_bus.process.launch import execute, hello, own_streams
from context_bus.process.mark import mark_of
from context_bus.process.messages import (
    AllGone,
    Collect,
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
    Refused,
    Start,
    Started,
    Stopped,
    Take,
    Welcome,
)
from context_bus.process.wire import close_all, memory_file, receive, send

_log = logging.getLogger(__name__)

#: Seconds that a guardian may take to let its next owner in: as long as it may be busy importing.
ADOPTION = 10.0
#: Seconds that children may take to follow a guardian that was killed.
FOLLOWING = 2.0


class GuardianGone(ProcessError):
    """The guardian ended before it could do what it was asked; the next one may."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What child to start.

    Args:
        name: For messages and logs.
        argv: Program and arguments; empty for a Python child.
        freight: What a Python child is to run.
        surroundings: What it runs in; None is what we run in.
        streams: Descriptors of its standard streams, by name; those not named are inherited.
        held: Descriptors that the guardian holds for it, by name.
        note: For the next owner.
    """

    name: str
    argv: tuple[str, ...] = ()
    freight: Freight | None = None
    surroundings: Surroundings | None = None
    streams: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


@dataclass(slots=True)
class _Asked:
    """What waits for an answer of the guardian.

    Args:
        wishes: Children to come, with our end of their channel.
        questions: Everything else.
        last: Number of the last request.
    """

    wishes: dict[int, tuple[Wish, Connection | None, Future[Child]]] = field(default_factory=dict)
    questions: dict[int, Future[int | None]] = field(default_factory=dict)
    last: int = 0

    def next(self) -> int:
        self.last += 1
        return self.last

    def fail(self, error: Exception) -> None:
        futures: list[Future[Child] | Future[int | None]] = [wish[2] for wish in self.wishes.values()]
        for future in [*futures, *self.questions.values()]:
            future.set_exception(error)
        self.wishes.clear()
        self.questions.clear()


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
        self._connection, self._is_ours, self._keeps = connection, is_ours, keeps
        # One that has ended already has no children.
        self._identity = tree.identify(pid) or tree.Identity(pid, 0)
        self._sending, self._lock = threading.Lock(), threading.Lock()
        self._is_gone = False
        self._asked = _Asked()
        self._children: dict[int, Child] = {}
        self._collected: list[int] = []
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
                guardian._order(hello(os.path.abspath(keep) if keep else "", given), list(given.values()))
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
            guardian, children = cls._shake_hands(connection, path)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                raise ProcessError(f"the guardian at {path} does not answer: {error}") from error
            raise
        connection.settimeout(None)
        guardian.thread.start()
        return guardian, children

    @classmethod
    def _shake_hands(cls, connection: socket.socket, path: str) -> tuple[Guardian, tuple[Child, ...]]:
        streams = own_streams()
        send(connection, hello("", streams), list(streams.values()))
        welcome, _ = _expect(connection, path)
        if isinstance(welcome, Refused):
            raise ProcessError(f"cannot adopt the processes kept at {path}: {welcome.why}")
        assert isinstance(welcome, Welcome)
        guardian = cls(connection, welcome.pid, is_ours=False, keeps=True)
        children = []
        for _ in range(welcome.kept):
            kept, descriptors = _expect(connection, path)
            assert isinstance(kept, Kept)
            children.append(guardian._take_over(kept, descriptors))
        return guardian, tuple(children)

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
        else:
            child.note_exit(kept.code)
        return child

    # -- orders --------------------------------------------------------------------------------

    def preload(self, modules: Sequence[str]) -> None:
        """Have modules imported before the first Python child is needed."""
        self._order(Preload(tuple(modules)))

    def start(self, wish: Wish) -> Child:
        """Start a child; returns when it has a pid and, if it is a program, has been executed.

        Raises:
            GuardianGone: The guardian ended meanwhile.
            ProcessError: It cannot be started; says why.
        """
        with contextlib.ExitStack() as stack:
            given, ours = list(wish.streams.items()), None
            if wish.freight is not None:
                ours, theirs = Pipe()
                stack.enter_context(theirs)
                load = memory_file("freight", wish.freight.data)
                stack.callback(os.close, load)
                given += [("channel", theirs.fileno()), ("load", load)]
                if self._keeps:
                    given.append(("ours", ours.fileno()))
                given += [("passed", one) for one in wish.freight.descriptors]
            future = self._ask_for(wish, ours, given)
        try:
            return future.result()
        except BaseException:
            if ours is not None:
                ours.close()
            raise

    def _ask_for(self, wish: Wish, ours: Connection | None, given: list[tuple[str, int]]) -> Future[Child]:
        future: Future[Child] = Future()
        with self._lock:
            number = self._asked.next()
            self._asked.wishes[number] = (wish, ours, future)
        order = Start(
            number,
            wish.name,
            wish.argv,
            wish.surroundings,
            wish.note,
            tuple(name for name, _ in given),
            tuple(wish.held),
        )
        try:
            self._order(order, [*(one for _, one in given), *wish.held.values()])
        except BaseException:
            with self._lock:
                self._asked.wishes.pop(number, None)
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
            self._order(Drop(number, name))

    def collect(self, number: int) -> None:
        """Have the guardian forget a child that has ended; does not wait, even for a guardian that hangs."""
        with self._sending:
            self._collected.append(number)
            with contextlib.suppress(BlockingIOError, GuardianGone):
                self._flush(socket.MSG_DONTWAIT)

    def kill_all(self) -> None:
        """Kill all that was started, and all that this started; returns when it is gone.

        Raises:
            GuardianGone: The guardian has ended, and so have they.
        """
        self._question(KillAll)

    def shut_down(self) -> None:
        """Kill all that was started, and end the guardian; returns when all is gone."""
        with contextlib.suppress(GuardianGone):
            self._order(End())
        self.thread.join()

    def abandon(self) -> None:
        """Let go of the connection in a process that was forked from the owner, and owns nothing."""
        self._connection.close()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, as far as we know."""
        return self._is_gone

    def fileno(self) -> int:
        """Descriptor of the connection; -1 when there is none."""
        return self._connection.fileno()

    def _question(self, ask: Callable[[int], Order]) -> int | None:
        future: Future[int | None] = Future()
        with self._lock:
            number = self._asked.next()
            self._asked.questions[number] = future
        try:
            self._order(ask(number))
        except BaseException:
            with self._lock:
                self._asked.questions.pop(number, None)
            raise
        return future.result()

    def _order(self, order: Order, descriptors: Sequence[int] = ()) -> None:
        with self._sending:
            self._flush(0)
            self._send(order, descriptors)

    def _flush(self, flags: int) -> None:
        if self._collected:
            self._send(Collect(tuple(self._collected)), (), flags)
            self._collected.clear()

    def _send(self, order: Order, descriptors: Sequence[int], flags: int = 0) -> None:
        try:
            send(self._connection, order, descriptors, flags)
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.ECONNRESET, errno.EBADF, errno.ENOTCONN):
                raise GuardianGone(f"guardian {self.pid} has ended") from error
            raise ProcessError(f"cannot order guardian {self.pid}: {error.strerror}") from error

    # -- news ----------------------------------------------------------------------------------

    def _listen(self) -> None:
        try:
            while (received := self._receive()) is not None:
                self._hear(*received)
        finally:  # whatever ends this thread, nobody must wait for it in vain
            self._lose()

    def _receive(self) -> tuple[Message, list[int]] | None:
        while True:
            try:
                return receive(self._connection)
            except OSError:
                return None
            except ProcessError:
                _log.exception("news of guardian lost: pid=%d", self.pid)

    def _hear(self, news: Message, descriptors: list[int]) -> None:
        match news:
            case Started():
                self._begin(news)
            case Failed(request, why):
                wish, _, future = self._pop(request)
                future.set_exception(ProcessError(f"cannot start {wish.name}: {why}"))
            case Exited(number, code):
                self._children.pop(number).note_exit(code)
            case Stopped(number, is_stopped):
                self._children[number].note_stopped(is_stopped)
            case Handed(request):
                self._answer(request, descriptors.pop() if descriptors else None)
            case AllGone(request):
                self._answer(request, None)
        close_all(descriptors)

    def _begin(self, news: Started) -> None:
        wish, ours, future = self._pop(news.request)
        identity = tree.Identity(news.pid, news.ticks)
        mark = mark_of(self._identity, news.child)
        child = Child(wish.name, identity, ours, self, news.child, mark, wish.note, tuple(wish.held))
        self._children[news.child] = child
        future.set_result(child)

    def _pop(self, request: int) -> tuple[Wish, Connection | None, Future[Child]]:
        with self._lock:
            return self._asked.wishes.pop(request)

    def _answer(self, request: int, answer: int | None) -> None:
        with self._lock:
            future = self._asked.questions.pop(request)
        future.set_result(answer)

    def _lose(self) -> None:
        """The guardian has ended: let nothing of it live on, then tell everybody who waits."""
        self._is_gone = True
        with self._sending:
            self._connection.close()
        living = [child.identity for child in self._children.values()]
        for identity in living:  # the kernel has done so already, but for programs that change their user
            tree.send_signal(identity, signal.SIGKILL)
        if left := tree.wait_gone(living, FOLLOWING):
            _log.error("outlive their guardian: pids=%s", [one.pid for one in left])
        if self._is_ours:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        else:
            tree.wait_gone([self._identity], FOLLOWING)
        with self._lock:
            self._asked.fail(GuardianGone(f"guardian {self.pid} has ended"))
        for child in self._children.values():
            child.note_exit(UNKNOWN)
        self._children.clear()


def _expect(connection: socket.socket, path: str) -> tuple[Message, list[int]]:
    received = receive(connection)
    if received is None:
        raise ProcessError(f"the guardian at {path} ended before it answered; try again")
    return received
