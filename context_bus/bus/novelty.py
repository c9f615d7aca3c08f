"""What of the kept values is news to one listener. Knows counters; must not know sockets.

A kept value is news to a listener that has, since it began to listen, seen neither it nor a later one of the
same sender. So nothing comes twice, and nothing goes back in time. Senders that do not number their messages
are told apart by whom the message is about, and any live message of such a sender outdates them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from context_bus.bus.counters import SENDERS, Counters, Sequence, read_envelope
from context_bus.kernel.message import UNREADABLE


class _Author(msgspec.Struct, gc=False):
    service_id: str = ""
    service_name: str = ""
    service_transaction: str = ""


class _Authored(msgspec.Struct, gc=False):
    header: _Author


_read_author = msgspec.json.Decoder(_Authored).decode


class Novelty:
    """Tells of each kept value of a topic whether one listener has to see it.

    Args:
        topic: The topic.
        counters: Where its live messages are counted; looked up anew for each value.
    """

    def __init__(self, topic: str, counters: Callable[[], Counters]) -> None:
        self.topic = topic
        self._counters = counters
        before = counters()
        #: What had come from each sender before this listener was there, who has not seen it.
        self._since = {sender: flow.expected for sender, flow in before.flows.items()}
        self._unnumbered = before.unnumbered
        self._seen: dict[str, int] = {}
        self._texts: dict[tuple[str, str, str], int] = {}

    def is_news(self, body: bytes) -> bool:
        """Whether it is; then it counts as seen."""
        header = _sequence_of(body)
        if header.sequence <= 0:
            return self._is_new_text(body)
        counters, sender = self._counters(), header.sender
        flow = counters.flows.get(sender)
        has_come = flow is not None and flow.expected > self._since.get(sender, 0)
        live = flow.newest if flow is not None and has_come else 0
        if header.sequence <= max(live, self._seen.get(sender, 0)):
            return False
        self._seen.pop(sender, None)
        _put(self._seen, sender, header.sequence)
        counters.note_kept(sender, header.sequence)
        return True

    def is_outdated(self, body: bytes) -> bool:
        """Whether a live message came later than the kept value of the same or a later one."""
        if not self._seen:
            return False
        header = _sequence_of(body)
        return 0 < header.sequence + max(1, header.batch) - 1 <= self._seen.get(header.sender, 0)

    def _is_new_text(self, body: bytes) -> bool:
        counters = self._counters()
        if counters.unnumbered > self._unnumbered:
            return False
        try:
            author = _read_author(body).header
        except UNREADABLE:
            author = _Author()
        key, text = (author.service_transaction, author.service_id, author.service_name), hash(body)
        if self._texts.get(key) == text:
            return False
        _put(self._texts, key, text)
        counters.kept += 1
        return True


def _sequence_of(body: bytes) -> Sequence:
    try:
        return read_envelope(body).header
    except UNREADABLE:
        return Sequence()


def _put(table: dict[Any, int], key: object, value: int) -> None:
    """Remember, and forget the oldest of too many."""
    if len(table) >= SENDERS:
        del table[next(iter(table))]
    table[key] = value
