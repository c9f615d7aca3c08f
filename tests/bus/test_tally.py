"""A node's counters, looked at: what is new, what is told again, and what is left out."""

from __future__ import annotations

from context_bus.bus.counters import Counters
from context_bus.bus.latency import Latencies
from context_bus.bus.report import ALIVE_EVERY, INBOXES
from context_bus.bus.tally import ROWS, SentCounters, Tally
from context_bus.kernel.message import Header
from context_bus.testing.bus import LocalBus


class Listening:
    """One socket of a node, with counters of one topic."""

    def __init__(self, *, conflate: bool = False) -> None:
        self.conflate, self.rejected = conflate, 0
        self.counters = {"t": Counters("t", silent=True)}
        self.latencies: Latencies | None = None
        self.channels = [self]


def new_tally(sent: SentCounters) -> Tally:
    """The tally of a service."""
    return Tally("me", Header(service_id="ts_1", service_transaction="T1"), sent)


def test_only_what_has_changed_is_told_and_once_more_when_it_has_not() -> None:
    """So that its rate falls to 0; then there is silence, but for a sign of life."""
    sent = SentCounters()
    tally = new_tally(sent)
    sent.of("t", numbered=True)[:] = [5, 500, 0]
    (first,) = tally.look(100.0, 0.0, lambda topic: True, whole=True)
    assert (first.sender, first.service_id, first.transaction, first.span) == ("me", "ts_1", "T1", 0.0)
    assert (first.sent[0].messages, first.sent[0].new_messages) == (5, 5)
    sent.of("t", numbered=True)[:] = [8, 800, 0]
    (second,) = tally.look(101.0, 0.0, lambda topic: False)
    assert (second.span, second.sent[0].new_messages, second.sent[0].new_bytes) == (1.0, 3, 300)
    assert not second.sent[0].is_heard
    (third,) = tally.look(102.0, 0.0, lambda topic: True)
    assert third.sent[0].new_messages == 0
    assert tally.look(103.0, 0.0, lambda topic: True) == []
    (alive,) = tally.look(102.0 + ALIVE_EVERY, 0.0, lambda topic: True)
    assert alive.sent == alive.received == ()


def test_frames_of_a_batch_are_fewer_than_its_messages() -> None:
    """What the forwarder counts is frames; inboxes are one topic; each message is counted once."""
    with LocalBus() as local:
        publisher = local.publisher()
        publisher.publish_many("t", range(250))
        publisher.publish("t", 1)
        publisher.send("t", b"{}")
        publisher.send("reply.1", b"{}")
        publisher.send("reply.2", b"{}")
        totals = publisher._sent.totals()
    messages, _, unnumbered, frames = totals["t"]
    assert (messages, unnumbered, frames) == (252, 1, 5)
    assert totals[INBOXES] == (2, 2 * len(b"reply.1 @@@ {}"), 2, 2)
    assert publisher.sent == 254


def test_what_a_closed_part_of_a_node_has_received_stays() -> None:
    """Its counters are added to those of the parts that are there still; the highest number counts."""
    tally, first, second = new_tally(SentCounters()), Listening(), Listening(conflate=True)
    tally.begin()
    for part in (first, second):
        tally.add(part)
        assert part.latencies is not None
    for number in (1, 2, 5):
        first.counters["t"].note("a", number)
    for number in (4, 9):
        second.counters["t"].note("a", number)
    tally.remove(first)
    assert first.latencies is None
    (report,) = tally.look(1.0, 0.0, lambda topic: True)
    (row,) = report.received
    assert (row.received, row.lost, row.conflated, row.seen) == (5, 2, 4, 9)


def test_many_rows_are_many_reports() -> None:
    """A node with a hundred thousand topics does not send a message of megabytes; the last part ends it."""
    sent = SentCounters()
    for number in range(2 * ROWS + 1):
        sent.of(f"t{number}", numbered=True)[:] = [1, 10, 0]
    reports = new_tally(sent).look(1.0, 0.0, lambda topic: True, last=True)
    assert [len(report.sent) for report in reports] == [ROWS, ROWS, 1]
    assert [report.is_last for report in reports] == [False, False, True]
