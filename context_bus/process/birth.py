"""Fork one child, and be it until its own code runs. Knows the kernel; not who asks.

Who forks, a guardian or a launcher, has one thread and little memory, so that a fork is cheap and safe.
"""

from __future__ import annotations

import functools
import io
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol

from context_bus.errors import ProcessError
from context_bus.process.dressing import dress
from context_bus.process.lifetime import die_with_parent
from context_bus.process.mark import MARK
from context_bus.process.program import places_of

if TYPE_CHECKING:
    from context_bus.kernel.surroundings import Surroundings

#: Exit code of a child that never came to run its own code; nobody but its parent sees it.
STILLBORN = 127
#: Signals that the guardian handles or ignores and a child must not lose.
_HANDLED = frozenset({signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
#: Signals that Python ignores in every process, and no program expects to find ignored.
_IGNORED_BY_PYTHON = frozenset({signal.SIGPIPE, signal.SIGXFSZ})


class Wanted(Protocol):
    """What is to be started; the message ``Start`` is one."""

    @property
    def name(self) -> str:
        """For messages and logs."""

    @property
    def argv(self) -> tuple[str, ...]:
        """Program and arguments; empty for a Python child."""

    @property
    def surroundings(self) -> Surroundings | None:
        """What it runs in; None is what its parent runs in."""


class Ties(NamedTuple):
    """What a child has in common with its parent; the defaults are those of a guardian's child.

    Args:
        variable: Environment variable that holds the mark.
        leads: Whether the child leads a session of its own; else Ctrl-C and Ctrl-Z reach it as its parent.
        dies_along: Whether the kernel kills the child when its parent ends.
        mask: Signals that are blocked in a program that inherits as from a shell: open descriptors, and what
            is ignored. None: it inherits nothing.
    """

    variable: str = MARK
    leads: bool = True
    dies_along: bool = True
    mask: frozenset[int] | None = None


#: How a guardian's child hangs on it.
_OF_GUARDIAN = Ties()


class Birth(NamedTuple):
    """What one child is made of.

    Args:
        order: What to start.
        number: By which owner and guardian name the child.
        mark: By which its offspring is known.
        given: Descriptors that came with the order, by what they are.
        passed: Descriptors among the arguments of a Python child.
        status: Where to write why the child does not run; closes by itself when it does. -1: nowhere.
        ties: What it has in common with its parent.
    """

    order: Wanted
    number: int
    mark: str
    given: dict[str, int]
    passed: tuple[int, ...]
    status: int = -1
    ties: Ties = _OF_GUARDIAN


def bear(birth: Birth) -> int:
    """Fork a child; returns its pid.

    Raises:
        OSError: No process can be made.
    """
    # Whatever can be is found out before the fork: each page that the child touches has to be copied.
    plan = _plan(birth)
    # A signal sent as soon as the pid is known must find the child's handlers, not the guardian's.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        pid = os.fork()
        if pid == 0:
            _live(birth, plan)
    finally:
        if birth.ties.mask is None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        else:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


class _Plan(NamedTuple):
    """What the child would otherwise have to find out.

    Args:
        parent: Pid of its parent.
        defaults: Signals whose handling is to be the default again.
        gaps: Ranges of descriptors to close, without the last.
        paths: Where the program may be.
    """

    parent: int
    defaults: tuple[int, ...]
    gaps: tuple[tuple[int, int], ...]
    paths: tuple[bytes, ...]


def _plan(birth: Birth) -> _Plan:
    argv = birth.order.argv
    kept = [birth.given[name] for name in ("channel", "load") if name in birth.given]
    paths = tuple(os.fsencode(one) for one in places_of(argv[0], birth.order.surroundings)) if argv else ()
    # Each attempt costs the child more than a look; if there is none, it tells why.
    paths = tuple(one for one in paths if os.path.isabs(one) and os.path.exists(one)) or paths
    if birth.ties.mask is not None:
        return _Plan(os.getpid(), _defaults_of_python(), (), paths)
    gaps = tuple(_gaps([*kept, *birth.passed, birth.status]))
    return _Plan(os.getpid(), _defaults(is_program=bool(argv)), gaps, paths)


@functools.cache
def _defaults(*, is_program: bool) -> tuple[int, ...]:
    """Signals that the guardian handles; for a program also those that Python itself ignores (SIGPIPE)."""
    handlers = {int(number): signal.getsignal(number) for number in signal.valid_signals()}
    return tuple(
        number
        for number, handler in handlers.items()
        if callable(handler) or (is_program and handler is signal.SIG_IGN)
    )


def _defaults_of_python() -> tuple[int, ...]:
    """Signals whose handling is Python's doing; what else is ignored was ignored by who started us."""
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    return tuple(
        number for number, handler in handlers.items() if callable(handler) or number in _IGNORED_BY_PYTHON
    )


def _gaps(kept: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ranges of descriptors between the standard streams and those to keep, and behind the last."""
    lowest, highest = 3, max(int(name) for name in os.listdir("/proc/self/fd"))
    for descriptor in sorted({one for one in kept if one > 2}):
        yield lowest, descriptor
        lowest = descriptor + 1
    yield lowest, highest + 1


def _live(birth: Birth, plan: _Plan) -> NoReturn:
    """Be the child; never returns, whatever happens."""
    try:
        ties = birth.ties
        if ties.leads:
            os.setsid()
        _reset_signals(birth, plan)
        _place_streams(birth.given)
        for lowest, highest in plan.gaps:
            os.closerange(lowest, highest)
        if birth.order.surroundings is not None:
            dress(birth.order.surroundings)
        if ties.dies_along:
            die_with_parent(plan.parent)  # after any change of user, which makes the kernel forget it
        os.environ[ties.variable] = birth.mark
        if birth.order.argv:
            _execute(birth.order.argv, plan.paths)
        _enter(birth)
    except BaseException as error:  # noqa: BLE001  # border of the process
        _report(birth.status, error)
    finally:
        os._exit(STILLBORN)


def _reset_signals(birth: Birth, plan: _Plan) -> None:
    signal.set_wakeup_fd(-1)
    for number in plan.defaults:
        signal.signal(number, signal.SIG_DFL)
    if not birth.order.argv:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if birth.ties.mask is None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    else:
        signal.pthread_sigmask(signal.SIG_SETMASK, birth.ties.mask)


def _place_streams(given: dict[str, int]) -> None:
    """Put the standard streams in their places."""
    for place, name in enumerate(("stdin", "stdout", "stderr")):
        if name in given:
            os.dup2(given[name], place)
    if "stdout" in given and isinstance(sys.stdout, io.TextIOWrapper):
        # What a service prints is to be in its log when it is killed.
        sys.stdout.reconfigure(line_buffering=True)


def _execute(argv: tuple[str, ...], paths: Sequence[bytes]) -> NoReturn:
    """Execute the first of these that is there, as execvp(3) does."""
    verdict: OSError | None = None
    for path in paths:
        try:
            os.execve(path, argv, os.environ)
        except (FileNotFoundError, NotADirectoryError) as error:
            verdict = verdict or error
        except PermissionError as error:
            verdict = error  # one that may not be executed is worth more than one that is not there
        except OSError as error:
            verdict = error
            break
        except ValueError as error:
            raise ProcessError(f"cannot execute {argv[0]!r}: {error}") from error
    reason = verdict.strerror if verdict is not None else "nothing is in PATH"
    raise ProcessError(f"cannot execute {argv[0]}: {reason}") from verdict


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
