"""Learn that the file at a path was written, without looking at it again and again.

Knows inotify; must not know what files mean. A path is followed, not a file: the file may come later, go, or
be replaced, and so may its directory. Where the kernel has no watch left to give (its limits are in
inotify(7)), it is time to look once in a pause instead.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
from typing import TYPE_CHECKING

from context_bus.kernel.closing import Closing

if TYPE_CHECKING:
    from inotify_simple import Event, INotify

#: How often the search for what to watch begins anew because a directory came meanwhile.
ATTEMPTS = 5
# The bits of inotify(7): flags that are an enum take ten times as long to test.
_MODIFY, _ATTRIB = 0x2, 0x4
_MOVED_TO, _CREATE, _DELETE_SELF, _MOVE_SELF = 0x80, 0x100, 0x400, 0x800
_ONLYDIR = 0x1000000
#: Of a file: it is written, touched, or no longer what the path leads to.
_OF_FILE = _MODIFY | _ATTRIB | _DELETE_SELF | _MOVE_SELF
#: Of the nearest directory while there is no file: something comes, or it goes itself.
_OF_DIRECTORY = _CREATE | _MOVED_TO | _DELETE_SELF | _MOVE_SELF | _ONLYDIR


class FileChanges(Closing):
    """Tells of changes at one path, about once in a pause at most, however often it is written.

    The descriptor is readable when there is something to take. For a pause after that it is silent, and the
    kernel merges what comes; then it is time to take again. So a writer of a hundred thousand lines per
    second costs its watcher no more than one of ten.

    Args:
        pause: Seconds.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._path = ""
        # The descriptor of inotify cannot be told to be silent; one that looks at it can.
        self._epoll = select.epoll()
        self._inotify: INotify | None = None
        self._watch = -1
        self._next = math.inf

    def fileno(self) -> int:
        """For a poll; readable when there is something to `take`."""
        return self._epoll.fileno()

    @property
    def next_time(self) -> float:
        """When to `take` though the descriptor says nothing; infinite if that need not be."""
        return self._next

    def watch(self, path: str) -> None:
        """Begin.

        Args:
            path: Neither the file nor its directory need be there.
        """
        self._path = os.path.abspath(path)
        self._aim()
        self._next = math.inf if self._watch >= 0 else -math.inf

    def take(self, now: float) -> bool:
        """Learn what has happened; to be called when the descriptor is readable, and at `next_time`.

        Whoever wants to know whether the file came, went or was replaced looks at it afterwards; what comes
        after that look will be told.

        Args:
            now: Seconds on the monotonic clock.

        Returns:
            Whether the file was written or touched since the last time, which its times do not always tell.
        """
        if not self._path or now < self._next < math.inf:
            return False
        events = self._read()
        self._aim()
        is_to_rest = bool(events) or self._watch < 0
        self._next = now + self._pause if is_to_rest else math.inf
        self._listen(not is_to_rest)
        return any(event.mask & (_MODIFY | _ATTRIB) for event in events)

    def close(self) -> None:
        """Release the descriptors."""
        self._path = ""
        self._epoll.close()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _read(self) -> list[Event]:
        return [] if self._inotify is None else list(self._inotify.read(timeout=0))

    def _listen(self, is_to_listen: bool) -> None:
        if self._inotify is not None:
            self._epoll.modify(self._inotify.fileno(), select.EPOLLIN if is_to_listen else 0)

    def _aim(self) -> None:
        """Watch the file, or the nearest directory that is there; nothing is missed between the two."""
        for _ in range(ATTEMPTS):
            place, watch = self._nearest()
            if watch != self._watch and self._watch >= 0 and self._inotify is not None:
                with contextlib.suppress(OSError):  # it went with what it watched
                    self._inotify.rm_watch(self._watch)
            self._watch = watch
            if watch < 0 or place == self._path or not os.path.lexists(self._below(place)):
                return

    def _nearest(self) -> tuple[str, int]:
        """What is watched now, and the number of that watch; -1 if nothing can be."""
        place, mask = self._path, _OF_FILE
        while True:
            with contextlib.suppress(OSError):
                return place, self._opened().add_watch(place, mask)
            above = os.path.dirname(place)
            if above == place:
                return place, -1
            place, mask = above, _OF_DIRECTORY

    def _below(self, place: str) -> str:
        """The next step from a directory on the way to the file."""
        rest = self._path[len(place) :].lstrip("/")
        return os.path.join(place, rest.partition("/")[0])

    def _opened(self) -> INotify:
        """The descriptor of inotify.

        Raises:
            OSError: The user has as many as the kernel grants.
        """
        if self._inotify is None:
            self._inotify = open_inotify()
            self._epoll.register(self._inotify.fileno(), select.EPOLLIN)
        return self._inotify


def open_inotify() -> INotify:
    """A descriptor of inotify that waits for nothing; the library is imported with the first.

    Raises:
        OSError: The user has as many as the kernel grants.
    """
    import ctypes

    import inotify_simple

    # It would ask a program of the system where the C library is, and that is loaded already.
    inotify_simple._libc = ctypes.CDLL(None, use_errno=True)
    return inotify_simple.INotify(nonblocking=True)
