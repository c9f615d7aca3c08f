"""Fork one child of the guardian, and be it until its own code runs. Knows the kernel; not who asks.

The guardian has one thread and little memory, so that a fork is cheap and safe.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from context_bus.errors import ProcessError
from context_bus.process.dressing import dress
from context_bus.process.lifetime import die_with_parent
from context_bus.process.mark import MARK, mark_of
from context_bus.process.messages import Start
from context_bus.process.tree import identify

#: Exit code of a child that never came to run its own code; nobody but the guardian sees it.
STILLBORN = 127


@dataclass(frozen=True, slots=True)
class Birth:
    """What one child is made of.

    Args:
        order: What to start.
        number: By which owner and guardian name the child.
        given: Descriptors that came with the order, by what they are.
        passed: Descriptors among the arguments of a Python child.
        status: Where to write why the child does not run; closes by itself when it does. -1: nowhere.
    """

    order: Start
    number: int
    given: dict[str, int]
    passed: tuple[int, ...]
    status: int = -1


def bear(birth: Birth) -> int:
    """Fork a child; returns its pid.

    Raises:
        OSError: No process can be made.
    """
    guardian = os.getpid()
    # A signal sent as soon as the pid is known must find the child's handlers, not the guardian's.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _live(birth, guardian)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _live(birth: Birth, guardian: int) -> NoReturn:
    """Be the child; never returns, whatever happens."""
    try:
        os.setsid()
        _reset_signals(is_program=bool(birth.order.argv))
        _keep_only(_place_standard(birth.given), [*birth.passed, birth.status])
        if birth.order.surroundings is not None:
            dress(birth.order.surroundings)
        die_with_parent(guardian)  # after any change of user, which makes the kernel forget it
        pid = os.getpid()
        identity = identify(pid)
        assert identity is not None
        os.environ[MARK] = mark_of(identity)
        if birth.order.argv:
            _execute(birth.order.argv)
        _enter(birth)
    except BaseException as error:  # noqa: BLE001  # border of the process
        _report(birth.status, error)
    finally:
        os._exit(STILLBORN)


def _reset_signals(*, is_program: bool) -> None:
    """Forget the guardian's handlers; a program also gets back what Python itself ignores (SIGPIPE)."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if callable(handler) or (is_program and handler is signal.SIG_IGN):
            signal.signal(number, signal.SIG_DFL)
    if not is_program:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _place_standard(given: dict[str, int]) -> list[int]:
    """Put the standard streams in their places; returns what else was given."""
    for place, name in enumerate(("stdin", "stdout", "stderr")):
        if name in given:
            os.dup2(given[name], place)
    if "stdout" in given and isinstance(sys.stdout, io.TextIOWrapper):
        # What a service prints is to be in its log when it is killed.
        sys.stdout.reconfigure(line_buffering=True)
    return [given[name] for name in ("channel", "load") if name in given]


def _keep_only(*kept: Iterable[int]) -> None:
    """Close every descriptor but the standard streams and these."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    lowest = 3
    for descriptor in sorted({one for some in kept for one in some if one > 2}):
        os.closerange(lowest, descriptor)
        lowest = descriptor + 1
    os.closerange(lowest, highest + 1)


def _execute(argv: tuple[str, ...]) -> NoReturn:
    try:
        os.execvpe(argv[0], argv, os.environ)
    except OSError as error:
        raise ProcessError(f"cannot execute {argv[0]}: {error.strerror}") from error
    except ValueError as error:
        raise ProcessError(f"cannot execute {argv[0]!r}: {error}") from error


def _enter(birth: Birth) -> NoReturn:
    from context_bus.process.entry import enter  # brings multiprocessing, which programs need not wait for

    if birth.status >= 0:
        os.close(birth.status)
    given = birth.given
    enter(birth.order.name, birth.number, given["channel"], given["load"], birth.passed)


def _report(status: int, error: BaseException) -> None:
    """Say why the child does not run: to the guardian if it listens, else as any program does."""
    if status < 0:
        sys.excepthook(type(error), error, error.__traceback__)
        sys.stderr.flush()
        return
    text = str(error) if isinstance(error, ProcessError) else f"{type(error).__name__}: {error}"
    os.write(status, text.encode(errors="surrogateescape")[:4000])
