"""A database in one file, by the standard library alone. Knows SQLite; must not know what is kept in it.

For commands that live for milliseconds: SQLAlchemy would cost them ten times what they do. Writers queue,
each in a transaction of its own from its first statement on; readers see one moment and hinder nobody.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from context_bus.errors import ForeignDatabase, InternalError, StoreError, StoreUnavailable
from context_bus.kernel.closing import Closing

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds to wait for another writer; one that takes longer has stopped or is no program of ours.
PATIENCE = 10.0
#: What SQLite says when another has the file, in any of its ways.
_TAKEN = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
#: What it says of the world around the file; anything else is a bug of ours.
_TROUBLE = {
    sqlite3.SQLITE_FULL: "cannot be written, since no space is left; nothing was changed, make room first",
    sqlite3.SQLITE_READONLY: "cannot be written; see who may write the file and its directory",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; see who may read and write the file and its directory",
    sqlite3.SQLITE_PERM: "cannot be opened; see who may read and write it",
    sqlite3.SQLITE_CORRUPT: "is damaged; get what is left by `sqlite3 FILE .recover`, or use another file",
    sqlite3.SQLITE_NOLFS: "is too large for its file system; use another file",
}


class Embedded(Closing):
    """One file, opened at the first transaction and for one thread.

    A process that forks closes it before: SQLite does not survive being cloned. What is closed opens again
    at its next transaction.

    Args:
        path: The file; it must be there.
        patience: Seconds to wait for other writers.

    Raises:
        StoreUnavailable: There is no such file.
    """

    #: Seconds since the file itself was written for which a log stays beside it.
    keeps_log = 60.0

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self.path = path
        self.patience = patience
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self._is_writing = False
        self._has_log = False
        require_file(path)

    def close(self) -> None:
        """Release the file; may be called again.

        The last one to leave brings home what is in the log beside the file, and waits for the disk, longer
        than most commands take: not more often than once a minute.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        stayer = self._stayer()
        connection.close()
        if stayer is not None:
            stayer.close()

    def _stayer(self) -> sqlite3.Connection | None:
        """Somebody who leaves even later, and may only read, if the log is to stay; None if it is to go."""
        try:
            age = time.time() - os.stat(self.path).st_mtime
            if not 0 <= age < self.keeps_log or not os.path.getsize(f"{self.path}-wal"):
                return None
            stayer = _connect(self.path, 0.0, "mode=ro")
        except (OSError, sqlite3.Error):
            return None
        with contextlib.suppress(sqlite3.Error):
            stayer.execute("SELECT 1 FROM sqlite_master").fetchone()
        return stayer

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Change something: all of it or, if anything is raised, nothing. Within another, joins that.

        Raises:
            StoreError: It cannot be written; says why, and nothing was changed.
        """
        if self._connection is not None and self._connection.in_transaction:
            if not self._is_writing:
                raise InternalError("a transaction that reads cannot turn into one that writes")
            yield self._connection
            return
        with told(self.path, self.patience):
            require_file(self.path)
            # Asked before SQLite finds out: it would have put files beside it that are not its owner's.
            if not os.access(self.path, os.W_OK):
                raise StoreUnavailable(f"{self.path} {_TROUBLE[sqlite3.SQLITE_READONLY]}")
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            self._is_writing = True
            try:
                self.prepare(connection, for_writing=True)
                yield connection
                connection.execute("COMMIT")
            finally:
                self._is_writing = False
                _roll_back(connection)
            if not self._has_log:  # not before `prepare` has found that the file is ours to change
                use_log(connection)
                self._has_log = True

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Look at one moment of the database, as often as wanted. Within another transaction, joins that.

        Raises:
            StoreError: It cannot be read; says why.
        """
        if self._connection is not None and self._connection.in_transaction:
            yield self._connection
            return
        with told(self.path, self.patience):
            require_file(self.path)
            is_frozen = self._connection is None and _is_frozen(self.path)
            connection = _connect(self.path, self.patience, "immutable=1") if is_frozen else self._open()
            try:
                connection.execute("BEGIN")
                self.prepare(connection, for_writing=False)
                yield connection
            finally:
                _roll_back(connection)
                if is_frozen:
                    connection.close()

    def prepare(self, connection: sqlite3.Connection, *, for_writing: bool) -> None:
        """Look at what is there, at the beginning of each transaction; for classes that know more."""

    def _open(self) -> sqlite3.Connection:
        inode = require_file(self.path)
        # Where somebody has put another file in its place, nobody would find what is written to the first.
        if inode != self._inode:
            self.close()
        if self._connection is None:
            self._connection = _connect(self.path, self.patience, "mode=rw")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._inode, self._has_log = inode, False
        return self._connection


def make(path: Path, *, patience: float = PATIENCE) -> None:
    """Have a file that many can use at once; one that is there keeps what it holds.

    Raises:
        StoreError: It cannot be made, or is no database.
    """
    with told(path, patience):
        _require_regular(path)
        with contextlib.closing(_connect(path, patience, "mode=rwc")) as connection:
            use_log(connection)


def use_log(connection: sqlite3.Connection) -> None:
    """Let readers and writers go on at the same time, for good, by a log beside the file.

    While others are at it, or on a file system that knows no shared memory, all goes on as it was.
    """
    if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        return
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout=0")
    try:
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _TAKEN:
            raise
    finally:
        connection.execute(f"PRAGMA busy_timeout={patience}")


def require_file(path: Path) -> tuple[int, int]:
    """Make sure that there is something to open.

    Returns:
        What tells the file from another one at the same path: its device and inode.

    Raises:
        StoreUnavailable: There is nothing, or no regular file.
        ForeignDatabase: SQLite would take it for empty, and it is not.
    """
    try:
        _require_regular(path)
        found = os.stat(path)
    except FileNotFoundError:
        raise StoreUnavailable(f"db file {path} does not exist; initialize it first") from None
    except OSError as error:
        raise StoreUnavailable(f"db file {path} cannot be opened: {error.strerror}") from error
    if found.st_size == 1:
        raise _no_database(path)
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def told(path: Path, patience: float) -> Iterator[None]:
    """Turn what SQLite says of the file into one line for people.

    Raises:
        StoreError: The line.
    """
    try:
        yield
    except sqlite3.Error as error:
        if (said := _words(path, patience, error)) is None:
            raise
        raise said from error


def _words(path: Path, patience: float, error: sqlite3.Error) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _TAKEN:
        return StoreUnavailable(
            f"{path} has been locked by another process for {patience:g} s; "
            f"see which by `fuser {path}`, or try again"
        )
    if code == sqlite3.SQLITE_NOTADB:
        return _no_database(path)
    if code == sqlite3.SQLITE_IOERR:
        what = f"cannot be read or written ({error}, {error.sqlite_errorname}); nothing was changed"
        return StoreUnavailable(f"{path} {what}, see whether the disk is full or broken")
    if code in _TROUBLE:
        return StoreUnavailable(f"{path} {_TROUBLE[code]}")
    return None


def _no_database(path: Path) -> ForeignDatabase:
    return ForeignDatabase(f"{path} is not an SQLite database; it is left alone, use another file")


def _require_regular(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise StoreUnavailable(f"db file {path} is not a regular file; name a file")


def _connect(path: Path, patience: float, how: str) -> sqlite3.Connection:
    # The form with an empty host: a path may begin with two slashes.
    name = os.path.abspath(path)
    for special in "%?#":
        name = name.replace(special, f"%{ord(special):02x}")
    return sqlite3.connect(f"file://{name}?{how}", uri=True, isolation_level=None, timeout=patience)


def _is_frozen(path: Path) -> bool:
    """Whether the file can only be looked at, and holds everything.

    SQLite wants to put two files beside one with a log, even to read it; unless it knows that nobody writes.
    """
    name = os.fspath(path)
    if os.access(name, os.W_OK) and os.access(os.path.dirname(name) or ".", os.W_OK):
        return False
    return not os.path.exists(f"{name}-wal")


def _roll_back(connection: sqlite3.Connection) -> None:
    # A commit that failed may have done so itself already.
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
