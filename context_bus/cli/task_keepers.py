"""The ends of those who keep tasks, as descriptors to wait for. Knows rows; must not know who waits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from context_bus.watch.orphans import living_keepers

if TYPE_CHECKING:
    from context_bus.watch.values import Task


@contextlib.contextmanager
def ends_of_keepers(tasks: Iterable[Task]) -> Iterator[list[int]]:
    """Open a descriptor for each process that keeps one of the tasks, readable when that has ended.

    A task that loses all of them writes nothing any more: whoever looks next is to settle it.
    """
    handles: list[int] = []
    try:
        for keeper in (keeper for task in tasks for keeper in living_keepers(task)):
            with contextlib.suppress(OSError):  # ended just now; or there are no more descriptors
                handles.append(os.pidfd_open(keeper.pid))
        yield handles
    finally:
        for handle in handles:
            os.close(handle)
