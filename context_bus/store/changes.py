"""What a provider tells its store: frozen values, one class for each kind. Pure; knows no database.

Another room adds kinds of its own: a subclass of `Change` here, and how it is written in the component
that the room contributes.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import StrEnum
from typing import ClassVar, Self

import msgspec


class Wish(StrEnum):
    """What somebody asked a service to be; kept so that the next provider wants the same."""

    UP = "up"
    DOWN = "down"
    NONE = "none"  # nobody has asked


class Change(msgspec.Struct, frozen=True):
    """One thing to record; the fields are the parameters of its statements."""

    #: Whether it may be given up, the oldest first, when the store takes nothing for long.
    is_expendable: ClassVar[bool] = False
    #: Whether what is recorded later must not be written before it.
    is_barrier: ClassVar[bool] = False

    @property
    def slot(self) -> Hashable | None:
        """On what it is the last word: a later change replaces a pending one with the same slot."""
        return None

    def replacing(self, older: Self) -> Self:
        """This change, with what only the one that it replaces had to say."""
        return self

    def values(self) -> dict[str, object]:
        """The parameters by name."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class RunBegan(Change, frozen=True):
    """A provider has begun its run.

    Args:
        run: Number of its run.
        pid: Process id.
        ticks: Start time in clock ticks since boot.
        boot_id: Which boot of the machine.
        at: When.
    """

    run: int
    pid: int
    ticks: int
    boot_id: str
    at: float


class RunEnded(Change, frozen=True):
    """A provider is about to end in order; one that is killed leaves its run without an end.

    Args:
        run: Number of its run.
        at: Seconds since the epoch, here and in every change.
        how: In a word.
    """

    run: int
    at: float
    how: str


class TransactionOpened(Change, frozen=True):
    """A transaction came into being; one that is known keeps its first record.

    Args:
        name: Its id.
        context_id: Context id of the command.
        context_name: ``service_name`` of the command.
        at: When.
    """

    name: str
    context_id: str
    context_name: str
    at: float


class Wanted(Change, frozen=True):
    """Somebody asked something of a service, or described it.

    Args:
        transaction: Its transaction.
        service_id: Its id.
        wanted: What it shall be.
        at: When.
        conf: Its JSON image; None leaves what is recorded.
    """

    transaction: str
    service_id: str
    wanted: Wish
    at: float
    conf: str | None = None

    @property
    def slot(self) -> Hashable | None:
        """One wish for each service."""
        return Wanted, self.transaction, self.service_id

    def replacing(self, older: Self) -> Self:
        """Keep the image if this one has none."""
        return msgspec.structs.replace(self, conf=older.conf) if self.conf is None else self


class StateChanged(Change, frozen=True):
    """A service is in another state.

    Args:
        transaction: Its transaction.
        service_id: Its id.
        state: The state.
        at: When.
        reason: Why, for people; may be empty.
        restarts: JSON of what its restart policy remembers; None leaves what is recorded.
    """

    transaction: str
    service_id: str
    state: str
    at: float
    reason: str = ""
    restarts: str | None = None

    @property
    def slot(self) -> Hashable | None:
        """One state for each service."""
        return StateChanged, self.transaction, self.service_id

    def replacing(self, older: Self) -> Self:
        """Keep the memory of the restart policy if this one has none."""
        return msgspec.structs.replace(self, restarts=older.restarts) if self.restarts is None else self


class Forgotten(Change, frozen=True):
    """A service is no longer part of its transaction; its processes and events stay as history.

    Args:
        transaction: Its transaction.
        service_id: Its id; empty for the transaction and all services of it.
    """

    transaction: str
    service_id: str = ""

    is_barrier: ClassVar[bool] = True


class ProcessBegan(Change, frozen=True):
    """A service has a process.

    Args:
        id: Name of the process, given by the caller, never used twice.
        transaction: Transaction of its service.
        service_id: Its service.
        incarnation: How many processes the service had before it.
        pid: Process id.
        ticks: Start time in clock ticks since boot; with ``boot_id`` it tells the process from any other.
        boot_id: Which boot of the machine.
        run: Number of the provider's run.
        at: When.
    """

    id: str
    transaction: str
    service_id: str
    incarnation: int
    pid: int
    ticks: int
    boot_id: str
    run: int
    at: float


class ProcessReady(Change, frozen=True):
    """A process can do its work.

    Args:
        id: Its name.
        at: When.
    """

    id: str
    at: float


class ProcessEnded(Change, frozen=True):
    """A process is no more.

    Args:
        id: Its name.
        at: When that was known.
        exit_code: None if a signal ended it or nobody knows.
        signal: 0 if none ended it.
        reason: Why, for people; may be empty.
    """

    id: str
    at: float
    exit_code: int | None = None
    signal: int = 0
    reason: str = ""


class EventHappened(Change, frozen=True):
    """Something happened that people or programs may ask for later.

    Args:
        sequence: Its number; later events have higher ones, gaps are lost events or the end of a run.
        at: When.
        kind: In a word.
        transaction: Whose; may be empty.
        service_id: Whose; may be empty.
        data: The rest, as JSON.
    """

    sequence: int
    at: float
    kind: str
    transaction: str = ""
    service_id: str = ""
    data: str = "{}"

    is_expendable: ClassVar[bool] = True
