"""Start a function or a program in a process of its own. Knows guardians; must not know services.

All processes are forked from one guardian, which has imported what Python children need. Each leads its
own session, dies with the guardian, and is reaped by it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from context_bus.errors import ProcessError
from context_bus.kernel.surroundings import Surroundings
from context_bus.process.asked import GuardianGone, Wish
from context_bus.process.child import Child
from context_bus.process.freight import Target, pack
from context_bus.process.owner import Guardian

#: How often a child is started anew because its guardian was killed meanwhile.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """What an owner left behind.

    Args:
        guardian: Pid of the guardian that kept it.
        children: Those that run, and those that have ended since, in the order of their start.
    """

    guardian: int
    children: tuple[Child, ...]


class _Owned:
    """The guardian of this process, and how to make the next one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.guardian: Guardian | None = None
        self.preload: tuple[str, ...] = ()
        self.keep = ""

    def living(self) -> Guardian:
        """The guardian; a new one if there is none. The lock is held."""
        if self.guardian is None or self.guardian.is_gone:
            self.guardian = Guardian.launch(self.keep)
            self._preload(self.guardian, self.preload)
        return self.guardian

    def warm_up(self, preload: tuple[str, ...], keep: str) -> None:
        """Have a guardian with these modules too. The lock is held."""
        missing = tuple(one for one in preload if one not in self.preload)
        self.preload += missing
        if self.guardian is None or self.guardian.is_gone:
            self.keep = keep
            self.living()
            return
        if keep and keep != self.keep:
            found = f"keeps processes at {self.keep}" if self.keep else "keeps nothing for others"
            raise ProcessError(f"the guardian of this process {found}, not at {keep}; shut it down first")
        self._preload(self.guardian, missing)

    @staticmethod
    def _preload(guardian: Guardian, modules: tuple[str, ...]) -> None:
        if modules:
            with contextlib.suppress(GuardianGone):  # the next one will have them
                guardian.preload(modules)


_owned = _Owned()


def _forget() -> None:
    """Own nothing in a process that was forked from the owner: there is one owner only."""
    global _owned
    if _owned.guardian is not None:
        _owned.guardian.abandon()
    _owned = _Owned()  # its lock may have been held at the fork


os.register_at_fork(after_in_child=_forget)


def warm_up(preload: Sequence[str] = (), keep: str | None = None) -> None:
    """Start the guardian, if it is not running, without waiting for it.

    Args:
        preload: Modules that all Python children need; they are imported once, in the guardian, when it
            is idle or the first Python child is asked for.
        keep: Path at which the next owner finds the guardian when this one is gone, in a directory that
            exists; None: all ends with this process.

    Raises:
        ProcessError: No process can be made, or a guardian is at the path already (`adopt` it), or this
            process has one that keeps elsewhere.
    """
    with _owned.lock:
        _owned.warm_up(tuple(preload), os.path.abspath(keep) if keep else "")


def adopt(path: str) -> Kept | None:
    """Become the owner of what the last owner has left in the care of a guardian.

    Its children, running or ended meanwhile, are from now on as if this process had started them; so are
    those that the guardian will start. What its Python children import is what it has imported already.

    Args:
        path: Where it is, as it was given to `warm_up`.

    Returns:
        None when no guardian is there.

    Raises:
        ProcessError: The last owner lives, the guardian is of another version or does not answer, or this
            process has a guardian already.
    """
    path = os.path.abspath(path)
    with _owned.lock:
        if _owned.guardian is not None and not _owned.guardian.is_gone:
            if not os.path.exists(path):
                return None
            raise ProcessError(f"this process has a guardian already, {_owned.guardian.pid}; adopt first")
        adopted = Guardian.adopt(path)
        if adopted is None:
            return None
        _owned.guardian, children = adopted
        _owned.keep = path
        return Kept(_owned.guardian.pid, children)


def begin(wish: Wish) -> Future[Child]:
    """Order a child without waiting for it: many that are ordered together are made together.

    Args:
        wish: What to start. Its descriptors must stay open until the future is done.

    Returns:
        Done when the child has a pid and, if it is a program, has been executed; fails with ProcessError
        if it cannot be started.
    """
    outcome: Future[Child] = Future()
    outcome.set_running_or_notify_cancel()  # whoever waits may give up, the child comes all the same
    _attempt(wish, outcome, _ATTEMPTS)
    return outcome


def spawn(
    name: str,
    target: Target,
    *args: object,
    surroundings: Surroundings | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    held: Mapping[str, int] | None = None,
    note: str = "",
    is_bequeathed: bool = True,
) -> Child:
    """Start a Python child; returns as soon as it has a pid.

    Args:
        name: For messages and logs.
        target: A function of a module (not of the main program): called in the child with its end of
            the channel and the arguments; its result is the exit code.
        *args: What the function takes; must pickle.
        surroundings: What it runs in; None is what this process runs in.
        stdout: Descriptor of its standard output; None is that of this process.
        stderr: The same of its standard error.
        held: Descriptors that the guardian holds for the child, by name; see `Child.take`.
        note: Text that whoever adopts the child finds on it.
        is_bequeathed: Whether who adopts the child gets our end of its channel; if not, the child sees the
            channel end with us, although the guardian keeps it.

    Raises:
        ProcessError: There is no guardian, or no process can be made, or not in these surroundings.
    """
    streams = _streams(stdout=stdout, stderr=stderr)
    wish = Wish(name, (), pack(target, args), surroundings, streams, held or {}, note, is_bequeathed)
    return begin(wish).result()


def spawn_program(
    name: str,
    argv: Sequence[str],
    *,
    surroundings: Surroundings | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    held: Mapping[str, int] | None = None,
    note: str = "",
) -> Child:
    """Start a program; returns when it has been executed. Its channel is closed from the beginning.

    Args:
        name: For messages and logs.
        argv: Program and arguments. A program without a slash is looked for in the ``PATH`` it will have,
            one with a relative path in the directory it will be in.
        surroundings: What it runs in; None is what this process runs in.
        stdin: Descriptor of its standard input; None is ``/dev/null``.
        stdout: Descriptor of its standard output; None is that of this process.
        stderr: The same of its standard error.
        held: Descriptors that the guardian holds for the child, by name; see `Child.take`.
        note: Text that whoever adopts the child finds on it.

    Raises:
        ProcessError: It cannot be executed, or not in these surroundings: says what is wrong.
    """
    if not argv or not argv[0]:
        raise ProcessError(f"cannot start {name}: no program is named")
    streams = _streams(stdin=stdin, stdout=stdout, stderr=stderr)
    return begin(Wish(name, tuple(argv), None, surroundings, streams, held or {}, note)).result()


def kill_all() -> None:
    """Kill all children, and all they started; returns when all is gone. The guardian stays."""
    with _owned.lock:
        guardian = _owned.guardian
    if guardian is not None:
        with contextlib.suppress(GuardianGone):
            guardian.kill_all()


def shut_down() -> None:
    """End the guardian and with it all children, and all they started; returns when all is gone."""
    with _owned.lock:
        guardian, _owned.guardian = _owned.guardian, None
        _owned.preload, _owned.keep = (), ""
    if guardian is not None:
        guardian.shut_down()


def guardian() -> Guardian | None:
    """The guardian of this process, if it has one; for who counts processes and descriptors."""
    return _owned.guardian


def _attempt(wish: Wish, outcome: Future[Child], attempts: int) -> None:
    """Order a child of the guardian there is; if that is killed just now, of the next one."""
    try:
        with _owned.lock:
            guardian = _owned.living()
        asked = guardian.begin(wish)
    except GuardianGone as error:
        guardian.thread.join()  # then it is known to be gone
        _fail(wish, outcome, attempts, error)
    except ProcessError as error:
        outcome.set_exception(error)
    else:
        asked.add_done_callback(functools.partial(_settle, wish, outcome, attempts))


def _settle(wish: Wish, outcome: Future[Child], attempts: int, asked: Future[Child]) -> None:
    """Tell what has become of a wish; in the thread that heard of it."""
    error = asked.exception()
    if error is None:
        outcome.set_result(asked.result())
    else:
        _fail(wish, outcome, attempts, error)


def _fail(wish: Wish, outcome: Future[Child], attempts: int, error: BaseException) -> None:
    if isinstance(error, GuardianGone):
        if attempts > 1:
            _attempt(wish, outcome, attempts - 1)
            return
        error = ProcessError(f"cannot start {wish.name}: {error}, and so did those before it")
    outcome.set_exception(error)


def _streams(**streams: int | None) -> dict[str, int]:
    return {name: one for name, one in streams.items() if one is not None}
