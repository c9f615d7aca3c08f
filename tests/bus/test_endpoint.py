"""What may be bound, and how refusals are worded."""

from __future__ import annotations

import pytest

from context_bus.bus.endpoint import check_bind, free_endpoint, is_loopback, split_endpoint
from context_bus.errors import EndpointError


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://127.0.0.1:5556",
        "tcp://127.9.9.9:0",
        "tcp://localhost:1",
        "tcp://[::1]:5556",
        "ipc:///tmp/x",
        "inproc://x",
    ],
)
def test_loopback_may_be_bound(endpoint: str) -> None:
    """What only this machine reaches needs no permission."""
    assert is_loopback(endpoint)
    check_bind(endpoint, insecure=False)


@pytest.mark.parametrize(
    "endpoint", ["tcp://*:5556", "tcp://0.0.0.0:5556", "tcp://[::]:5556", "tcp://10.1.2.3:5556"]
)
def test_open_endpoint_is_refused_with_the_remedy(endpoint: str) -> None:
    """A wildcard or a foreign address is refused unless it is meant."""
    with pytest.raises(EndpointError, match=r"refused to bind .*--insecure"):
        check_bind(endpoint, insecure=False)
    check_bind(endpoint, insecure=True)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "5556",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://:5556",
        "udp://127.0.0.1:1",
        "tcp://127.0.0.1:70000",
        "tcp://127.0.0.1:ssh",
    ],
)
def test_malformed_endpoint_is_one_clear_line(endpoint: str) -> None:
    """The message names the endpoint, even when insecure endpoints are allowed."""
    with pytest.raises(EndpointError) as failure:
        check_bind(endpoint, insecure=True)
    assert repr(endpoint) in str(failure.value)
    assert "\n" not in str(failure.value)


def test_free_endpoint_names_a_port() -> None:
    """The port is a number that was free."""
    transport, host, port = split_endpoint(free_endpoint())
    assert (transport, host) == ("tcp", "127.0.0.1")
    assert int(port) > 0
