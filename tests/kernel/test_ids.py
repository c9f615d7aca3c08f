"""Ids keep their form and do not meet twice."""

from __future__ import annotations

import re

from context_bus.kernel.ids import new_request, new_sender, new_transaction


def test_transaction_has_the_form_of_the_wire() -> None:
    """Twenty capital letters and digits."""
    assert re.fullmatch("[A-Z0-9]{20}", new_transaction())


def test_ids_do_not_meet_twice() -> None:
    """Not within one process, whatever the name."""
    for make in (new_transaction, new_request, lambda: new_sender("same")):
        assert len({make() for _ in range(2_000)}) == 2_000


def test_sender_begins_with_its_name() -> None:
    """So that a reader of logs knows who it is."""
    assert new_sender("ts_100").startswith("ts_100.")
    assert new_sender().startswith("node.")
