"""What a node tells about its traffic on topic ``bus.stats``. Pure values; the wire form is their JSON.

Counters are totals since the node began, so that a report that is lost is made good by the next one; what
is new since the node's last look stands beside them, so that a rate takes one report and no memory.
"""

from __future__ import annotations

import msgspec

#: Where nodes report while somebody listens.
STATS_TOPIC = "bus.stats"
#: Header action of a report.
REPORT = "report"
#: First word of topics that live for one requester.
INBOX = "reply."
#: Topic under which what was sent to inboxes is summed up.
INBOXES = f"{INBOX}*"
#: Seconds between two looks of a node at its counters while it is watched.
EVERY = 1.0
#: Seconds after which a node that has nothing new says that it is still there.
ALIVE_EVERY = 10.0


class Sent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a node has published on one topic.

    Args:
        topic: The topic; ``reply.*`` for all inboxes.
        messages: Messages since the node began.
        bytes: Bytes of their frames.
        unnumbered: How many of the messages have no number, so that receivers do not know whose they are.
        new_messages: Messages since the node's last look, ``Report.span`` seconds ago; so the next three.
        new_bytes: See above.
        new_unnumbered: See above.
        new_frames: See above; fewer than messages where several shared a frame.
        is_heard: Somebody listens, so that they go to the forwarder.
    """

    topic: str
    messages: int
    bytes: int
    unnumbered: int = 0
    new_messages: int = 0
    new_bytes: int = 0
    new_unnumbered: int = 0
    new_frames: int = 0
    is_heard: bool = True


class Received(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a node has got of one sender on one topic.

    Args:
        topic: The topic; empty for frames that were no messages.
        sender: Who sent it; empty for all who do not number their messages.
        received: Messages that arrived, those rejected included.
        new: Messages, lost ones included, by which this has grown since the last look.
        new_received: Messages that arrived since the last look.
        lost: Messages known to be missing that were meant to arrive.
        conflated: Messages left out on purpose: the handler wants the newest only.
        rejected: Messages that could not be decoded.
        seen: Number of the last message that arrived; 0 without numbers.
    """

    topic: str
    sender: str = ""
    received: int = 0
    new: int = 0
    new_received: int = 0
    lost: int = 0
    conflated: int = 0
    rejected: int = 0
    seen: int = 0


class Delays(msgspec.Struct, frozen=True):
    """How long one sender's messages were on their way, since the last look.

    Args:
        topic: The topic.
        sender: Who sent them.
        buckets: How many messages by bucket of a histogram (`context_bus.bus.histogram`); a sample that
            stands for many messages counts as many.
    """

    topic: str
    sender: str
    buckets: dict[int, int]


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one node tells; rows that have not changed since its last reports are left out.

    Who begins to listen gets all rows. A node with many has them in several reports.

    Args:
        sender: Name of the node's publisher, as in the headers of what it sends.
        service_id: Whose it is, if it is a service's; so the next two.
        service_name: See above.
        transaction: See above.
        pid: Process of the node.
        at: Wall clock, in seconds since the epoch.
        span: Seconds since the last look, over which what is new came; 0 at the first one.
        is_last: The node has closed.
        sent: What it published, by topic.
        received: What it got, by topic and sender.
        delays: How long that took.
    """

    sender: str
    service_id: str = ""
    service_name: str = ""
    transaction: str = ""
    pid: int = 0
    at: float = 0.0
    span: float = 0.0
    is_last: bool = False
    sent: tuple[Sent, ...] = ()
    received: tuple[Received, ...] = ()
    delays: tuple[Delays, ...] = ()
