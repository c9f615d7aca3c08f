"""A queue that stays bounded and keeps what may not be lost."""

from __future__ import annotations

import threading
import time

from context_bus.store.backlog import Backlog
from context_bus.store.changes import Forgotten, ProcessReady, Wish
from tests.store.recording import began, event, state, wanted


def test_only_the_last_word_on_a_service_waits() -> None:
    """Wishes and states are replaced, processes are not, and the order of what remains is kept."""
    backlog = Backlog(10)
    for round_ in range(1000):
        backlog.add(wanted("s1", at=float(round_), conf="{}" if round_ == 3 else None))
        backlog.add(state("s1", f"state{round_}"))
        backlog.add(wanted("s2", Wish.DOWN, at=float(round_)))
    backlog.add(began("p1"))
    backlog.add(ProcessReady("p1", 4.0))
    batch = backlog.take()
    assert batch is not None
    assert batch.in_order() == [
        wanted("s1", at=999.0, conf="{}"),
        state("s1", "state999"),
        wanted("s2", Wish.DOWN, at=999.0),
        began("p1"),
        ProcessReady("p1", 4.0),
    ]


def test_nothing_moves_across_a_barrier() -> None:
    """A wish before forgetting is not replaced by one after it, and lends it nothing."""
    backlog = Backlog(10)
    changes = [wanted("s1", conf="{}"), Forgotten("T", "s1"), wanted("s1")]
    for change in changes:
        backlog.add(change)
    batch = backlog.take()
    assert batch is not None
    assert batch.in_order() == changes


def test_the_oldest_events_are_given_up_and_counted() -> None:
    """The newest stay, in order; the count is told once."""
    backlog = Backlog(5)
    for number in range(12):
        backlog.add(event(number))
        backlog.add(began(f"p{number}"))
    assert (backlog.dropped(), backlog.dropped()) == (7, 0)
    batch = backlog.take()
    assert batch is not None
    assert [change for change in batch.in_order() if change.is_expendable] == [event(n) for n in range(7, 12)]
    assert len(batch.changes) == 12


def test_what_could_not_be_written_goes_before_what_came_meanwhile() -> None:
    """Restored changes keep their order, are replaced by later words, and count toward the bound."""
    backlog = Backlog(3)
    for change in (wanted("s1", conf="{}"), began("p1"), event(1), event(2)):
        backlog.add(change)
    batch = backlog.take()
    for change in (ProcessReady("p1", 4.0), wanted("s1", Wish.DOWN), event(3), event(4)):
        backlog.add(change)
    assert batch is not None
    backlog.restore(batch)
    again = backlog.take()
    assert again is not None
    assert again.in_order() == [
        began("p1"),
        ProcessReady("p1", 4.0),
        wanted("s1", Wish.DOWN, conf="{}"),
        event(2),
        event(3),
        event(4),
    ]
    assert backlog.dropped() == 1


def test_callbacks_wait_for_what_was_recorded_before_them() -> None:
    """Each is due with the first commit that holds all before it, also when a batch was tried twice."""
    backlog, called = Backlog(10), list[str]()
    assert not backlog.when_durable(lambda: called.append("nothing pending"))
    backlog.add(wanted("s1"))
    assert backlog.when_durable(lambda: called.append("first"))
    first = backlog.take()
    backlog.add(wanted("s2"))
    assert backlog.when_durable(lambda: called.append("second"))
    assert first is not None
    backlog.restore(first)
    both = backlog.take()
    backlog.add(wanted("s3"))
    assert backlog.when_durable(lambda: called.append("third"))
    assert both is not None
    for callback in backlog.settle(both):
        callback()
    assert called == ["first", "second"]


def test_the_end_wakes_whoever_waits() -> None:
    """Taking ends when all is taken, pausing at once, and nothing that comes later is kept."""
    backlog, taken = Backlog(10), list[object]()
    taker = threading.Thread(target=lambda: taken.append(backlog.take()))
    pauser = threading.Thread(target=lambda: backlog.pause(1000.0, 0.0))
    for thread in (taker, pauser):
        thread.start()
    backlog.close(time.monotonic() - 1.0)
    for thread in (taker, pauser):
        thread.join(10.0)
        assert not thread.is_alive()
    assert taken == [None]
    assert not backlog.pause(1000.0, 1000.0)
    backlog.add(wanted("s1"))
    assert len(backlog) == 0
