"""Rates over a window, with time as an argument."""

from __future__ import annotations

import pytest

from context_bus.bus.tallies import messages_in
from context_bus.cli.meter import Meter


def test_rate_is_messages_over_time() -> None:
    """Ten messages a tenth of a second apart are ten a second."""
    meter = Meter(window=1000)
    for number in range(11):
        meter.note(number / 10, 1, 100, 100, 100)
    rate = meter.rate()
    assert rate is not None
    assert rate.rate == pytest.approx(10)
    assert rate.bytes_per_second == pytest.approx(1000)
    assert rate.shortest == pytest.approx(0.1)
    assert rate.longest == pytest.approx(0.1)
    assert rate.deviation == pytest.approx(0, abs=1e-9)
    assert rate.total == 11


def test_bunches_count_for_all_they_hold() -> None:
    """A thousand messages taken at once are a thousand, sharing the time since those before."""
    meter = Meter(window=10_000)
    for number in range(5):
        meter.note(number, 1000, 50_000, 40, 60)
    rate = meter.rate()
    assert rate is not None
    assert rate.rate == pytest.approx(1000)
    assert rate.shortest == pytest.approx(0.001)
    assert (rate.smallest, rate.largest) == (40, 60)


def test_window_forgets_what_is_older() -> None:
    """Only as many messages as the window holds are measured."""
    meter = Meter(window=10)
    for number in range(100):
        meter.note(number, 1, 1, 1, 1)
    for number in range(1, 21):
        meter.note(99 + number / 100, 1, 1, 1, 1)
    rate = meter.rate()
    assert rate is not None
    assert rate.rate == pytest.approx(100)
    assert rate.messages == 10
    assert rate.total == 120


def test_window_is_no_burst() -> None:
    """A flood fills any window within milliseconds; the rate is that of the span all the same."""
    meter = Meter(window=10, span=1.0)
    for second in range(5):
        for moment in range(10):  # ten bunches within ten milliseconds, then silence
            meter.note(second + moment / 1000, 100, 1, 1, 1)
    rate = meter.rate()
    assert rate is not None
    assert rate.rate == pytest.approx(1000, rel=0.15)


def test_one_moment_is_no_rate() -> None:
    """Without two points in time nothing can be said."""
    meter = Meter(window=10)
    assert meter.rate() is None
    meter.note(1.0, 500, 500, 1, 1)
    assert meter.rate() is None


@pytest.mark.parametrize(
    ("frame", "count"),
    [
        (b't @@@ {"header":{"sequence":1,"batch":100,"sent_at":1},"content":[]}', 100),
        (b't @@@ {"header":{"batch":7}}', 7),
        (b't @@@ {"header":{"batch": 7 ,"x":1}}', 7),
        (b't @@@ {"header":{"batch":"seven"}}', 1),
        (b't @@@ {"header":{"batch":0}}', 1),
        (b't @@@ {"header":{"batch":', 1),
        (b"t @@@ 1", 1),
    ],
)
def test_frame_says_how_many_messages_it_holds(frame: bytes, count: int) -> None:
    """The number is found without decoding; what is odd counts as one."""
    assert messages_in(frame) == count
