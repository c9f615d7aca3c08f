"""Topics by owner, and counters that only go up."""

from __future__ import annotations

from context_bus.view.counting import MOST, REST, Counting, Counts, Names
from context_bus.view.owners import by_owner
from tests.view.made import service, snapshot, topic

#: Publishers of one service, of two processes of it.
OLD, NEW = "web.1a.1.abcdef", "web.2b.1.fedcba"


def totals(counting: Counting) -> dict[Names, Counts]:
    """What was counted."""
    return dict(counting.totals())


def test_publishers_of_a_service_are_one_sender() -> None:
    """Also one that was gone before anybody looked and is known by its name alone."""
    rows = (
        topic("hits", NEW, "web", "T1", messages=10, rate=5.0, p50=0.001),
        topic("hits", OLD, messages=90, is_gone=True, p50=0.5),
        topic("event", f"node.{4242:x}.1.abcdef", messages=3),
        topic("state", "node.1.1.abcdef"),
        topic("noise", "", messages=4),
    )
    found = {
        (row.topic, row.sender, row.transaction): row for row in by_owner(snapshot(service("web"), bus=rows))
    }
    assert set(found) == {
        ("hits", "web", "T1"),
        ("event", "provider", ""),
        ("state", "node", ""),
        ("noise", "others", ""),
    }
    hits = found["hits", "web", "T1"]
    assert (hits.messages, hits.rate, hits.p50) == (100, 5.0, 0.001)


def test_name_that_two_transactions_have_means_neither() -> None:
    """Nothing is put down to a service that it may not have sent."""
    both = snapshot(service("web"), service("web", "T2"), bus=(topic("hits", OLD, messages=9),))
    (row,) = by_owner(both)
    assert (row.sender, row.transaction) == ("web", "")


def test_counters_go_on_when_a_process_begins_anew() -> None:
    """A service that is restarted begins at nothing; its total does not."""
    counting = Counting()
    for rows in (
        [topic("hits", OLD, "web", "T1", messages=100, bytes=1000, lost=2)],
        [topic("hits", OLD, "web", "T1", messages=120, bytes=1200, lost=2)],
        [topic("hits", NEW, "web", "T1", messages=5, bytes=50)],
        [topic("hits", NEW, "web", "T1", messages=7, bytes=70)],
    ):
        counting.take(snapshot(service("web"), bus=tuple(rows)))
    assert totals(counting) == {Names("hits", "web", "T1"): Counts(127, 1270, 2, 0)}


def test_publishers_of_long_ago_are_not_counted_twice() -> None:
    """They are summed up under no name when they have been forgotten."""
    counting = Counting()
    counting.take(snapshot(bus=(topic("hits", OLD, messages=100), topic("hits", "", messages=1, rate=1.0))))
    counting.take(snapshot(bus=(topic("hits", "", messages=101),)))
    counting.take(snapshot(bus=(topic("hits", "", messages=104, rate=3.0),)))
    assert sum(counts.messages for counts in totals(counting).values()) == 104


def test_counters_never_go_down() -> None:
    """What is known of strangers by their receivers shrinks when a receiver ends."""
    counting = Counting()
    for messages in (50, 20, 25):
        counting.take(snapshot(bus=(topic("hits", "", messages=messages, rate=1.0),)))
    assert totals(counting) == {Names("hits", "others", ""): Counts(75)}


def test_names_are_bounded() -> None:
    """A program that makes up topics cannot make up series without end; what comes is counted together."""
    counting = Counting()
    counting.take(snapshot(bus=tuple(topic(f"t{n}", NEW, messages=1) for n in range(MOST + 50))))
    found = totals(counting)
    assert len(found) == MOST + 1
    assert found[Names(REST, REST, "")].messages == 50
