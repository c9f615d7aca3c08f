from __future__ import annotations

import pickle

import pytest

from context_bus.config.model import Action, TaskServiceConf, Transition, Trigger
from context_bus.errors import ServiceError
from context_bus.service.boot import Boot, Command, Outcome


def test_boot_pickles() -> None:
    """It crosses into the process it boots."""
    conf = TaskServiceConf(
        "ts_1", "Echo", "echo", transitions=(Transition(Trigger.ON_EXIT, Action.START, ("ts_2",)),)
    )
    boot = Boot(conf, "TX", "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", prepare=print)
    assert pickle.loads(pickle.dumps(boot)) == boot


def test_outcome_and_command_survive_the_channel() -> None:
    """Both are JSON: what comes out of a user's process is never unpickled."""
    outcome = Outcome("failed", True, "because", "file.py:1", "Traceback", False, "ts_1")
    assert Outcome.decode(outcome.encode()) == outcome
    assert Command.decode(Command("stop", "ts_1").encode()) == Command("stop", "ts_1")


@pytest.mark.parametrize("message", [b"", b"{", b'{"kind": "sung"}', b"\x80\x04N.", b"[]"])
def test_outcome_that_cannot_be_read_is_an_error(message: bytes) -> None:
    """A service that writes to the channel by itself harms nobody but itself."""
    with pytest.raises(ServiceError, match="cannot be read"):
        Outcome.decode(message)


@pytest.mark.parametrize("message", [b"", b'{"action": "dance"}', b"{}"])
def test_command_that_cannot_be_read_is_an_error(message: bytes) -> None:
    """Only start and stop are commands."""
    with pytest.raises(ServiceError, match="cannot be read"):
        Command.decode(message)
