"""What is recorded, in a file of its own, until the database has it. Knows files; must not know a database.

A line for each change, written at once: what stands there survives the end of this process at any
instruction, so nobody has to wait for a commit, and commits can be few. A provider that ends in order leaves
one line instead, which says that there is nothing to bring back; then the next one need not wait for the
database either.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from context_bus._version import VERSION
from context_bus.store.changes import Change, EventHappened

_log = logging.getLogger(__name__)

#: What is added to the name of the database.
SUFFIX = "-ahead"
#: Bytes from which on what the database has by now is taken out.
LARGE = 1024 * 1024


class Rest(msgspec.Struct, frozen=True):
    """What a provider that ended in order says of its database.

    Args:
        version: Version of the package; another one may have other tables.
        run: Number of its run.
        last_sequence: Highest number of an event.
    """

    version: str
    run: int
    last_sequence: int


class Ahead:
    """The file of one database. Whoever uses it takes care that one thread does at a time.

    Args:
        database: The database; the file stands beside it.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + SUFFIX)
        self._file = -1
        self._size = 0
        self._first: Change | None = None
        self._last_sequence = 0
        #: Whether everything recorded since the beginning stands in the file or in the database.
        self.is_whole = False

    # -- what an earlier provider left -------------------------------------------------------------

    def rest(self) -> Rest | None:
        """What a provider of this version said that ended in order; None if the last one did not."""
        lines = self._lines()
        if len(lines) != 1:
            return None
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            found = msgspec.json.decode(lines[0], type=Rest)
            return found if found.version == VERSION else None
        return None

    def has_changes(self) -> bool:
        """Whether there is anything that the database may not have."""
        return any(line.startswith(b"[") for line in self._lines())

    def earlier(self, kinds: Iterable[type[Change]]) -> list[Change]:
        """The changes in the file, in order.

        Args:
            kinds: All that there are; a change of another kind, or of another form, is left out.
        """
        known = {kind.__name__: kind for kind in kinds}
        lines = [line for line in self._lines() if line.startswith(b"[")]
        return [change for line in lines if (change := _read(line, known)) is not None]

    def _lines(self) -> list[bytes]:
        """All whole lines; who was killed while it wrote had told nobody of the last one."""
        try:
            return self._path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []

    # -- what this one records ---------------------------------------------------------------------

    def begin(self, first: Change, last_sequence: int, pending: Iterable[Change]) -> None:
        """Begin anew with a change that names the run; what stood in the file is in the database.

        Args:
            first: That change.
            last_sequence: Highest number of an event in the database.
            pending: What has been recorded meanwhile.
        """
        self._first, self._last_sequence = first, last_sequence
        self._rewrite(pending)

    def append(self, change: Change) -> None:
        """Write a change; one that cannot be written is left to the database, and all after it."""
        if isinstance(change, EventHappened):
            self._last_sequence = max(self._last_sequence, change.sequence)
        if not self.is_whole:
            return
        try:
            line = _line(change)
            if os.write(self._file, line) != len(line):
                raise OSError("no space left")
            self._size += len(line)
        except (OSError, TypeError, ValueError) as error:
            _log.debug("not written ahead: file=%s reason=%s", self._path, error)
            self.is_whole = False

    @property
    def is_large(self) -> bool:
        """Whether it is worth while to take out what the database has."""
        return self._size > LARGE

    def settle(self, pending: Iterable[Change]) -> None:
        """The database has all but these."""
        if self._first is not None:
            self._rewrite(pending)

    def end(self, run: int) -> None:
        """Leave word that the database has everything, and that there is nothing to bring back."""
        rest = Rest(VERSION, run, self._last_sequence)
        self._replace(msgspec.json.encode(rest) + b"\n")
        self.close()

    def close(self) -> None:
        """Write no more."""
        self.is_whole = False
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _rewrite(self, pending: Iterable[Change]) -> None:
        assert self._first is not None
        try:
            self._replace(b"".join(map(_line, [self._first, *pending])))
            self.is_whole = True
        except (OSError, TypeError, ValueError) as error:
            _log.debug("not written ahead: file=%s reason=%s", self._path, error)
            self.is_whole = False

    def _replace(self, text: bytes) -> None:
        """Have the file say this instead, all or nothing."""
        beside = self._path.with_name(self._path.name + "-new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.write(file, text) != len(text):
                raise OSError("no space left")
            os.replace(beside, self._path)
        except BaseException:
            os.close(file)
            raise
        self.close()
        self._file, self._size = file, len(text)


def _line(change: Change) -> bytes:
    return msgspec.json.encode([type(change).__name__, change]) + b"\n"


def _read(line: bytes, known: Mapping[str, type[Change]]) -> Change | None:
    try:
        name, fields = msgspec.json.decode(line)
        return msgspec.convert(fields, type=known[name])
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, ValueError, TypeError) as error:
        _log.error("not recorded: change=%r reason=%r", line, error)
        return None
