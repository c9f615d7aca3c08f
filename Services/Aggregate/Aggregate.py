"""The task of service Aggregate."""

import math
import threading
from collections.abc import Sequence

import msgspec

from context_bus import Task, subscribe


class Hit(msgspec.Struct):
    """What this service reads of a record; a reader need not know all of it."""

    number: int
    status: int
    seconds: float | None


class Rates(msgspec.Struct):
    """What happened in one period."""

    requests: int
    per_second: float
    error_ratio: float
    #: Seconds within which 95 of 100 requests were answered; 0 if the log does not say.
    p95: float
    #: Lines of the log that gave no record: garbled, or lost while a service was away.
    missed: int


class Aggregating(Task):
    """Counts requests, errors and answer times of each second"""

    #: Seconds that are counted together.
    period: float = 1.0

    def setup(self) -> None:
        """Begin with nothing."""
        self._hits: list[Hit] = []
        self._last = 0
        # Handlers run in a thread of their own.
        self._lock = threading.Lock()

    @subscribe("access.record")
    def on_record(self, hit: Hit) -> None:
        """Keep a record until its period is over."""
        with self._lock:
            self._hits.append(hit)

    def run(self) -> None:
        """Publish the rates of every period until the service is stopped."""
        while not self.wait(self.period):
            with self._lock:
                hits, self._hits = self._hits, []
            rates = rates_of(hits, self.period, self._last)
            self._last = hits[-1].number if hits else self._last
            self.publish("access.rates", rates)
            if hits:
                self.notify("updated", items=msgspec.structs.asdict(rates))


def rates_of(hits: Sequence[Hit], period: float, last: int) -> Rates:
    """Sum up a period.

    Args:
        hits: Its records in the order of the log.
        period: Its seconds.
        last: Number of the last record before; 0 if there was none.
    """
    errors = sum(hit.status >= 500 for hit in hits)
    times = sorted(hit.seconds for hit in hits if hit.seconds is not None)
    # Numbers begin anew when the log is followed anew, and nobody knows those before the first.
    is_known = bool(hits) and 0 < last < hits[0].number
    return Rates(
        requests=len(hits),
        per_second=round(len(hits) / period, 1),
        error_ratio=round(errors / len(hits), 3) if hits else 0.0,
        p95=times[math.ceil(len(times) * 0.95) - 1] if times else 0.0,
        missed=hits[-1].number - last - len(hits) if is_known else 0,
    )
