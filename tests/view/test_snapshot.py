"""What was told, measured and counted of a service, put together."""

from __future__ import annotations

import pytest

from context_bus.client.asking import Services, Task, Transaction
from context_bus.process.usage import Usage
from context_bus.view.snapshot import KEPT, Histories, Rates, ServiceView, views
from tests.view.made import NOW, service, usage

KEY = ("T1", "web")


def view(task: Task, measured: Usage | None = None, histories: Histories | None = None) -> ServiceView:
    """The view of one service."""
    found = Services({}, (Transaction("T1", (task,)),))
    (one,) = views(found, {KEY: measured}, Rates({KEY: 3.0}), histories or Histories())
    return one


def test_figures_of_a_process_that_is_gone_are_not_those_of_the_next() -> None:
    """A sample may be older than the process that is there now."""
    task = Task(service_id="web", pid=7, phase="started", starts=2)
    assert view(task, usage("web", 7, cpu=5.0)).cpu_percent == 5.0
    for measured in (usage("web", 6, cpu=5.0), usage("web", 7, cpu=5.0, gone="vanished"), None):
        one = view(task, measured)
        assert (one.usage, one.cpu_percent, one.restarts, one.messages_per_second) == (None, 0.0, 1, 3.0)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"last_end": "stopped as told"}, ""),
        ({"last_end": "exit code 1"}, "exit code 1"),
        ({"last_end": "exit code 1", "complaint": "not ready"}, "not ready"),
        ({"reason": "again in 2 s", "last_end": "exit code 1"}, "again in 2 s"),
        ({"complaint": "not ready", "frozen": True}, "frozen: stopped by a signal, does not run"),
    ],
)
def test_what_is_wrong_now_stands_before_what_was(fields: dict[str, object], error: str) -> None:
    """And who was stopped because somebody said so has no error."""
    assert view(Task(service_id="web", **fields)).last_error == error  # type: ignore[arg-type]


def test_curves_are_two_minutes_long_and_forget_who_is_gone() -> None:
    """A service that has no process uses nothing; one that is no more is no more."""
    histories = Histories()
    for number in range(KEPT + 10):
        histories.add({KEY: usage("web", 7, cpu=float(number), rss=number)})
    histories.add({KEY: None})
    one = view(Task(service_id="web"), None, histories)
    assert len(one.cpu_history) == len(one.rss_history) == KEPT
    assert one.cpu_history[-2:] == (float(KEPT + 9), 0.0)
    histories.add({})
    assert histories.of(KEY) == ((), ())


def test_age_is_that_of_the_process() -> None:
    """A service that came to its state later than its process began is as old as that."""
    assert service("web").uptime(NOW) == 90
    assert service("web", usage=None).uptime(NOW) == 60
    assert service("web", pid=None).uptime(NOW) is None
