"""What is known of a provider as Prometheus reads it. Knows prometheus-client; serves nothing.

Each scrape asks the provider. One that is gone is told by ``context_bus_provider_up 0``, and nothing is told
of its services: what they were once is no measurement of now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from context_bus.context.states import State
from context_bus.process.usage import Usage
from context_bus.view.counting import Counting, Names
from context_bus.view.live import Live
from context_bus.view.owners import by_owner
from context_bus.view.snapshot import RUNNING, ServiceView, Snapshot

#: What all names begin with.
PREFIX = "context_bus_"
#: Labels of everything about a service.
SERVICE = ("context", "transaction", "service")
#: Labels of everything about a topic.
TOPIC = ("context", "topic", "sender", "transaction")
MIB = 1024 * 1024
#: Percentiles of delays by the label that Prometheus knows them by.
_QUANTILES = {"0.5": "p50", "0.9": "p90", "0.99": "p99"}

#: Gauges of a service: name, help, and its value; None where there is none.
_Value = Callable[[ServiceView, Snapshot], float | None]
_GAUGES: tuple[tuple[str, str, _Value], ...] = (
    ("service_up", "1 if the service does its work.", lambda s, _: s.phase in RUNNING and not s.frozen),
    ("service_wanted", "1 if the service is to run.", lambda s, _: s.wanted),
    ("service_frozen", "1 if a signal has stopped its process.", lambda s, _: s.frozen),
    (
        "service_uptime_seconds",
        "Age of its process.",
        lambda s, found: s.uptime(found.at),
    ),
)
#: Gauges of what a service uses.
_Figure = Callable[[Usage], float]
_USAGE: tuple[tuple[str, str, _Figure], ...] = (
    ("service_start_time_seconds", "Start of its process since the epoch.", lambda u: u.create_time),
    ("service_resident_memory_bytes", "Resident memory of its process.", lambda u: u.rss * MIB),
    ("service_virtual_memory_bytes", "Address space of its process.", lambda u: u.vms * MIB),
    ("service_threads", "Threads of its process.", lambda u: u.threads),
    ("service_open_fds", "Open descriptors of its process.", lambda u: u.descriptors),
    ("service_child_processes", "Processes that descend from its process.", lambda u: u.processes),
    (
        "service_tree_resident_memory_bytes",
        "Resident memory of its process and all that descend from it.",
        lambda u: u.total.rss * MIB,
    ),
    (
        "service_tree_cpu_ratio",
        "CPU time per second of its process and all that descend from it; 1 is one core.",
        lambda u: u.total.cpu_percent / 100,
    ),
)


class ProviderCollector(Collector):
    """Asks a provider whenever somebody scrapes.

    Args:
        live: What is known of it.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._counting = Counting()

    def describe(self) -> Iterable[Metric]:
        """Nothing: whoever registers this need not wait for a provider."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Ask, and tell."""
        found = self._live.refresh()
        context = str(found.provider.get("name", ""))
        yield _gauge(
            "provider_up", "1 if the provider answers.", ("context",), [((context,), not found.trouble)]
        )
        if not found.trouble:
            yield from _provider(found, context)
            yield from _services(found, context)
            yield from _forwarder(found, context)
        # What has been counted stays counted.
        self._counting.take(found)
        yield from self._topics(found, context)

    def _topics(self, found: Snapshot, context: str) -> Iterator[Metric]:
        totals = [((context, *names), counts) for names, counts in self._counting.totals()]
        for name, text in (
            ("messages", "Messages that were published."),
            ("bytes", "Bytes of their frames, as far as their senders tell."),
            ("lost", "Messages known to be missing, at all receivers together."),
            ("rejected", "Messages that receivers could not decode."),
        ):
            values = [(labels, getattr(counts, name)) for labels, counts in totals]
            yield _counter(f"topic_{name}", text, TOPIC, values)
        yield self._delays(found, context)

    def _delays(self, found: Snapshot, context: str) -> Metric:
        # A summary without count and sum, which nobody knows: percentiles are of no other type.
        text = "Time from sending to handling, over the last ten seconds."
        family = Metric(f"{PREFIX}topic_latency_seconds", text, "summary")
        known = {names for names, _ in self._counting.totals()}
        for row in by_owner(found):
            names = Names(row.topic, row.sender, row.transaction)
            labels = dict(zip(TOPIC, (context, *names), strict=True))
            for quantile, field in _QUANTILES.items():
                value = getattr(row, field)
                if value is not None and names in known:
                    family.add_sample(family.name, labels | {"quantile": quantile}, value)
        return family


def _provider(found: Snapshot, context: str) -> Iterator[Metric]:
    provider = found.provider
    facts = (context, str(provider.get("context_id", "")), str(provider.get("version", "")))
    labels = ("context", "context_id", "version")
    yield _gauge("provider_info", "What the provider is.", labels, [(facts, 1)])
    started = provider.get("started_at")
    if isinstance(started, float):
        text = "Start of the provider since the epoch."
        yield _gauge("provider_start_time_seconds", text, ("context",), [((context,), started)])


def _services(found: Snapshot, context: str) -> Iterator[Metric]:
    rows = [((context, each.transaction, each.service_id), each) for each in found.services]
    states = [((*labels, state), each.phase == state) for labels, each in rows for state in map(str, State)]
    yield _gauge("service_state", "1 for the state that the service is in.", (*SERVICE, "state"), states)
    for name, text, value in _GAUGES:
        values = [(labels, given) for labels, each in rows if (given := value(each, found)) is not None]
        yield _gauge(name, text, SERVICE, values)
    text = "Starts of the service after its first one."
    yield _counter("service_restarts", text, SERVICE, [(labels, each.restarts) for labels, each in rows])
    used = [(labels, each.usage) for labels, each in rows if each.usage is not None]
    text = "CPU time of its process, user and system; begins anew with each start."
    yield _counter(
        "service_cpu_seconds", text, SERVICE, [(labels, usage.cpu_seconds) for labels, usage in used]
    )
    for name, text, figure in _USAGE:
        yield _gauge(name, text, SERVICE, [(labels, figure(usage)) for labels, usage in used])


def _forwarder(found: Snapshot, context: str) -> Iterator[Metric]:
    counted = found.forwarder
    if counted is None:
        return
    for name, text, value in (
        ("received_messages", "Messages that the forwarder took from publishers.", counted.received),
        ("received_bytes", "Bytes of them.", counted.received_bytes),
        ("sent_messages", "Messages that the forwarder passed on, each counted once.", counted.sent),
        ("sent_bytes", "Bytes of them.", counted.sent_bytes),
    ):
        yield _counter(f"forwarder_{name}", text, ("context",), [((context,), value)])


_Values = Iterable[tuple[tuple[str, ...], float]]


def _gauge(name: str, text: str, labels: tuple[str, ...], values: _Values) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, float(value))
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], values: _Values) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, float(value))
    return family
