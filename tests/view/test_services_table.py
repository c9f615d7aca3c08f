"""The table of services: what is chosen, in which order, and what stands in it."""

from __future__ import annotations

import pytest

from context_bus.view.snapshot import totals
from context_bus.view.terminal.columns import line, place
from context_bus.view.terminal.service_columns import COLUMNS, Shown, cells_of
from context_bus.view.terminal.services import Choice, columns_of, groups
from tests.view.made import NOW, failed, service, snapshot

BUSY = service("busy", cpu_percent=90.0, rss=5.0, starts=4)
IDLE = service("idle", cpu_percent=0.0, rss=50.0, messages_per_second=7.0, pid=101)
BAD = failed("bad")
OTHER = service("other", "T2", cpu_percent=99.0, pid=102)
FOUND = snapshot(BUSY, IDLE, BAD, OTHER)


def shown(choice: Choice) -> list[str]:
    """Ids in the order in which they are shown."""
    return [row.service.service_id for group in groups(FOUND, choice) for row in group.rows]


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ("", ["busy", "idle", "bad"]),
        ("name", ["bad", "busy", "idle"]),
        ("cpu", ["busy", "idle", "bad"]),
        ("rss", ["idle", "busy", "bad"]),
        ("state", ["bad", "busy", "idle"]),
        ("restarts", ["busy", "idle", "bad"]),
        ("messages", ["idle", "busy", "bad"]),
    ],
)
def test_services_are_sorted_within_their_transaction(sort: str, ids: list[str]) -> None:
    """Figures largest first, names from A to Z, states by who needs somebody."""
    assert shown(Choice(sort=sort)) == [*ids, "other"]


def test_order_can_be_turned_round_and_transactions_mixed() -> None:
    """Then the busiest of all stands first, or last."""
    assert shown(Choice(sort="cpu", grouped=False)) == ["other", "busy", "idle", "bad"]
    assert shown(Choice(sort="cpu", grouped=False, inverted=True))[-1] == "other"
    (group,) = groups(FOUND, Choice(grouped=False))
    assert "transaction" in [each.name for each in columns_of([group], Choice(grouped=False))]


@pytest.mark.parametrize(
    ("choice", "ids"),
    [
        (Choice(names=("b*",)), ["busy", "bad"]),
        (Choice(transaction="T2"), ["other"]),
        (Choice(text="FATAL"), ["bad"]),
        (Choice(text="name_of_i"), ["idle"]),
        (Choice(text="nothing"), []),
    ],
)
def test_services_are_chosen_by_what_one_knows_of_them(choice: Choice, ids: list[str]) -> None:
    """Id or pattern, transaction, and part of a name or a state."""
    assert shown(choice) == ids


def test_heading_of_a_transaction_sums_it_up() -> None:
    """How many work, how many have failed, what they use together."""
    first = groups(FOUND, Choice())[0]
    assert first.heading == "T1: 2 up, 1 failed, CPU 90.0%, RSS 55.0M"


def test_service_without_a_process_has_its_reason_in_place_of_figures() -> None:
    """At 80 columns, too, where there is no column for errors."""
    placed = place(columns_of(groups(FOUND, Choice()), Choice()), 80)
    text = "".join(each.text for each in line(cells_of(Shown(BAD, NOW), placed), placed, 80))
    assert text.split()[:2] == ["bad", "fatal"]
    assert "ended with exit code 3" in text


def test_file_of_code_is_named_without_its_directory() -> None:
    """The end of a message says more than the beginning of a path."""
    bad = failed("bad", "/home/me/Services/Parse/Parse.py:56: ValueError: no")
    placed = place(COLUMNS, 80)
    assert cells_of(Shown(bad, NOW), placed)[-1].text == "Parse.py:56: ValueError: no"


def test_process_that_several_services_share_counts_once() -> None:
    """Services of type Thread are all shown with the figures of their process."""
    both = [service("a", cpu_percent=40.0, rss=10.0), service("b", cpu_percent=40.0, rss=10.0)]
    sums = totals(both)
    assert (sums.up, sums.cpu_percent, sums.rss) == (2, 40.0, 10.0)
