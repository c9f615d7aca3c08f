"""Topics by who sends, where a service is one sender however often it was started again. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from context_bus.bus.insight import TopicRow
from context_bus.view.snapshot import Snapshot

#: What a publisher adds to the name of who it belongs to: process, number, random part.
_SUFFIX = re.compile(r"\.(?P<pid>[0-9a-f]+)\.[0-9a-f]+\.[0-9a-f]{6}$")
#: What senders that have no name are called.
OTHERS = "others"
#: What the provider is called.
PROVIDER = "provider"


class Owner(NamedTuple):
    """Whose publisher it is: a service, the provider, a program by the name it gave itself, or others.

    Args:
        name: Id of the service, or what it is called else.
        transaction: Of the service; empty for others.
    """

    name: str
    transaction: str = ""


class Owners:
    """Tells whose publishers are.

    Args:
        snapshot: Knows the provider and its services.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._provider = snapshot.pid
        count = Counter(each.service_id for each in snapshot.services)
        #: Services that only one transaction has: their name alone says which is meant.
        self._services = {
            each.service_id: each.transaction for each in snapshot.services if count[each.service_id] == 1
        }

    def of(self, row: TopicRow) -> Owner:
        """Whose it is; of a publisher that was gone before anybody looked, by its name."""
        if row.service_id:
            return Owner(row.service_id, row.transaction)
        suffix = _SUFFIX.search(row.sender)
        if suffix is None:
            return Owner(row.sender or OTHERS)
        if int(suffix["pid"], 16) == self._provider:
            return Owner(PROVIDER)
        name = row.sender[: suffix.start()]
        return Owner(name, self._services.get(name, ""))


def by_owner(snapshot: Snapshot) -> tuple[TopicRow, ...]:
    """The topics, with all publishers of the same owner summed up; ``sender`` is the owner's name.

    Delays are those of the publisher that sends most.
    """
    owners = Owners(snapshot)
    found: dict[tuple[str, Owner], list[TopicRow]] = {}
    for row in snapshot.bus:
        found.setdefault((row.topic, owners.of(row)), []).append(row)
    return tuple(_sum(owner, rows) for (_, owner), rows in found.items())


def _sum(owner: Owner, rows: Sequence[TopicRow]) -> TopicRow:
    main = max(rows, key=lambda row: (row.rate, not row.is_gone))
    return msgspec.structs.replace(
        main,
        sender=owner.name,
        transaction=owner.transaction,
        messages=_total(rows, "messages"),
        bytes=_total(rows, "bytes"),
        rate=sum(row.rate for row in rows),
        bytes_per_second=sum(row.bytes_per_second for row in rows),
        lost=_total(rows, "lost"),
        rejected=_total(rows, "rejected"),
        conflated=_total(rows, "conflated"),
        received=_total(rows, "received"),
        receivers=max(row.receivers for row in rows),
        is_heard=any(row.is_heard for row in rows),
        is_gone=all(row.is_gone for row in rows),
    )


def _total(rows: Iterable[TopicRow], field: str) -> int:
    return sum(getattr(row, field) for row in rows)
