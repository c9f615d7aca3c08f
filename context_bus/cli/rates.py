"""The loop of ``bus hz`` and ``bus bw``: count frames as fast as they come, report every second.

Frames are drained from the socket and measured without being decoded; a frame of many messages says
how many it holds near its beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from context_bus.bus.tallies import messages_in
from context_bus.cli.listen import Listener, report_link
from context_bus.cli.meter import Meter, Rate
from context_bus.errors import RequestTimeout

#: Seconds between two reports.
INTERVAL = 1.0
#: Messages over which to measure a slow topic.
MANY = 10_000


def measure(
    endpoint: str,
    topics: Sequence[str],
    *,
    window: int | None,
    count: int | None,
    timeout: float | None,
    report: Callable[[Rate], None],
) -> None:
    """Measure topics until ``count`` reports were made, or until nothing comes any more.

    Args:
        endpoint: Where to listen.
        topics: Exact topics; none means every one.
        window: Messages over which to measure; None for many, and at least those of a second.
        count: Reports to make; None for ever.
        timeout: Seconds of silence after which to end; None never.
        report: Called about once a second while messages come.

    Raises:
        RequestTimeout: Nothing came within ``timeout``.
    """
    meter, made = Meter(window) if window else Meter(MANY, INTERVAL), 0
    with Listener([endpoint], topics, on_link=report_link, whole=False) as listener:
        heard = time.monotonic()
        report_at = heard + INTERVAL
        reported = 0
        while count is None or made < count:
            silent_at = float("inf") if timeout is None else heard + timeout
            frames = listener.receive(min(silent_at, report_at))
            now = time.monotonic()
            if frames:
                heard = now
                _note(meter, frames, now)
            elif now >= silent_at:
                break
            if now >= report_at:
                rate = meter.rate() if meter.total > reported else None
                report_at, reported = now + INTERVAL, meter.total
                if rate is not None:
                    report(rate)
                    made += 1
    if not made and (rate := meter.rate()) is not None:
        report(rate)
    elif not made:
        what = "only one message" if meter.total else "no message"
        raise RequestTimeout(f"{what} within {timeout or 0:g} s")


def _note(meter: Meter, frames: Sequence[bytes], now: float) -> None:
    sizes = list(map(len, frames))
    messages = sum(map(messages_in, frames))
    meter.note(now, messages, sum(sizes), min(sizes), max(sizes))
