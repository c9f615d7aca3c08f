"""What the reports of all nodes come to: rates, losses and delays by topic and sender. Pure: time comes in.

Two ends tell of each message: its sender, which knows all it sent, and each receiver, which knows what it
got. A sender that does not report is known by its receivers alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from context_bus.bus.histogram import merged, percentile_of
from context_bus.bus.report import ALIVE_EVERY, EVERY, STATS_TOPIC, Delays, Received, Report, Sent

#: Seconds after which a rate that was not told again is 0: two looks of a node, and some.
STALE = 2.5 * EVERY
#: Seconds between two looks of a node below which they are no measure of a rate.
SHORT = 0.5 * EVERY
#: Seconds after which a node that has said nothing is taken to be gone.
GONE = 3.2 * ALIVE_EVERY
#: Seconds for which the rows of a node that has closed, or is gone, are still shown.
KEPT = 60.0
#: Seconds over which percentiles of delays are taken.
DELAY_WINDOW = 10.0
#: Messages a second below which nobody is taken for foreign: questions like ours are asked now and then.
FOREIGN = 10.0
#: Share of a rate by which two looks at it may differ, since they are not of the same moment.
RATE_NOISE = 0.01


class TopicRow(msgspec.Struct, frozen=True):
    """One topic of one sender.

    Args:
        topic: The topic.
        sender: Name of the publisher; empty for everybody else: who neither reports nor numbers messages, and
            senders of long ago.
        service_id: Whose publisher it is, if it is a service's; so the next.
        transaction: See above.
        messages: Messages since the sender began; of one that does not report, as far as receivers know.
        bytes: Bytes of their frames; 0 if the sender does not report.
        rate: Messages per second, over about the last second.
        bytes_per_second: Bytes per second.
        lost: Messages known to be missing, at all receivers together.
        rejected: Messages that receivers could not decode.
        p50: Seconds from sending to handling that half of the messages do not exceed, over the last ten
            seconds; None if nobody knows. So the next two.
        p90: See above.
        p99: See above.
        conflated: Messages left out on purpose, at all receivers together.
        received: Messages that arrived, at all receivers together.
        receivers: Living nodes that have got any.
        is_heard: Whether anybody listens.
        is_gone: The sender has closed, or says nothing any more.
        service_name: Name of the service, or of what else the publisher belongs to.
    """

    topic: str
    sender: str
    service_id: str
    transaction: str
    messages: int
    bytes: int
    rate: float
    bytes_per_second: float
    lost: int
    rejected: int
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    conflated: int = 0
    received: int = 0
    receivers: int = 0
    is_heard: bool = True
    is_gone: bool = False
    service_name: str = ""


#: What topics of answers begin with; who answers whom is no path that messages take again and again.
REPLIES = "reply."


class Delivery(msgspec.Struct, frozen=True, order=True):
    """A topic on which one service has got messages of another, both of the same transaction."""

    transaction: str
    source: str
    target: str
    topic: str


class Traffic(msgspec.Struct, frozen=True):
    """Messages (or frames) and bytes, a second or in all."""

    messages: float = 0.0
    bytes: float = 0.0


_Row = TypeVar("_Row", Sent, Received)


@dataclass(slots=True)
class _Told(Generic[_Row]):
    """A row as it was told last, when that was, and when there was something new in it."""

    row: _Row
    at: float
    span: float
    node: _Node
    moved: float = -math.inf

    def rate(self, count: int, now: float) -> float:
        """So many a second; 0 if that was too long ago to be true still.

        A node that closes tells what came since its last look, which may have been just before: two messages
        in a hundredth of a second are not two hundred a second.
        """
        if self.span <= 0 or now - self.at >= STALE:
            return 0.0
        return count / (self.span if self.span >= SHORT else EVERY)


@dataclass(slots=True)
class _Node:
    """One node."""

    pid: int = 0
    service_id: str = ""
    service_name: str = ""
    transaction: str = ""
    heard: float = 0.0
    closed: float | None = None
    sent: dict[str, _Told[Sent]] = field(default_factory=dict)
    received: dict[tuple[str, str], _Told[Received]] = field(default_factory=dict)

    def gone_since(self, now: float) -> float | None:
        """Since when it is gone; None if it is not."""
        if self.closed is not None:
            return self.closed
        return self.heard + GONE if now > self.heard + GONE else None


#: What receivers know of one topic of one sender.
_Known = list[_Told[Received]]


def _total(known: _Known, name: str) -> int:
    return sum(getattr(told.row, name) for told in known)


class Insight:
    """Takes reports in and gives rows out."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._delays: dict[tuple[str, str], deque[tuple[float, Mapping[int, int]]]] = {}
        #: What nodes that are forgotten had sent without a number, by topic.
        self._forgotten: dict[str, int] = {}
        #: The forwarder's counters as told last, with the time; and the rates since then, without reports.
        self._forwarder: tuple[float, Traffic] = (-math.inf, Traffic())
        self._forwarded: Traffic | None = None
        #: Number and bytes of the reports since the forwarder's counters were told, which it counts, too.
        self._reports = Traffic()

    # -- taking in -------------------------------------------------------------------------------

    def take(self, report: Report, now: float, size: int = 0) -> None:
        """Take in a report.

        Args:
            report: What a node told.
            now: Seconds on any clock that does not go back; the same one in all calls.
            size: Bytes of its frame, so that reports can be told from foreign traffic.
        """
        self._reports = Traffic(self._reports.messages + 1, self._reports.bytes + size)
        if report.sender not in self._nodes:
            self._replace(report, now)
        node = self._nodes.setdefault(report.sender, _Node())
        node.pid = report.pid
        node.service_id, node.service_name = report.service_id, report.service_name
        node.transaction, node.heard = report.transaction, now
        node.closed = now if report.is_last else None
        for sent in report.sent:
            node.sent[sent.topic] = _Told(sent, now, report.span, node)
        for got in report.received:
            key = (got.topic, got.sender)
            moved = node.received[key].moved if key in node.received else -math.inf
            if got.new and report.span:  # a first look takes all it ever got for new
                moved = now
            node.received[key] = _Told(got, now, report.span, node, moved)
        for delays in report.delays:
            self._take_delays(delays, now)
        self._forget(now)

    def _replace(self, report: Report, now: float) -> None:
        """Take the earlier processes of a service to be gone: one that was killed cannot say so itself."""
        if not report.service_id:
            return
        whose = (report.transaction, report.service_id)
        for node in self._nodes.values():
            if (
                (node.transaction, node.service_id) == whose
                and node.pid != report.pid
                and node.closed is None
            ):
                node.closed = now

    def _take_delays(self, delays: Delays, now: float) -> None:
        kept = self._delays.setdefault((delays.topic, delays.sender), deque())
        kept.append((now, delays.buckets))
        while kept[0][0] < now - DELAY_WINDOW:
            kept.popleft()

    def _forget(self, now: float) -> None:
        for sender, node in list(self._nodes.items()):
            since = node.gone_since(now)
            if since is not None and now > since + KEPT:
                for topic, told in node.sent.items():
                    self._forgotten[topic] = self._forgotten.get(topic, 0) + told.row.unnumbered
                del self._nodes[sender]
        for key, kept in list(self._delays.items()):
            if kept[-1][0] < now - KEPT:
                del self._delays[key]

    def take_forwarder(self, received: int, received_bytes: int, now: float) -> None:
        """Take in the forwarder's counters of what publishers sent it; one that began anew is no loss."""
        at, before = self._forwarder
        self._forwarder, span = (now, Traffic(received, received_bytes)), now - at
        reports, self._reports = self._reports, Traffic()
        if received < before.messages or not 0 < span < math.inf:
            self._forwarded = None
        else:
            self._forwarded = Traffic(
                (received - before.messages - reports.messages) / span,
                (received_bytes - before.bytes - reports.bytes) / span,
            )

    # -- giving out ------------------------------------------------------------------------------

    def rows(self, now: float) -> list[TopicRow]:
        """All topics of all senders, by topic, then service and sender."""
        known = self._known()
        rows = [
            self._sent_row(sender, node, told, known.pop((topic, sender), []), now)
            for sender, node in self._nodes.items()
            for topic, told in node.sent.items()
        ]
        others: dict[str, list[_Known]] = {}
        for (topic, sender), each in known.items():
            if sender and max(told.moved for told in each) > now - KEPT:
                rows.append(self._unreported_row(topic, sender, each, now))
            else:
                others.setdefault(topic, []).append(each)
        rows += [row for topic, each in others.items() if (row := self._others_row(topic, each, now))]
        return sorted(rows, key=lambda row: (row.topic, row.service_id, row.sender))

    def _known(self) -> dict[tuple[str, str], _Known]:
        found: dict[tuple[str, str], _Known] = {}
        for node in self._nodes.values():
            for key, told in node.received.items():
                found.setdefault(key, []).append(told)
        return found

    def _sent_row(self, sender: str, node: _Node, told: _Told[Sent], known: _Known, now: float) -> TopicRow:
        sent = told.row
        rates = Traffic(told.rate(sent.new_messages, now), told.rate(sent.new_bytes, now))
        names = (sent.topic, sender, node.service_id, node.transaction)
        is_gone = node.gone_since(now) is not None
        totals = (sent.messages, sent.bytes)
        return self._row(names, totals, rates, known, now, is_heard=sent.is_heard, is_gone=is_gone)

    def _unreported_row(self, topic: str, sender: str, known: _Known, now: float) -> TopicRow:
        """A sender that numbers its messages, but has not reported."""
        node = self._nodes.get(sender, _Node())
        messages = max(told.row.seen for told in known)
        rate = Traffic(max(told.rate(told.row.new, now) for told in known))
        return self._row((topic, sender, node.service_id, node.transaction), (messages, 0), rate, known, now)

    def _others_row(self, topic: str, senders: list[_Known], now: float) -> TopicRow | None:
        """Everybody else on a topic: senders of old, and all that came without a number.

        Of the latter each receiver has got everything that was sent while it listened.
        """
        numbered = sum(max(told.row.seen for told in known) for known in senders)
        strangers = [told for known in senders for told in known if not told.row.seen]
        ours = [node.sent[topic] for node in self._nodes.values() if topic in node.sent]
        total = max((told.row.received for told in strangers), default=0)
        total -= sum(told.row.unnumbered for told in ours) + self._forgotten.get(topic, 0)
        rate = max((told.rate(told.row.new, now) for told in strangers), default=0.0)
        ours_rate = sum(told.rate(told.row.new_unnumbered, now) for told in ours)
        known = [told for each in senders for told in each]
        messages = numbered + max(0, total)
        if not messages and not _total(known, "rejected"):
            return None
        left = rate - ours_rate if rate - ours_rate > RATE_NOISE * rate else 0.0
        return self._row((topic, "", "", ""), (messages, 0), Traffic(left), known, now)

    def _row(
        self,
        names: tuple[str, str, str, str],
        totals: tuple[int, int],
        rate: Traffic,
        known: _Known,
        now: float,
        *,
        is_heard: bool = True,
        is_gone: bool = False,
    ) -> TopicRow:
        delays = self._histogram(names[:2], now)
        return TopicRow(
            *names,
            *totals,
            rate.messages,
            rate.bytes,
            _total(known, "lost"),
            _total(known, "rejected"),
            percentile_of(delays, 0.5),
            percentile_of(delays, 0.9),
            percentile_of(delays, 0.99),
            conflated=_total(known, "conflated"),
            received=_total(known, "received"),
            receivers=len({id(told.node) for told in known if told.node.gone_since(now) is None}),
            is_heard=is_heard,
            is_gone=is_gone,
            service_name=self._nodes[names[1]].service_name if names[1] in self._nodes else "",
        )

    def _histogram(self, key: tuple[str, str], now: float) -> dict[int, int]:
        return merged(buckets for at, buckets in self._delays.get(key, ()) if at >= now - DELAY_WINDOW)

    def per_service(self, now: float) -> dict[tuple[str, str], float]:
        """Messages a second that each service publishes, by transaction and service id."""
        rates: dict[tuple[str, str], float] = {}
        for row in self.rows(now):
            if row.service_id:
                key = (row.transaction, row.service_id)
                rates[key] = rates.get(key, 0.0) + row.rate
        return rates

    def received_per_service(self, now: float) -> dict[tuple[str, str], float]:
        """Messages a second that reach the handlers of each service, by transaction and service id."""
        rates: dict[tuple[str, str], float] = {}
        for node in self._nodes.values():
            if node.service_id:
                key = (node.transaction, node.service_id)
                told = node.received.values()
                rates[key] = rates.get(key, 0.0) + sum(each.rate(each.row.new_received, now) for each in told)
        return rates

    def deliveries(self) -> list[Delivery]:
        """Who has got what of whom; of services that ended, until their rows are gone."""
        found = set()
        for node in self._nodes.values():
            for (topic, sender), told in node.received.items():
                source = self._nodes.get(sender)
                if source is None or not (source.service_id and node.service_id and told.row.received):
                    continue
                if source.transaction == node.transaction and not topic.startswith(REPLIES):
                    found.add(Delivery(node.transaction, source.service_id, node.service_id, topic))
        return sorted(found)

    def foreign(self, now: float) -> Traffic | None:
        """Frames and bytes a second at the forwarder that no node reports to have sent; None if unknown.

        They come from publishers that do not report: other programs, or older ones. What nobody listens
        to does not get as far as the forwarder, so it is not part of it. Unknown, too, while a node has
        told its totals, but no rate. Very little, or less than a
        hundredth, is what the moments of the reports differ by, and taken for nothing.
        """
        if self._forwarded is None or now - self._forwarder[0] > STALE + EVERY:
            return None
        told = [each for node in self._nodes.values() for each in node.sent.values() if each.row.is_heard]
        if any(each.span == 0 and now - each.at < STALE for each in told):
            return None  # it has just begun, and its own rate is not known yet
        frames = sum(each.rate(each.row.new_frames, now) for each in told)
        sizes = sum(each.rate(each.row.new_bytes, now) for each in told)
        left = self._forwarded.messages - frames
        if left <= max(FOREIGN, RATE_NOISE * self._forwarded.messages):
            return Traffic()
        return Traffic(left, max(0.0, self._forwarded.bytes - sizes))


__all__ = ["STATS_TOPIC", "Delivery", "Insight", "Report", "TopicRow", "Traffic"]
