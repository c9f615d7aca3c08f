"""The task of service Alert."""

import msgspec

from context_bus import Task, subscribe


class Rates(msgspec.Struct):
    """What this service reads of the rates."""

    error_ratio: float
    p95: float


class Alerting(Task):
    """Raises an alert when errors or slow answers exceed their limits"""

    #: Share of requests that may fail, 0 to 1.
    max_error_ratio: float
    #: Seconds within which 95 of 100 requests must be answered.
    max_p95: float

    def setup(self) -> None:
        """Begin without an alert."""
        self._raised: frozenset[str] = frozenset()

    @subscribe("access.rates")
    def on_rates(self, rates: Rates) -> None:
        """Tell of an alert once when it is raised and once when it is over."""
        exceeded = self.exceeded(rates)
        for what in sorted(exceeded - self._raised):
            self._tell("raised", what, rates)
        for what in sorted(self._raised - exceeded):
            self._tell("over", what, rates)
        self._raised = exceeded

    def exceeded(self, rates: Rates) -> frozenset[str]:
        """What is beyond its limit."""
        limits = {"error_ratio": self.max_error_ratio, "p95": self.max_p95}
        return frozenset(what for what, limit in limits.items() if getattr(rates, what) > limit)

    def _tell(self, alert: str, what: str, rates: Rates) -> None:
        value = getattr(rates, what)
        self.logger.warning("alert %s: %s is %g", alert, what, value)
        self.notify("updated", items={"alert": alert, "what": what, "value": value})
