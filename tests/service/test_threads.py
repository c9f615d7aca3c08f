from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from context_bus.config.model import ServiceType
from context_bus.errors import ServiceError
from context_bus.process.ending import end_now
from context_bus.service.boot import Boot, Command, Outcome
from context_bus.service.threads import Carrier
from tests.service.conftest import SOON, Site

LOOPED = """
class Work(Task):
    def run(self):
        self.notify("updated", items={"n": 0})
        self.wait(60)
"""
DEAF = """
import time
class Work(Task):
    def run(self):
        self.notify("updated")
        time.sleep(300)
"""


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    carrier = Carrier("threads")
    yield carrier
    end_now([carrier.child])
    carrier.child.close()


def _boot(site: Site, instance: str, service_id: str, **more: float) -> Boot:
    return replace(site.boot(instance, service_id=service_id, kind=ServiceType.THREAD), **more)  # type: ignore[arg-type]


def _outcomes(carrier: Carrier, count: int) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    while len(found) < count:
        assert select.select([carrier.child.channel], [], [], SOON)[0], f"{found} only"
        found |= {each.service_id: each for each in carrier.outcomes()}
    return found


def test_thread_services_run_and_stop_one_by_one(site: Site, carrier: Carrier) -> None:
    """Each is its own service; all have the pid of the process they share."""
    site.write("Loop", LOOPED)
    for service_id in ("ts_1", "ts_2"):
        carrier.host(_boot(site, "Loop", service_id))
        action, status = site.report(service_id)
        assert (action, status["pid"]) == ("started", carrier.child.pid)
        assert site.report(service_id)[0] == "updated"
    carrier.tell(Command("stop", "ts_1"))
    assert site.report("ts_1")[0] == "stopped"
    assert _outcomes(carrier, 1)["ts_1"].commanded
    carrier.tell(Command("stop", "ts_2"))
    assert site.report("ts_2")[0] == "stopped"
    assert carrier.child.exitcode is None


def test_thread_service_restarts_with_edited_code(site: Site, carrier: Carrier) -> None:
    """Its modules get fresh names, so the same process runs the new code."""
    for number in range(3):
        site.write("Loop", LOOPED.replace("0}", f"{number}}}"))
        carrier.host(_boot(site, "Loop", "ts_1"))
        assert site.report()[0] == "started"
        assert site.report()[1]["n"] == number
        carrier.tell(Command("stop", "ts_1"))
        assert site.report()[0] == "stopped"
        _outcomes(carrier, 1)


def test_failure_of_one_thread_leaves_the_others(site: Site, carrier: Carrier) -> None:
    """A service that cannot even be imported is its own affair."""
    site.write("Loop", LOOPED)
    site.write("Bad", "class Work(Task):\n    def run(self):\n        raise ValueError('wanted')\n")
    carrier.host(_boot(site, "Loop", "ts_1"))
    carrier.host(_boot(site, "Bad", "ts_2"))
    carrier.host(_boot(site, "Missing", "ts_3"))
    outcomes = _outcomes(carrier, 2)
    assert outcomes["ts_2"].reason == "ValueError: wanted"
    assert outcomes["ts_3"].reason.startswith("no directory Missing/")
    assert site.actions(2, "ts_1") == ["started", "updated"]
    carrier.tell(Command("stop", "ts_1"))
    assert _outcomes(carrier, 1)["ts_1"].kind == "stopped"


def test_created_thread_service_waits_for_its_start(site: Site, carrier: Carrier) -> None:
    """Deferred threads are like deferred processes."""
    site.write("Loop", LOOPED)
    carrier.host(replace(_boot(site, "Loop", "ts_1"), run_now=False))
    assert site.report()[0] == "created"
    carrier.tell(Command("start", "ts_1"))
    assert site.actions(2) == ["started", "updated"]


def test_thread_that_does_not_stop_is_left_behind(site: Site, carrier: Carrier) -> None:
    """It cannot be killed; its service is over all the same, and says why."""
    site.write("Deaf", DEAF)
    carrier.host(_boot(site, "Deaf", "ts_1", grace=0.2))
    assert site.actions(2) == ["started", "updated"]
    carrier.tell(Command("stop", "ts_1"))
    assert site.report()[0] == "stopped"
    assert _outcomes(carrier, 1)["ts_1"].reason.startswith("did not stop within 0.2 s")


@pytest.mark.parametrize("by_signal", [False, True])
def test_process_ends_with_all_its_services_in_order(site: Site, carrier: Carrier, by_signal: bool) -> None:
    """One word, or SIGTERM, stops all of them, each with its ``stopped``."""
    site.write("Loop", LOOPED)
    for number in range(3):
        carrier.host(_boot(site, "Loop", f"ts_{number}"))
    for number in range(3):
        assert site.actions(2, f"ts_{number}") == ["started", "updated"]
    if by_signal:
        os.kill(carrier.child.pid, signal.SIGTERM)
    else:
        carrier.tell(Command("stop"))
    assert carrier.child.wait(SOON) == 0
    assert {each.service_id: each.commanded for each in carrier.outcomes()} == dict.fromkeys(
        ["ts_0", "ts_1", "ts_2"], True
    )


def test_dead_process_takes_no_service(site: Site, carrier: Carrier) -> None:
    """The provider learns it when it tries, as an error with the pid."""
    os.kill(carrier.child.pid, signal.SIGKILL)
    carrier.child.wait(SOON)
    site.write("Loop", LOOPED)
    with pytest.raises(ServiceError, match=f"process {carrier.child.pid} of threads is gone"):
        carrier.host(_boot(site, "Loop", "ts_1"))
