"""Put this process into its surroundings. Knows what the kernel lets one set; must not know who asks.

Runs in a process just forked: what goes wrong is told in one line, since nobody sees a traceback there.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from context_bus.errors import ProcessError
from context_bus.process.account import Account, find_account

if TYPE_CHECKING:
    from context_bus.kernel.surroundings import Surroundings


def dress(what: Surroundings) -> None:
    """Apply surroundings to this process: first what may need the rights of the present user.

    The environment of another user names that user and its home, unless `what` says otherwise.

    Raises:
        ProcessError: Something cannot be set; says what, and why.
    """
    for name, bounds in what.limits.items():
        with _blaming(f"cannot set limit {name} to {bounds[0]}:{bounds[1]}"):
            resource.setrlimit(limit_number(name), bounds)
    if what.nice:
        with _blaming(f"cannot add {what.nice} to the niceness"):
            os.nice(what.nice)
    if what.cpus:
        with _blaming(f"cannot run on processors {', '.join(map(str, what.cpus))}"):
            os.sched_setaffinity(0, what.cpus)
    if what.user or what.group:
        _become(find_account(what.user, what.group), what)
    if what.umask is not None:
        os.umask(what.umask)
    if what.cwd:
        with _blaming(f"cannot enter {what.cwd}"):
            os.chdir(what.cwd)
    os.environ.update(what.env)


def limit_number(name: str) -> int:
    """The number of a limit by its name in lower case, e.g. ``nofile``.

    Raises:
        ProcessError: There is no such limit.
    """
    number = getattr(resource, f"RLIMIT_{name.upper()}", None)
    if not isinstance(number, int):
        raise ProcessError(f"there is no limit {name!r}; there are {', '.join(limit_names())}")
    return number


def limit_names() -> list[str]:
    """All limits there are."""
    return sorted(
        name.removeprefix("RLIMIT_").lower() for name in dir(resource) if name.startswith("RLIMIT_")
    )


def _become(account: Account, what: Surroundings) -> None:
    names = [f"{kind} {name}" for kind, name in (("user", what.user), ("group", what.group)) if name]
    with _blaming(f"cannot become {' '.join(names)}"):
        account.become()
    if what.user:
        os.environ.update(account.variables())


@contextmanager
def _blaming(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ProcessError(f"{what}: {reason}") from error
