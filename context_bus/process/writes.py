"""Learn that any of several files was written, came or went, by one descriptor for all of them.

Knows inotify; must not know what files mean. `changes.FileChanges` follows one path exactly, wherever it
leads; whoever looks at dozens takes this: the kernel grants a user some hundred descriptors of the kind.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from context_bus.kernel.closing import Closing
from context_bus.process.changes import open_inotify

if TYPE_CHECKING:
    from inotify_simple import INotify

#: Bits of inotify(7): written, touched, moved away or here, made, deleted; of a directory only.
_MASK = 0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x1000000
#: The watch itself, or some events, are gone.
_GONE, _LOST = 0x8000, 0x8000 | 0x4000


class Writes(Closing):
    """Tells whether any of the files has changed; their directories are watched, so files may come later.

    Where the kernel grants nothing, or a directory is not there, this is blind for it: see `is_blind`.
    """

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}
        self._watches: dict[int, str] = {}
        self._inotify: INotify | None = None
        with contextlib.suppress(OSError):
            self._inotify = open_inotify()

    @property
    def is_blind(self) -> bool:
        """Whether files can change without being told of: then it is to be looked from time to time."""
        return len(self._watches) < len(self._names)

    def fileno(self) -> int:
        """For a poll; readable when there is something to `take`. -1 where there never is."""
        return -1 if self._inotify is None else int(self._inotify.fileno())

    def watch(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        """Say which files are meant from now on; what was meant before is not any more."""
        self._names = {}
        for path in paths:
            directory, name = os.path.split(os.path.abspath(path))
            self._names.setdefault(directory, set()).add(name)
        if self._inotify is None:
            return
        for number in [number for number, place in self._watches.items() if place not in self._names]:
            del self._watches[number]
            with contextlib.suppress(OSError):  # it went with what it watched
                self._inotify.rm_watch(number)
        for directory in self._names.keys() - self._watches.values():
            with contextlib.suppress(OSError):
                self._watches[self._inotify.add_watch(directory, _MASK)] = directory

    def take(self) -> bool:
        """Learn whether any of the files may have changed since the last time."""
        has_changed = False
        for event in self._inotify.read(timeout=0) if self._inotify is not None else ():
            if event.mask & _LOST:
                has_changed = True
                if event.mask & _GONE:
                    self._watches.pop(event.wd, None)
            place = self._watches.get(event.wd, "")
            has_changed |= event.name in self._names.get(place, ())
        return has_changed

    def close(self) -> None:
        """Release the descriptor."""
        self._watches.clear()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
