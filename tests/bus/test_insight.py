"""What reports come to: rates, sums over receivers, senders that do not report, and time that passes."""

from __future__ import annotations

import msgspec

from context_bus.bus.histogram import bucket_of
from context_bus.bus.insight import GONE, KEPT, STALE, Insight, TopicRow, Traffic
from context_bus.bus.report import Delays, Received, Report, Sent
from context_bus.testing.clock import ManualClock


def told(sender: str, *, span: float = 1.0, last: bool = False, **rows: object) -> Report:
    """A report of a service's node."""
    return Report(sender=sender, service_id=f"ts_{sender}", transaction="T1", span=span, is_last=last, **rows)  # type: ignore[arg-type]


def only(rows: list[TopicRow]) -> TopicRow:
    """The one row there is."""
    assert len(rows) == 1, rows
    return rows[0]


def test_row_has_totals_and_rates_of_its_sender() -> None:
    """What is new is divided by the time since the look before."""
    insight, clock = Insight(), ManualClock()
    insight.take(told("a", span=2.0, sent=(Sent("prices", 100, 5000, 0, 20, 1000, 0, 20),)), clock.now())
    row = only(insight.rows(clock.now()))
    assert (row.topic, row.sender, row.service_id, row.transaction) == ("prices", "a", "ts_a", "T1")
    assert (row.messages, row.bytes, row.rate, row.bytes_per_second) == (100, 5000, 10.0, 500.0)
    assert (row.p50, row.lost, row.receivers) == (None, 0, 0)


def test_first_report_has_totals_and_no_rate() -> None:
    """Nobody knows over what time they came."""
    insight, clock = Insight(), ManualClock()
    insight.take(told("a", span=0.0, sent=(Sent("prices", 100, 5000, 0, 100, 5000, 0, 100),)), clock.now())
    row = only(insight.rows(clock.now()))
    assert (row.messages, row.rate) == (100, 0.0)


def test_rate_that_is_not_told_again_becomes_none() -> None:
    """The node was killed, or its last report got lost."""
    insight, clock = Insight(), ManualClock()
    insight.take(told("a", sent=(Sent("prices", 100, 5000, 0, 20, 1000, 0, 20),)), clock.now())
    clock.advance(STALE - 0.1)
    assert only(insight.rows(clock.now())).rate == 20.0
    clock.advance(0.2)
    assert only(insight.rows(clock.now())).rate == 0.0


def test_losses_of_all_receivers_add_up_and_belong_to_the_sender() -> None:
    """What is left out on purpose is another sum; so is what could not be read."""
    insight, clock = Insight(), ManualClock()
    insight.take(told("a", sent=(Sent("prices", 100, 5000),)), clock.now())
    insight.take(told("b", received=(Received("prices", "a", 90, lost=10, seen=100),)), clock.now())
    insight.take(
        told("c", received=(Received("prices", "a", 40, lost=3, conflated=57, rejected=2, seen=100),)),
        clock.now(),
    )
    row = only(insight.rows(clock.now()))
    assert (row.lost, row.conflated, row.rejected, row.received, row.receivers) == (13, 57, 2, 130, 2)


def test_receivers_that_live_are_counted_and_what_others_got_stays() -> None:
    """A service that is killed again and again is one receiver, and so is one that has gone silent none."""
    insight, clock = Insight(), ManualClock()
    insight.take(told("a", sent=(Sent("prices", 100, 5000),)), clock.now())
    for pid in (1, 2, 3):
        killed = told(f"b{pid}", received=(Received("prices", "a", 30, seen=30 * pid),))
        insight.take(msgspec.structs.replace(killed, service_id="ts_b", pid=pid), clock.now())
        clock.advance(2.0)
    thread = told("c", received=(Received("prices", "a", 10, seen=100),))
    insight.take(msgspec.structs.replace(thread, service_id="ts_b#2", pid=3), clock.now())
    row = only(insight.rows(clock.now()))
    assert (row.received, row.receivers) == (100, 2)
    insight.take(told("c", last=True), clock.now())
    assert only(insight.rows(clock.now())).receivers == 1
    clock.advance(GONE + 0.1)
    insight.take(told("a", sent=(Sent("prices", 100, 5000),)), clock.now())
    row = only(insight.rows(clock.now()))
    assert (row.received, row.receivers) == (100, 0)


def test_last_report_soon_after_another_is_no_high_rate() -> None:
    """A node that closes tells of the moment since its last look."""
    insight, clock = Insight(), ManualClock()
    insight.take(
        told("a", span=0.008, last=True, sent=(Sent("prices", 100, 5000, 0, 2, 100, 0, 2),)), clock.now()
    )
    row = only(insight.rows(clock.now()))
    assert (row.rate, row.bytes_per_second) == (2.0, 100.0)


def test_sender_that_does_not_report_is_known_by_its_numbers() -> None:
    """The receiver that is furthest knows best; bytes nobody knows."""
    insight, clock = Insight(), ManualClock()
    insight.take(
        told("b", received=(Received("prices", "x", 40, new=5, new_received=4, lost=60, seen=100),)),
        clock.now(),
    )
    insight.take(told("c", received=(Received("prices", "x", 70, new=9, seen=98),)), clock.now())
    row = only(insight.rows(clock.now()))
    assert (row.sender, row.messages, row.bytes, row.rate, row.lost) == ("x", 100, 0, 9.0, 60)


def test_senders_of_before_the_first_look_are_summed_up() -> None:
    """A receiver tells all it ever got: forty processes of one service that died are no rows of their own."""
    insight, clock = Insight(), ManualClock()
    old = tuple(Received("prices", f"x{n}", 10, new=10, new_received=10, seen=10) for n in range(40))
    insight.take(told("b", span=0.0, received=old), clock.now())
    row = only(insight.rows(clock.now()))
    assert (row.sender, row.messages, row.received) == ("", 400, 400)
    clock.advance(1.0)
    insight.take(told("b", received=(Received("prices", "x7", 12, 2, 2, seen=12),)), clock.now())
    rows = {row.sender: (row.messages, row.rate) for row in insight.rows(clock.now())}
    assert rows == {"": (390, 0.0), "x7": (12, 2.0)}


def test_strangers_without_numbers_are_what_our_own_do_not_explain() -> None:
    """A reporting node may send without numbers, too: its messages are not counted twice."""
    insight, clock = Insight(), ManualClock()
    insight.take(told("a", sent=(Sent("process", 30, 900, 30, 10, 300, 10, 10),)), clock.now())
    insight.take(told("b", received=(Received("process", "", 30, new=10),)), clock.now())
    assert [row.sender for row in insight.rows(clock.now())] == ["a"]
    insight.take(told("b", received=(Received("process", "", 45, new=25),)), clock.now())
    strangers = insight.rows(clock.now())[0]
    assert (strangers.sender, strangers.messages, strangers.rate) == ("", 15, 15.0)


def test_delays_of_all_receivers_are_one_distribution() -> None:
    """Over the last ten seconds."""
    insight, clock = Insight(), ManualClock()
    insight.take(told("a", sent=(Sent("prices", 100, 5000),)), clock.now())
    insight.take(told("b", delays=(Delays("prices", "a", {bucket_of(0.001): 98}),)), clock.now())
    insight.take(told("c", delays=(Delays("prices", "a", {bucket_of(0.5): 2}),)), clock.now())
    row = only(insight.rows(clock.now()))
    assert row.p50 is not None
    assert row.p99 is not None
    assert abs(row.p50 - 0.001) < 0.0001
    assert abs(row.p99 - 0.5) < 0.05
    clock.advance(11)
    assert only(insight.rows(clock.now())).p50 is None


def test_node_that_closed_is_shown_as_gone_and_then_not_at_all() -> None:
    """So is one that says nothing any more, though it would say that it is still there."""
    insight, clock = Insight(), ManualClock()
    insight.take(told("a", last=True, sent=(Sent("prices", 100, 5000),)), clock.now())
    insight.take(told("b", sent=(Sent("news", 7, 700),)), clock.now())
    assert [(row.topic, row.is_gone) for row in insight.rows(clock.now())] == [
        ("news", False),
        ("prices", True),
    ]
    clock.advance(GONE + 1)
    assert [row.is_gone for row in insight.rows(clock.now())] == [True, True]
    clock.advance(KEPT)
    insight.take(told("c"), clock.now())
    assert insight.rows(clock.now()) == []


def test_sender_of_long_ago_is_summed_up_with_others() -> None:
    """A service that restarts a hundred times is not a hundred rows for ever."""
    insight, clock = Insight(), ManualClock()
    old = tuple(Received("control", f"old.{number}", 10, seen=10) for number in range(100))
    insight.take(told("b", received=old), clock.now())
    row = only(insight.rows(clock.now()))
    assert (row.sender, row.messages, row.received) == ("", 1000, 1000)


def test_services_are_told_by_transaction_and_id() -> None:
    """What a service publishes, over its topics and nodes; what reaches its handlers is another figure."""
    insight, clock = Insight(), ManualClock()
    sent = (Sent("prices", 9, 9, 0, 20, 9, 0, 20), Sent("news", 9, 9, 0, 5, 9, 0, 5))
    insight.take(told("a", sent=sent), clock.now())
    got = (Received("prices", "a", 9, new=10, new_received=8),)
    insight.take(told("b", received=got), clock.now())
    assert insight.per_service(clock.now()) == {("T1", "ts_a"): 25.0}
    assert insight.received_per_service(clock.now()) == {("T1", "ts_a"): 0.0, ("T1", "ts_b"): 8.0}


def test_foreign_traffic_is_what_nodes_do_not_explain_at_the_forwarder() -> None:
    """What nobody listens to does not get there; a batch is one frame there."""
    insight, clock = Insight(), ManualClock()
    assert insight.foreign(clock.now()) is None
    insight.take_forwarder(1000, 50_000, clock.now())
    clock.advance(1)
    sent = (
        Sent("prices", 500, 9, 0, 500, 5000, 0, 5),
        Sent("unheard", 900, 9, 0, 900, 9000, 0, 900, is_heard=False),
    )
    insight.take(told("a", sent=sent), clock.now())
    insight.take_forwarder(1106, 60_000, clock.now())
    found = insight.foreign(clock.now())
    assert found is not None
    assert abs(found.messages - 100) < 0.2
    assert abs(found.bytes - 5000) < 100
    insight.take_forwarder(7, 700, clock.now() + 1)  # another forwarder
    assert insight.foreign(clock.now() + 1) is None


def test_foreign_traffic_is_unknown_while_a_node_has_no_rate_yet() -> None:
    """What a service that just began has sent would be taken for a stranger's."""
    insight, clock = Insight(), ManualClock()
    insight.take_forwarder(1000, 50_000, clock.now())
    clock.advance(1)
    insight.take(told("a", span=0.0, sent=(Sent("prices", 100, 5000, 0, 100, 5000, 0, 100),)), clock.now())
    insight.take_forwarder(1101, 55_000, clock.now())
    assert insight.foreign(clock.now()) is None


def test_small_differences_are_not_foreign_traffic() -> None:
    """Nodes and forwarder do not look at the same moment."""
    insight, clock = Insight(), ManualClock()
    insight.take_forwarder(0, 0, clock.now())
    clock.advance(1)
    insight.take(told("a", sent=(Sent("prices", 10_000, 9, 0, 10_000, 5000, 0, 10_000),)), clock.now())
    insight.take_forwarder(10_050, 5100, clock.now())
    assert insight.foreign(clock.now()) == Traffic()


def test_report_survives_the_wire() -> None:
    """JSON and back; rows without news are short."""
    report = told("a", sent=(Sent("prices", 1, 2),), delays=(Delays("prices", "a", {7: 1}),))
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    assert msgspec.json.encode(Sent("prices", 1, 2)) == b'{"topic":"prices","messages":1,"bytes":2}'
