"""The loop of ``bus hz`` and ``bus bw``: count frames, or look at some of many, and report every second.

Frames that are counted are drained from the socket and not decoded; a frame of many messages says how many
it holds near its beginning. Where more come than a tool should take, and all are numbered, it listens for
some milliseconds of each second only: the numbers tell the rest, and nobody is slowed down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from context_bus.bus.tallies import messages_in
from context_bus.cli.listen import Listener, report_link
from context_bus.cli.meter import Meter, Rate
from context_bus.cli.sampling import Sampler
from context_bus.errors import RequestTimeout

#: Seconds between two reports.
INTERVAL = 1.0
#: Messages over which to measure a slow topic.
MANY = 10_000
#: Messages a second from which on it is enough to look at some.
HIGH = 10_000
#: Seconds of a look, from the first message that comes.
LOOK = 0.01
#: Seconds at the beginning after which it is decided whether to count or to look.
FIRST = 0.1


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
    with Listener([endpoint], topics, on_link=report_link, whole=False) as listener:
        measuring = _Measuring(listener, report, count, timeout)
        if window:
            measuring.count_all(Meter(window), is_looking_allowed=False)
        else:
            while measuring.count_all(Meter(MANY, INTERVAL)) and measuring.look():
                pass


class _Measuring:
    """One measurement, by turns of either kind.

    Args:
        listener: Where frames come from.
        report: Takes each report.
        count: Reports to make; None for ever.
        timeout: Seconds of silence after which to end; None never.
    """

    def __init__(
        self, listener: Listener, report: Callable[[Rate], None], count: int | None, timeout: float | None
    ) -> None:
        self._listener, self._report, self._left = listener, report, count
        self._timeout = timeout
        self._patience = float("inf") if timeout is None else timeout
        self._heard = time.monotonic()
        self._made = 0
        self._total = 0

    @property
    def _is_over(self) -> bool:
        return self._left is not None and self._made >= self._left

    def _say(self, rate: Rate) -> None:
        self._report(rate)
        self._made += 1

    def count_all(self, meter: Meter, *, is_looking_allowed: bool = True) -> bool:
        """Count everything; True when it is time to look at some only, False at the end.

        Raises:
            RequestTimeout: Nothing came in time.
        """
        began = time.monotonic()
        meter.total = reported = self._total
        report_at, decide_at = began + INTERVAL, began + FIRST
        some: list[bytes] = []
        while not self._is_over:
            silent_at = self._heard + self._patience
            frames = self._listener.receive(min(silent_at, report_at))
            now = time.monotonic()
            if frames:
                self._heard, some = now, frames
                _note(meter, frames, now)
            elif now >= silent_at:
                self._end(meter)
                return False
            if is_looking_allowed and now >= decide_at:
                decide_at = now + INTERVAL
                if _is_high(meter) and Sampler.can_measure(some):
                    self._total = meter.total
                    return True
            if now >= report_at:
                rate = meter.rate() if meter.total > reported else None
                report_at, reported = now + INTERVAL, meter.total
                if rate is not None:
                    self._say(rate)
        return False

    def look(self) -> bool:
        """Look at some messages each second; True when it is time to count all, False at the end."""
        sampler = Sampler(self._total)
        try:
            while not self._is_over:
                began = time.monotonic()
                frames = self._window(began)
                if not frames:
                    return True
                rate = sampler.look(frames)
                self._total = sampler.total
                if rate is not None:
                    self._say(rate)
                    if rate.rate < HIGH / 2 or not Sampler.can_measure(frames[:MANY]):
                        return True
                self._rest(began + INTERVAL)
        finally:
            self._listener.resume()
        return False

    def _window(self, began: float) -> list[bytes]:
        """Listen from the first message on for as long as a look takes; empty if none comes in a while."""
        self._listener.resume()
        until = began + INTERVAL
        taken: list[bytes] = []
        while time.monotonic() < until:
            frames = self._listener.receive(until)
            if frames and not taken:
                until = min(until, time.monotonic() + LOOK)
            taken += frames
        self._listener.pause()
        if taken:
            self._heard = time.monotonic()
        return taken

    def _rest(self, until: float) -> None:
        """Take nothing in until it is time for the next look."""
        while time.monotonic() < until and not self._is_over:
            self._listener.receive(until)

    def _end(self, meter: Meter) -> None:
        """End in silence; with what there is, if nothing was reported yet."""
        if self._made:
            return
        if (rate := meter.rate()) is not None:
            self._say(rate)
            return
        what = "only one message" if meter.total else "no message"
        raise RequestTimeout(f"{what} within {self._timeout or 0:g} s")


def _is_high(meter: Meter) -> bool:
    rate = meter.rate()
    return rate is not None and rate.rate >= HIGH


def _note(meter: Meter, frames: Sequence[bytes], now: float) -> None:
    sizes = list(map(len, frames))
    messages = sum(map(messages_in, frames))
    meter.note(now, messages, sum(sizes), min(sizes), max(sizes))
