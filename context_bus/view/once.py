"""The live view as text: what it shows at one moment, for a pipe or a program. Knows no terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from context_bus.client.asking import Services, Task, Transaction
from context_bus.view.live import Live
from context_bus.view.snapshot import ServiceView, Snapshot, totals
from context_bus.view.terminal.service_columns import COLUMNS, Shown

#: Seconds after which rates on the bus are known: nodes tell what they count every second.
RATES_AFTER = 1.3


def settled(live: Live) -> Snapshot:
    """What is known of a provider when rates are known, too; at once if it does not answer."""
    found = live.refresh()
    if found.trouble:
        return found
    time.sleep(RATES_AFTER)
    return live.refresh()


def as_told(snapshot: Snapshot) -> Services:
    """Names of transactions and services as the provider told them."""
    names = dict.fromkeys(each.transaction for each in snapshot.services)
    return Services(
        snapshot.provider,
        tuple(
            Transaction(
                name,
                tuple(Task(service_id=e.service_id) for e in snapshot.services if e.transaction == name),
            )
            for name in names
        ),
    )


def table(services: Sequence[ServiceView], now: float) -> tuple[list[str], list[list[str]]]:
    """Titles and rows, of every column that is no curve.

    Args:
        services: The services, in order.
        now: Seconds since the epoch.
    """
    columns = [each for each in COLUMNS if each.title]
    rows = [[column.cell(Shown(each, now), column.width).text for column in columns] for each in services]
    return [each.title.lower() for each in columns], rows


def document(snapshot: Snapshot, services: Sequence[ServiceView]) -> dict[str, Any]:
    """A snapshot as one JSON document; curves are left out, since there is nothing to see yet."""
    rows = [msgspec.to_builtins(each) | {"restarts": each.restarts} for each in services]
    for row in rows:
        del row["cpu_history"], row["rss_history"]
    return {
        "at": snapshot.at,
        "provider": snapshot.provider,
        "totals": msgspec.to_builtins(totals(services, snapshot.bus)),
        "services": rows,
        "bus": msgspec.to_builtins(snapshot.bus),
        "forwarder": msgspec.to_builtins(snapshot.forwarder),
        "notes": list(snapshot.notes),
    }
