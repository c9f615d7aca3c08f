"""What a monitor decides without touching anything: who runs, when to look, what to say and to keep."""

from __future__ import annotations

import json

import pytest

from context_bus.kernel.beat import Beat
from context_bus.monitor.buckets import Bucket, Figures, buckets_of, figures_of
from context_bus.monitor.roster import Entry, roster_of
from context_bus.monitor.sample import STATES, Sample, sample_of
from context_bus.process.usage import published
from tests.monitor.samples import usage


def broadcast(name: str = "context", device_action: str = "context_info", **transactions: object) -> bytes:
    """A broadcast of the provider, as it is on the wire."""
    data = [{key: {"contextId": "c", "tasks": tasks}} for key, tasks in transactions.items()]
    status = {"data": data, "device_action": device_action, "result": "success"}
    header = {"action": "update", "service_id": "c", "service_name": name, "service_transaction": "T"}
    return json.dumps({"content": {"status": status}, "header": header}).encode()


TASKS = [
    {
        "service_id": "a",
        "action": "started",
        "state": "success",
        "pid": 7,
        "task": {"Task": {}},
        "phase": "x",
    },
    {"service_id": "b", "action": "stopped", "state": "success", "pid": 8},
    {"service_id": "c", "action": "defined", "state": "success", "pid": None},
    {"service_id": "d", "action": "failed", "state": "failure", "pid": None},
]


def test_roster_is_that_of_its_own_transaction() -> None:
    """A provider has several; what else a record says does not matter."""
    body = broadcast(T1=[], T2=TASKS)
    roster = roster_of(body, "T2")
    assert roster is not None
    assert roster[0] == Entry("a", "started", "success", 7)
    assert [entry.service_id for entry in roster if entry.has_process] == ["a"]
    assert roster_of(body, "T1") == ()
    assert roster_of(body, "T3") is None


@pytest.mark.parametrize(
    "body",
    [
        broadcast(name="monitor", T=TASKS),
        broadcast(device_action="walk", T=TASKS),
        b"context_info",
        b'{"content": {"status": {"device_action": "context_info", "data": 5}}}',
        b'{"header": {}, "content": [1], "x": "context_info"}',
        b'\xff"context_info"',
    ],
)
def test_anything_else_says_nothing_about_who_runs(body: bytes) -> None:
    """Anybody may send anything on a topic."""
    assert roster_of(body, "T") is None


def test_beats_are_whole_periods_apart_however_long_a_look_takes() -> None:
    """The timer does not drift: what a look takes is taken off the rest."""
    beat = Beat(2.0, 100.0)
    assert beat.left(100.3) == pytest.approx(1.7)
    assert beat.left(102.0) == pytest.approx(2.0)
    assert beat.left(104.9) == pytest.approx(1.1)
    assert beat.missed == 0


def test_beats_that_passed_are_left_out() -> None:
    """A look that took three periods is followed by one at the next beat, not by three at once."""
    beat = Beat(1.0, 0.0)
    assert beat.left(3.5) == pytest.approx(0.5)
    assert beat.missed == 3
    assert beat.left(4.1) == pytest.approx(0.9)


def test_body_has_the_documented_form() -> None:
    """One object for each service: what the provider says of it, and its figures."""
    body = json.loads(published('T"1', [(usage("a"), "started", "success")]))
    (element,) = body['T"1']
    assert {"action": "started", "state": "success", "pid": 77, "serviceId": "a"}.items() <= element.items()
    documented = {"status", "rss", "vms", "percent", "children", "total", "elapsed", "timestamp"}
    assert documented <= element.keys()
    assert json.loads(published("T", [])) == {"T": []}


def test_sample_counts_descendants_and_keeps_whole_numbers() -> None:
    """A program that works in its children is seen."""
    expected = Sample("a", 1_500, STATES.index("sleeping"), 3330, 20992, 204800, 4, 9, 2)
    assert sample_of(1.5, usage(), has_cpu=True) == expected
    assert sample_of(1.5, usage(status="odd"), has_cpu=True).state == STATES.index("other")


def test_sample_without_a_measure_says_nothing_of_cpu() -> None:
    """The first look at a process finds 0 %, which is no measure and would pull every mean down."""
    assert sample_of(1.5, usage(), has_cpu=False).cpu is None


def test_sample_of_a_process_that_is_gone_has_no_figures() -> None:
    """Zeros would be figures."""
    assert sample_of(1.5, usage(gone="gone", rss=0.0), has_cpu=True) == Sample("a", 1500, 0)


def test_figures_are_least_mean_percentile_and_greatest() -> None:
    """The percentile is a value that was there."""
    assert figures_of(range(1, 101)) == Figures(1, 50.5, 95, 100)
    assert figures_of([None, 300, None, 100], 100) == Figures(1.0, 2.0, 3.0, 3.0)
    assert figures_of([None]) is None


def test_buckets_hold_what_falls_into_them() -> None:
    """Their beginnings are multiples of their width; what found no process is counted apart."""
    rows = [(5, 100, 1024, 1, 2, 0), (5, 300, 3072, 1, 4, 0), (7, None, None, None, None, None)]
    first, second = buckets_of(rows, 60_000)
    assert (first.at, first.samples, first.gone) == (300.0, 2, 0)
    assert (first.cpu, first.rss) == (Figures(1.0, 2.0, 3.0, 3.0), Figures(1.0, 2.0, 3.0, 3.0))
    assert second == Bucket(420.0, 1, 1)
