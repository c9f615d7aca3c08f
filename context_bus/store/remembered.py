"""What a store tells: frozen rows. Pure; knows no database."""

from __future__ import annotations

import msgspec

from context_bus.store.changes import Wish

#: Event numbers that each run of a provider may use. The number of an event names its run, so that the
#: events that a killed provider told but did not record never share a number with later ones.
#: A thousand million, for people; nine million runs fit into what JSON numbers hold.
EVENTS_OF_RUN = 1_000_000_000


class TransactionRow(msgspec.Struct, frozen=True):
    """One transaction; fields as in `changes.TransactionOpened`."""

    name: str
    context_id: str
    context_name: str
    opened_at: float


class ServiceRow(msgspec.Struct, frozen=True):
    """One service.

    Args:
        transaction: Its transaction.
        service_id: Its id.
        wanted: What it was last asked to be.
        conf: Its JSON image; empty if it was never told.
        state: Its last state; empty if it never had one.
        restarts: JSON of what its restart policy remembers; may be empty.
        reason: Of the state; may be empty.
        updated_at: Seconds since the epoch, of the last change.
    """

    transaction: str
    service_id: str
    wanted: Wish
    conf: str
    state: str
    restarts: str
    reason: str
    updated_at: float


class ProcessRow(msgspec.Struct, frozen=True):
    """One process; fields as in `changes.ProcessBegan`, with its times in seconds since the epoch."""

    id: str
    transaction: str
    service_id: str
    incarnation: int
    pid: int
    ticks: int
    boot_id: str
    run: int
    spawned_at: float
    ready_at: float | None
    ended_at: float | None
    exit_code: int | None
    signal: int
    reason: str


class EventRow(msgspec.Struct, frozen=True):
    """One event; fields as in `changes.EventHappened`."""

    sequence: int
    at: float
    kind: str
    transaction: str
    service_id: str
    data: str


class Remembered(msgspec.Struct, frozen=True):
    """What a provider finds when it starts.

    Args:
        run: Number of the run that begins; 1 for the first.
        transactions: In the order in which they were opened.
        services: In the order in which they became known.
        processes: Those without a recorded end: they live, or ended with nobody to tell it.
        last_sequence: Highest number of a recorded event; 0 if there is none.
    """

    run: int = 1
    transactions: tuple[TransactionRow, ...] = ()
    services: tuple[ServiceRow, ...] = ()
    processes: tuple[ProcessRow, ...] = ()
    last_sequence: int = 0

    @property
    def next_sequence(self) -> int:
        """Number for the first event of this run."""
        return max(self.last_sequence, self.run * EVENTS_OF_RUN) + 1
