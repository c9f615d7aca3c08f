from __future__ import annotations

import pytest

from context_bus.service.task import Task
from context_bus.testing.bus import LocalBus
from context_bus.testing.service import ServiceRun


class Once(Task):
    words: list[str] = []  # noqa: RUF012

    def run(self) -> None:
        for word in self.words:
            self.notify("updated", items={"word": word})


def test_run_reports_as_a_service_does() -> None:
    """What a context would see is what the test sees."""
    with LocalBus() as bus, ServiceRun(Once, bus, {"words": ["a", "b"]}) as run:
        assert run.wait_for("stopped").content.result == "success"
        assert [each.header.action for each in run.reports] == ["started", "updated", "updated", "stopped"]
        assert run.wait().kind == "stopped"


def test_report_that_does_not_come_is_told_with_what_came() -> None:
    """A test that waits in vain says what happened instead."""
    with (
        LocalBus() as bus,
        ServiceRun(Once, bus, {"words": "a"}) as run,
        pytest.raises(AssertionError, match=r"no report 'sung' .* \['started', 'updated', 'stopped'\]"),
    ):
        run.wait_for("sung", timeout=0.5)


def test_deferred_service_starts_when_told() -> None:
    """As a context would start it."""
    with LocalBus() as bus, ServiceRun(Once, bus, run_now=False) as run:
        run.wait_for("created")
        run.start()
        run.wait_for("stopped")


def test_two_services_on_one_bus_hear_their_own_reports() -> None:
    """Each run listens to its own service."""
    with (
        LocalBus() as bus,
        ServiceRun(Once, bus, service_id="a") as a,
        ServiceRun(Once, bus, service_id="b") as b,
    ):
        a.wait_for("stopped")
        b.wait_for("stopped")
        assert {each.header.service_id for each in a.reports} == {"a"}
