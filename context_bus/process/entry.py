"""Be a Python child: a process of multiprocessing that runs its freight. Knows multiprocessing only.

The guardian imports this with the first Python child, not before: it brings multiprocessing along.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import NoReturn

from context_bus.process.freight import unpack
from context_bus.process.wire import read_memory_file


class Offspring(BaseProcess):
    """What ``multiprocessing.current_process()`` is in a child of the guardian.

    Args:
        name: Its name.
        number: Tells it from its siblings.
        channel: Descriptor of its end of the channel.
        load: Descriptor of its freight.
        passed: Descriptors among its arguments.
    """

    #: Children of its own come from a forkserver unless it chooses otherwise: it may have threads.
    _start_method = "forkserver"

    def __init__(self, name: str, number: int, channel: int, load: int, passed: Sequence[int]) -> None:
        super().__init__(name=name)
        self._identity = (number,)
        self._parent_pid = os.getppid()
        self._channel, self._load, self._passed = channel, load, passed

    def run(self) -> None:
        """Run the target, and leave without waiting for threads that it forgot."""
        code = 1
        try:
            target, arguments = unpack(read_memory_file(self._load), self._passed)
            code = target(Connection(self._channel), *arguments)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        except BaseException:  # noqa: BLE001  # border of the process: shown, then told by the exit code
            sys.excepthook(*sys.exc_info())
        finally:
            _leave(code)


def enter(name: str, number: int, channel: int, load: int, passed: Sequence[int]) -> NoReturn:
    """Be a child from now on; `multiprocessing.parent_process` is the guardian."""
    child = Offspring(name, number, channel, load, passed)
    code = child._bootstrap(os.pidfd_open(os.getppid()))  # type: ignore[attr-defined]
    os._exit(code)


def _leave(code: int) -> NoReturn:
    """End this process at once: multiprocessing would join every thread that still runs."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue
    os._exit(code)
