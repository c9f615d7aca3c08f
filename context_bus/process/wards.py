"""The children of a guardian: born, reaped, remembered. Knows births and messages; must not know owners."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from context_bus.process import tree
from context_bus.process.birth import Birth, bear
from context_bus.process.mark import mark_of
from context_bus.process.messages import Exited, Failed, Kept, News, Start, Started, Stopped
from context_bus.process.wire import Watch, close_all

#: Seconds after which the table is read again for descendants that were born while others died.
_LOOK_AGAIN = 0.2
#: How often to look again before giving up on processes that even SIGKILL does not end.
_LOOKS = 25
#: Longest reason, in bytes, that a child gives for not running.
_REASON = 4096
#: What of children is taken note of.
_CHANGES = os.WEXITED | os.WSTOPPED | os.WCONTINUED | os.WNOHANG


@dataclass(slots=True)
class Ward:
    """One child.

    Args:
        number: By which owner and guardian name it.
        order: What was asked for.
        identity: Pid and start time.
        held: Descriptors held for it.
        channel: Our copy of the owner's end of its channel; -1: there is none.
        status: Where it says why it does not run; -1 once that is known.
        code: How it ended; None while it runs.
        is_stopped: By a signal.
    """

    number: int
    order: Start
    identity: tree.Identity
    held: dict[str, int] = field(default_factory=dict)
    channel: int = -1
    status: int = -1
    code: int | None = None
    is_stopped: bool = False

    def release(self) -> None:
        """Close what is held for it."""
        close_all([*self.held.values(), *(fd for fd in (self.channel, self.status) if fd >= 0)])


class Wards:
    """All children.

    Args:
        watch: Tells when a child says why it does not run.
        tell: Takes the news for the owner.
    """

    def __init__(self, watch: Watch, tell: Callable[[News], None]) -> None:
        self._watch, self._tell = watch, tell
        self._wards: dict[int, Ward] = {}
        self._running: dict[int, Ward] = {}
        self._born = 0
        guardian = tree.identify(os.getpid())
        assert guardian is not None
        self._guardian = guardian

    # -- births --------------------------------------------------------------------------------

    def start(self, order: Start, descriptors: Sequence[int]) -> None:
        """Start a child; the answer is told at once, or when its program has been executed."""
        if len(descriptors) != len(order.given) + len(order.held):
            close_all(descriptors)
            self._tell(Failed(order.request, "too many open files in the guardian; raise `ulimit -n`"))
            return
        given, passed, held = _sort(order, descriptors)
        ours, number = given.pop("ours", -1), self._born + 1
        read_end = write_end = -1
        try:
            if order.argv or order.surroundings is not None:
                read_end, write_end = os.pipe()
            pid = bear(Birth(order, number, mark_of(self._guardian, number), given, passed, write_end))
        except OSError as error:
            close_all([*held.values(), *(fd for fd in (ours, read_end) if fd >= 0)])
            self._tell(Failed(order.request, f"{error.strerror}; see `ulimit -u` and `ulimit -n`"))
            return
        finally:
            close_all([*given.values(), *passed, *((write_end,) if write_end >= 0 else ())])
        self._born = number
        identity = tree.identify(pid)
        assert identity is not None, "a child that nobody has reaped is in the table"
        ward = Ward(number, order, identity, held, ours, read_end)
        self._wards[ward.number] = self._running[pid] = ward
        if read_end < 0:
            self._tell(Started(order.request, ward.number, pid, identity.ticks))
        else:
            os.set_blocking(read_end, False)
            self._watch.add(read_end, lambda: self._hear(ward))

    def _hear(self, ward: Ward, *, is_over: bool = False) -> None:
        """Learn whether a child runs: nothing is said, and the pipe closed, when it does."""
        try:
            reason = os.read(ward.status, _REASON)
        except BlockingIOError:
            if not is_over:
                return
            reason = b""  # it ended without a word, and a sibling just forked still has a copy of the pipe
        self._watch.remove(ward.status)
        os.close(ward.status)
        ward.status = -1
        request, identity = ward.order.request, ward.identity
        if reason:
            del self._wards[ward.number], self._running[identity.pid]
            ward.release()
            self._tell(Failed(request, reason.decode(errors="surrogateescape")))
        else:
            self._tell(Started(request, ward.number, identity.pid, identity.ticks))

    # -- deaths --------------------------------------------------------------------------------

    def reap(self) -> bool:
        """Take note of all that has become of children, ours or adopted; False if there are none left."""
        ended: list[Ward] = []
        try:
            while (change := os.waitid(os.P_ALL, 0, _CHANGES)) is not None:
                ward = self._running.get(change.si_pid)
                if ward is not None and self._note(ward, change):  # else it is an orphan that came to us
                    ended.append(ward)
            return True
        except ChildProcessError:
            return False
        finally:
            if ended:
                self._tell_ends(ended)

    def _note(self, ward: Ward, change: os.waitid_result) -> bool:
        """Take note of one change; True if a child that had run has ended."""
        if change.si_code in (os.CLD_STOPPED, os.CLD_CONTINUED):
            ward.is_stopped = change.si_code == os.CLD_STOPPED
            if ward.status < 0:
                self._tell(Stopped(ward.number, ward.is_stopped))
            return False
        if change.si_code not in (os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED):
            return False
        if ward.status >= 0:
            self._hear(ward, is_over=True)  # whether it ran at all comes before its end
        if self._running.pop(change.si_pid, None) is None:
            return False
        ward.code = change.si_status if change.si_code == os.CLD_EXITED else -change.si_status
        return True

    def _tell_ends(self, ended: Sequence[Ward]) -> None:
        """Tell of ends. What children leave behind has come to us by then: mostly there is nothing."""
        strays = tree.children(self._guardian.pid)
        is_clean = strays is not None and strays <= self._running.keys()
        for ward in ended:
            assert ward.code is not None
            self._tell(Exited(ward.number, ward.code, is_clean))

    def kill_all(self, wait: Callable[[float], None]) -> None:
        """Kill and reap all that descends from this process, adopted orphans too.

        Args:
            wait: Returns when a child may have ended, or after so many seconds.
        """
        for _ in range(_LOOKS):
            for row in tree.descendants([self._guardian.pid], tree.read_table()):
                if not tree.is_gone(row):
                    tree.send_signal(row.identity, signal.SIGKILL)
            if not self._reap_for(_LOOK_AGAIN, wait):
                return

    def _reap_for(self, seconds: float, wait: Callable[[float], None]) -> bool:
        """Reap until nobody is left, or the living have had their time; False if nobody is left."""
        deadline = time.monotonic() + seconds
        while self.reap():
            left = deadline - time.monotonic()
            if left <= 0:
                return True
            wait(left)
        return False

    # -- what is remembered --------------------------------------------------------------------

    def kept(self) -> Iterator[tuple[Kept, list[int]]]:
        """What the next owner has to know: every child that has not been collected, and its channel."""
        for ward in self._wards.values():
            if ward.status >= 0:
                continue
            order, identity = ward.order, ward.identity
            told = Kept(
                ward.number,
                identity.pid,
                identity.ticks,
                order.name,
                order.note,
                ward.code,
                ward.is_stopped,
                tuple(ward.held),
                ward.channel >= 0,
            )
            yield told, [ward.channel] if ward.channel >= 0 else []

    def held(self, number: int, name: str) -> int | None:
        """A descriptor that is held for a child; None if there is none."""
        ward = self._wards.get(number)
        return None if ward is None else ward.held.get(name)

    def drop(self, number: int, name: str) -> None:
        """Hold a descriptor no longer."""
        ward = self._wards.get(number)
        if ward is not None and name in ward.held:
            os.close(ward.held.pop(name))

    def collect(self, number: int) -> None:
        """Forget a child that has ended."""
        ward = self._wards.get(number)
        if ward is not None and ward.code is not None:
            del self._wards[number]
            ward.release()


def _sort(order: Start, descriptors: Sequence[int]) -> tuple[dict[str, int], tuple[int, ...], dict[str, int]]:
    """Tell which descriptor is which: those given by name, those among the arguments, those to hold."""
    count = len(order.given)
    pairs = list(zip(order.given, descriptors[:count], strict=True))
    given = {name: one for name, one in pairs if name != "passed"}
    passed = tuple(one for name, one in pairs if name == "passed")
    return given, passed, dict(zip(order.held, descriptors[count:], strict=True))
