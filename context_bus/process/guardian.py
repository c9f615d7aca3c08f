"""The process that is the parent of all that its owner starts. Knows births and messages; no service.

It starts children, reaps them and adopts their orphans. When its owner is gone, whatever ended it, it
kills all that descends from it; or, if it is to keep them, it waits for the next owner. It has one
thread and imports little until Python children are asked for, so that its forks stay cheap.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys

from context_bus.errors import ProcessError
from context_bus.process.lifetime import adopt_orphans
from context_bus.process.messages import (
    PROTOCOL,
    AllGone,
    Collect,
    Drop,
    End,
    Handed,
    Hello,
    KillAll,
    Message,
    News,
    Preload,
    Refused,
    Start,
    Take,
    Welcome,
)
from context_bus.process.wards import Wards
from context_bus.process.wire import Link, Watch, close_all

#: Seconds without an order after which modules are imported that no Python child has needed yet.
IDLE = 0.02
#: Seconds between two looks, without an owner, whether the next one still can find us.
LOOK = 2.0
#: Seconds that the owner may take to hear of the last ends.
PARTING = 1.0
#: What every Python child needs, besides what its owner names.
_ENTRY = "context_bus.process.entry"


def main(descriptor: int) -> None:
    """Be a guardian until the owner at the other end of a socket is gone, and its children."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    adopt_orphans()
    GuardianProcess(socket.socket(fileno=descriptor)).run()


class GuardianProcess:
    """The inside of the process.

    Args:
        owner: The connection to the first owner.
    """

    def __init__(self, owner: socket.socket) -> None:
        self._watch = Watch()
        self._wards = Wards(self._watch, self._tell)
        self._owner: Link | None = None
        #: Readable when the owner has ended, even if somebody it forked still has its socket.
        self._owner_end = -1
        self._listener: socket.socket | None = None
        self._keep = ""
        self._inode = 0
        self._guests: set[Link] = set()
        self._preload: list[str] = []
        self._is_over = False
        self._wake = self._watch_signals()
        self._attach(Link(owner, self._watch, self._hear))

    def run(self) -> None:
        """Serve until all is over; then nothing is left."""
        gc.freeze()
        while not self._is_over:
            if not self._watch.turn(self._patience()):
                self._be_idle()
        # Nobody may come any more, and nobody is left behind.
        if self._listener is not None:
            self._listener.close()
            if self._can_be_found():
                os.unlink(self._keep)
        self._wards.kill_all(self._await_child)
        if self._owner is not None:
            self._owner.drain(PARTING)

    # -- signals -------------------------------------------------------------------------------

    def _watch_signals(self) -> socket.socket:
        wake, write_end = socket.socketpair()
        wake.setblocking(False)
        write_end.setblocking(False)
        self._write_end = write_end
        signal.set_wakeup_fd(write_end.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGHUP, self._end)
        self._watch.add(wake.fileno(), self._woken)
        return wake

    def _end(self, *_: object) -> None:
        self._is_over = True

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(4096)
        self._wards.reap()

    def _await_child(self, seconds: float) -> None:
        select.select([self._wake], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(4096)

    # -- owners --------------------------------------------------------------------------------

    def _attach(self, link: Link) -> None:
        self._owner = link
        try:
            self._owner_end = os.pidfd_open(link.peer[0])
        except ProcessLookupError:
            self._lose_owner()
        else:
            self._watch.add(self._owner_end, self._lose_owner)

    def _lose_owner(self) -> None:
        """The owner is gone: so is all it started, unless the next one is to have it."""
        if self._owner is not None:
            self._owner.close()
            self._owner = None
        if self._owner_end >= 0:
            self._watch.remove(self._owner_end)
            os.close(self._owner_end)
            self._owner_end = -1
        self._is_over = self._is_over or not self._keep

    def _tell(self, news: News, descriptors: tuple[int, ...] = ()) -> None:
        if self._owner is not None:
            self._owner.send(news, descriptors)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        guest = Link(connection, self._watch, self._hear_guest)
        if guest.peer[1] not in (0, os.geteuid()):
            guest.close()
        else:
            self._guests.add(guest)

    def _hear_guest(self, guest: Link) -> None:
        """Who comes to us at the path may be the next owner, if the one before is dead."""
        try:
            received = guest.receive()
        except BlockingIOError:
            return
        except ProcessError:
            received = None
        self._guests.discard(guest)
        hello, descriptors = received or (None, [])
        if not isinstance(hello, Hello):
            close_all(descriptors)
            guest.close()
            return
        why = self._reason_against(hello)
        if why:
            close_all(descriptors)
            guest.send(Refused(why))
            guest.close()
            return
        self._lose_owner()
        guest.on_readable = self._hear
        self._attach(guest)
        self._inherit(hello, descriptors)
        kept = list(self._wards.kept())
        self._tell(Welcome(os.getpid(), len(kept)))
        for told, channel in kept:
            self._tell(told, tuple(channel))

    def _reason_against(self, hello: Hello) -> str:
        if hello.protocol != PROTOCOL:
            return (
                f"its guardian, process {os.getpid()}, is of another version of context_bus "
                f"(protocol {PROTOCOL}, not {hello.protocol}); end it with that version or with kill"
            )
        if self._owner is not None and not select.select([self._owner_end], [], [], 0)[0]:
            return f"process {self._owner.peer[0]} is there and owns what guardian {os.getpid()} keeps"
        return ""

    # -- orders --------------------------------------------------------------------------------

    def _hear(self, link: Link) -> None:
        if link is not self._owner:
            return
        try:
            received = link.receive()
        except BlockingIOError:
            return
        except ProcessError as error:
            print(f"context_bus guardian {os.getpid()}: {error}", file=sys.stderr, flush=True)
            return
        if received is None:
            self._lose_owner()
            return
        self._obey(*received)

    def _obey(self, order: Message, descriptors: list[int]) -> None:
        match order:
            case Start():
                if not order.argv:
                    self._import([*self._preload, _ENTRY])
                self._wards.start(order, descriptors)
            case Collect(numbers):
                for number in numbers:
                    self._wards.collect(number)
            case Take(request, number, name):
                held = self._wards.held(number, name)
                self._tell(Handed(request), () if held is None else (held,))
            case Drop(number, name):
                self._wards.drop(number, name)
            case Preload(modules):
                self._preload += [name for name in modules if name not in self._preload]
            case Hello():
                self._inherit(order, descriptors)
            case KillAll(request):
                self._wards.kill_all(self._await_child)
                self._tell(AllGone(request))
            case End():
                self._is_over = True

    def _inherit(self, hello: Hello, descriptors: list[int]) -> None:
        """Take over what children inherit of the owner."""
        given = dict(zip(hello.given, descriptors, strict=True))
        if (listener := given.pop("listener", None)) is not None:
            self._listener = socket.socket(fileno=listener)
            self._listener.setblocking(False)
            self._watch.add(listener, self._accept)
            self._keep, self._inode = hello.keep, _inode(hello.keep)
        for place, name in ((1, "stdout"), (2, "stderr")):
            if name in given:
                os.dup2(given[name], place)
        close_all(given.values())
        sys.path[:], sys.argv[:] = hello.path, hello.argv
        if os.environ != hello.env:
            os.environ.clear()
            os.environ.update(hello.env)
        with contextlib.suppress(OSError):  # it may be gone by now
            os.chdir(hello.cwd)

    # -- leisure -------------------------------------------------------------------------------

    def _patience(self) -> float | None:
        if self._preload:
            return IDLE
        return LOOK if self._owner is None and self._keep else None

    def _be_idle(self) -> None:
        if self._preload:
            self._import([*self._preload, _ENTRY])
        elif self._owner is None and self._keep and not self._can_be_found():
            self._is_over = True

    def _can_be_found(self) -> bool:
        """Whether the path still leads here: what nobody can adopt must not live for ever."""
        return _inode(self._keep) == self._inode

    def _import(self, names: list[str]) -> None:
        """Import what Python children need, once, and keep the collector from touching it in each."""
        self._preload.clear()
        missing = [name for name in names if name not in sys.modules]
        for name in missing:
            # A child that needs it will fail with it, and say so where it is seen.
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        if missing:
            gc.collect()
            gc.freeze()


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
