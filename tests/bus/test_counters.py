"""Gaps to the message, whatever order things come in."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.bus.counters import SENDERS, Counters


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1), st.data())
def test_received_and_lost_are_exact_whatever_is_dropped(senders: list[str], data: st.DataObject) -> None:
    """Each sender numbers from 1; any message may be dropped but its first and its last."""
    logging.disable(logging.WARNING)
    sent: dict[str, int] = {}
    stream = [(sender, sent.setdefault(sender, 0) or 0) for sender in senders]
    stream = []
    for sender in senders:
        sent[sender] = sent.get(sender, 0) + 1
        stream.append((sender, sent[sender]))
    kept = [
        (sender, number)
        for sender, number in stream
        if number in (1, sent[sender]) or data.draw(st.booleans(), label=f"{sender} {number}")
    ]
    counters = Counters("t")
    for sender, number in kept:
        counters.note(sender, number)
    logging.disable(logging.NOTSET)
    assert counters.received == len(kept)
    assert counters.lost == len(stream) - len(kept)


def test_what_came_before_is_not_lost() -> None:
    """A listener that joins late has lost nothing."""
    counters = Counters("t")
    counters.note("a", 1000)
    counters.note("a", 1001)
    assert (counters.received, counters.lost) == (2, 0)


def test_late_message_is_no_longer_lost() -> None:
    """It arrived after all; a message twice is received twice."""
    counters = Counters("t", silent=True)
    for number in (1, 3, 2, 4, 4):
        counters.note("a", number)
    assert (counters.received, counters.lost) == (5, 0)


def test_batch_of_many_is_counted_whole() -> None:
    """A missing batch is as many messages as it held."""
    counters = Counters("t", silent=True)
    counters.note("a", 1, 100)
    counters.note("a", 201, 100)
    assert (counters.received, counters.lost) == (200, 100)


def test_senders_that_come_and_go_do_not_grow_the_table() -> None:
    """The sums stay, the names go."""
    counters = Counters("t", silent=True)
    for number in range(SENDERS + 100):
        counters.note(f"sender.{number}", 1)
        counters.note(f"sender.{number}", 3)
    assert len(counters.flows) == SENDERS
    assert (counters.received, counters.lost) == (2 * (SENDERS + 100), SENDERS + 100)


def test_gap_is_warned_of_but_not_for_each_message(caplog: pytest.LogCaptureFixture) -> None:
    """A flood of drops must not become a flood of lines."""
    counters = Counters("prices")
    with caplog.at_level(logging.WARNING):
        for number in range(1, 200, 2):
            counters.note("a", number)
    assert [record.getMessage() for record in caplog.records] == [
        "messages lost: topic=prices sender=a missing=1 lost=1"
    ]
