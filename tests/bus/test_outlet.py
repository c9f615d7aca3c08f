"""A socket of one's own to publish on."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import zmq

from context_bus.bus.outlet import Outlet
from context_bus.errors import EndpointError, FrameError
from context_bus.testing.wait import wait_until


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A path short enough for a socket."""
    return str(tmp_path / "s")


def test_listener_hears_the_frame() -> None:
    """A listener that connects gets topic and text as they are; nobody is waited for."""
    outlet = Outlet("tcp://127.0.0.1:*")
    context = zmq.Context()
    listener = context.socket(zmq.SUB)
    listener.linger = 0
    listener.subscribe(b"monitor @@@ ")
    listener.connect(outlet.endpoint)
    try:

        def heard() -> bool:
            outlet.send("monitor", b"{}")
            return bool(listener.poll(10))

        wait_until(heard, 10.0, "a frame")
        assert listener.recv() == b"monitor @@@ {}"
        with pytest.raises(FrameError):
            outlet.send("two @@@ topics", b"{}")
    finally:
        listener.close()
        context.term()
        outlet.close()


def test_path_of_somebody_who_listens_is_not_taken_over(place: str) -> None:
    """libzmq would do so without a word; one that was left behind is used again."""
    first = Outlet(f"ipc://{place}")
    with pytest.raises(EndpointError, match="another process listens there"):
        Outlet(f"ipc://{place}")
    first.close()
    assert not Path(place).exists()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(place)
    Outlet(f"ipc://{place}").close()


def test_file_in_the_way_is_not_removed(place: str) -> None:
    """libzmq would do that, too."""
    Path(place).write_text("precious")
    with pytest.raises(EndpointError, match="a file is there"):
        Outlet(f"ipc://{place}")
    assert Path(place).read_text() == "precious"


def test_endpoint_open_to_others_has_to_be_meant() -> None:
    """With the harm in words."""
    with pytest.raises(EndpointError, match="could read what is published"):
        Outlet("tcp://0.0.0.0:*")
    Outlet("tcp://0.0.0.0:*", insecure=True).close()
