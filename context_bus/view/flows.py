"""Topics by who sends, where a service is one sender however often it was started again. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from context_bus.bus.insight import TopicRow

#: What a publisher adds to the name of who it belongs to: process, number, random part.
_SUFFIX = re.compile(r"\.(?P<pid>[0-9a-f]+)\.[0-9a-f]+\.[0-9a-f]{6}$")
#: What senders that have no name are called.
OTHERS = "others"
#: What the provider is called.
PROVIDER = "provider"


def who(row: TopicRow, provider: int = 0) -> str:
    """Whose publisher it is: a service, the provider, the name that a program gave itself, or others.

    Args:
        row: A topic of it.
        provider: Process of the provider; 0 if that is not known.
    """
    if row.service_id:
        return row.service_id
    suffix = _SUFFIX.search(row.sender)
    if suffix is None:
        return row.sender or OTHERS
    return PROVIDER if int(suffix["pid"], 16) == provider else row.sender[: suffix.start()]


def by_sender(rows: Iterable[TopicRow], provider: int = 0) -> tuple[TopicRow, ...]:
    """Rows of all publishers of the same sender summed up; ``sender`` is the name of `who`.

    Delays are those of the publisher that sends most.
    """
    found: dict[tuple[str, str, str], list[TopicRow]] = {}
    for row in rows:
        found.setdefault((row.topic, _transaction(row), who(row, provider)), []).append(row)
    known = {(topic, name) for topic, transaction, name in found if transaction}
    return tuple(
        _sum(name, each)
        for (topic, transaction, name), each in found.items()
        # What receivers remember of a publisher that was gone before we looked names no transaction.
        if transaction or (topic, name) not in known or any(row.rate for row in each)
    )


def _transaction(row: TopicRow) -> str:
    return row.transaction if row.service_id else ""


def _sum(name: str, rows: Sequence[TopicRow]) -> TopicRow:
    main = max(rows, key=lambda row: (row.rate, not row.is_gone))
    return msgspec.structs.replace(
        main,
        sender=name,
        messages=sum(row.messages for row in rows),
        bytes=sum(row.bytes for row in rows),
        rate=sum(row.rate for row in rows),
        bytes_per_second=sum(row.bytes_per_second for row in rows),
        lost=sum(row.lost for row in rows),
        rejected=sum(row.rejected for row in rows),
        conflated=sum(row.conflated for row in rows),
        received=sum(row.received for row in rows),
        receivers=max(row.receivers for row in rows),
        is_heard=any(row.is_heard for row in rows),
        is_gone=all(row.is_gone for row in rows),
    )
