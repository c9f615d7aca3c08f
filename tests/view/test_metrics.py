"""What Prometheus reads: names and units by its conventions, values that are true, an answer at all times."""

from __future__ import annotations

import re
import socket
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse
from prometheus_client.samples import Sample

from context_bus.client.endpoints import Endpoints
from context_bus.client.whereabouts import endpoints_of
from context_bus.context.states import State
from context_bus.errors import EndpointError
from context_bus.testing.wait import wait_until
from context_bus.view.exposing import served, text_of
from context_bus.view.live import Live
from tests.e2e.project import free_ports
from tests.e2e.shells import Supervised

#: Units that Prometheus knows, as the ends of names without ``_total``.
UNITS = ("seconds", "bytes", "ratio", "info", "messages", "lost", "rejected", "restarts")
#: Gauges that count things, or say yes and no.
PLAIN = ("_up", "_wanted", "_frozen", "_state", "_threads", "_open_fds", "_child_processes")


def samples(text: bytes) -> dict[str, list[Sample]]:
    """Samples by name, as Prometheus' own parser reads them."""
    found: dict[str, list[Sample]] = {}
    for family in parse(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def value(text: bytes, name: str, **labels: str) -> float:
    """The one sample with these labels."""
    (one,) = (each for each in samples(text)[name] if labels.items() <= each.labels.items())
    return float(one.value)


@pytest.fixture
def nobody() -> Iterator[Live]:
    """Eyes on a port where there is nobody."""
    listen, publish = (f"tcp://127.0.0.1:{port}" for port in free_ports())
    with Live(Endpoints(listen, publish)) as live:
        yield live


def test_states_restarts_and_figures_are_those_of_the_services(live: Live) -> None:
    """One state of all is 1; figures are in base units; who has no process has no figures."""
    text = text_of(live)
    (stay,) = (each for each in live.latest.services if each.service_id == "stay")
    labels = {"context": "Supervised", "transaction": "T1", "service": "stay"}
    assert value(text, "context_bus_provider_up") == 1
    states = {
        each.labels["state"]: each.value
        for each in samples(text)["context_bus_service_state"]
        if each.labels["service"] == "fail"
    }
    assert set(states) == set(map(str, State))
    assert [state for state, is_it in states.items() if is_it] == ["fatal"]
    assert value(text, "context_bus_service_up", **labels) == 1
    assert value(text, "context_bus_service_up", service="fail") == 0
    assert value(text, "context_bus_service_restarts_total", service="fail") == 1
    assert stay.usage is not None
    assert value(text, "context_bus_service_resident_memory_bytes", **labels) == stay.usage.rss * 2**20
    assert value(text, "context_bus_service_threads", **labels) == 1
    assert value(text, "context_bus_service_start_time_seconds", **labels) == stay.usage.create_time
    measured = {each.labels["service"] for each in samples(text)["context_bus_service_threads"]}
    assert measured == {"stay", "talk"}


def test_messages_are_counted_by_topic_and_sender(ticking: Supervised) -> None:
    """What a service publishes, what passes the forwarder, how long it takes."""
    with Live(lambda: endpoints_of(ticking.shell.file, None, None)) as live:
        labels = {"topic": "ticks", "sender": "tick", "transaction": "T1"}
        text = text_of(live)
        wait_until(
            lambda: "ticks" in text_of(live).decode(), 20, lambda: f"messages of tick: {live.latest.bus}"
        )
        text = text_of(live)
        assert value(text, "context_bus_topic_messages_total", **labels) > 0
        assert value(text, "context_bus_topic_bytes_total", **labels) > 0
        assert value(text, "context_bus_topic_lost_total", **labels) == 0
        assert value(text, "context_bus_forwarder_received_messages_total") > 0


def test_names_follow_the_conventions(live: Live) -> None:
    """As `promtool check metrics` would have it: base units, help for each, counters end in ``_total``."""
    text = text_of(live).decode()
    for family in parse(text):
        assert re.fullmatch(r"context_bus_[a-z_]+", family.name), family.name
        assert family.documentation.endswith("."), family.name
        assert family.name.endswith((*UNITS, *PLAIN)), family.name
        assert not family.name.endswith("_total")
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total"), sample
            assert ("quantile" in sample.labels) <= (family.type == "summary"), sample
            assert sample.labels.get("context") == "Supervised"
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    series = [line.rpartition(" ")[0] for line in lines]
    assert len(series) == len(set(series))


def test_provider_that_is_gone_is_down_and_nothing_of_its_services_is_told(
    live: Live, shop: Supervised
) -> None:
    """What they were is no measurement of now."""
    assert "context_bus_service_up" in samples(text_of(live))
    shop.kill()
    found = samples(text_of(live))
    (up,) = found["context_bus_provider_up"]
    assert (up.value, up.labels) == (0, {"context": "Supervised"})
    assert not [name for name in found if name.startswith("context_bus_service")]


def test_scrape_is_answered_without_a_provider(nobody: Live) -> None:
    """Over HTTP, in the format that Prometheus asks for."""
    with served(nobody, "127.0.0.1", 0, insecure=False) as url:
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            text = answer.read()
        assert value(text, "context_bus_provider_up") == 0
        port = int(url.split(":")[2].split("/")[0])
        words = f"127.0.0.1:{port}: Address already in use; choose another"
        with (
            pytest.raises(EndpointError, match=words),
            served(nobody, "127.0.0.1", port, insecure=False),
        ):
            pass
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_other_machines_are_kept_out_unless_that_is_meant(nobody: Live) -> None:
    """As with the forwarder's endpoints."""
    with pytest.raises(EndpointError, match="--insecure"), served(nobody, "0.0.0.0", 0, insecure=False):
        pass
