"""Rows of the checklist about services: what they report and in which order, both types, throughput."""

from __future__ import annotations

import time

import pytest

from tests.e2e.blackbox import Provider, tasks_of
from tests.e2e.project import Service, new_transaction
from tests.e2e.wire import Seen

_TALKER = '''
"""A task that talks as fast as it is told to."""

from context_bus import Task, TaskService


class Talking(Task):
    """Sends a number of updates each hundredth of a second."""

    burst: int = 10

    def run(self) -> None:
        number = 0
        while not self.wait(0.01):
            for _ in range(self.burst):
                number += 1
                self.notify("updated", items={"number": number})


class ServiceTalker(TaskService):
    """The service around it."""

    task_class = Talking
'''

_COUNTER = '''
"""A task that counts to a number and ends."""

from context_bus import Task, TaskService


class Counting(Task):
    """Reports each number."""

    last: int = 3

    def run(self) -> None:
        for number in range(1, self.last + 1):
            self.notify("updated", items={"number": number, "of": {"last": [self.last]}})


class ServiceCounter(TaskService):
    """The service around it."""

    task_class = Counting
'''


def test_row_14_single_task_reports_started_then_stopped_100_times(provider: Provider) -> None:
    """A task that ends at once says started, then stopped, and is recorded as stopped; 100 of 100."""
    services = [Service(f"ts_{n}", configuration={"behaviour": "finish"}) for n in range(10)]
    transactions = [new_transaction() for _ in range(10)]
    wrong = []
    for transaction in transactions:
        provider.command("start", transaction, services)
        for service in services:
            provider.wire.report("stopped", service.id, transaction)
            said = provider.wire.reports(transaction, service.id)
            if [seen.action for seen in said] != ["started", "stopped"]:
                wrong.append((transaction, service.id, [seen.brief() for seen in said]))
    assert wrong == []
    for transaction in transactions:
        provider.ask("stop", transaction)  # answered after all ends are in the record
        tasks = tasks_of(provider.record(transaction))
        assert len(tasks) == len(services)
        assert {task["action"] for task in tasks.values()} == {"stopped"}


def test_row_14_natural_end_is_recorded_as_stopped(provider: Provider, transaction: str) -> None:
    """Without any command, the record of a finished task is ``stopped`` and has no pid."""
    service = Service("ts_1", configuration={"behaviour": "finish"})
    provider.command("start", transaction, [service])

    def is_recorded(seen: Seen) -> bool:
        for entry in seen.status.get("data", []):
            for task in entry.get(transaction, {}).get("tasks", []):
                return bool(task["action"] == "stopped" and task["state"] == "success" and not task["pid"])
        return False

    provider.wire.wait_for(is_recorded, "a record of the finished task without a pid")


def test_row_14_reports_carry_pid_device_action_and_items(provider: Provider, transaction: str) -> None:
    """Reports of one service come in order, each with what belongs to it and nothing of another's."""
    provider.project.write_service("Counter", _COUNTER)
    service = Service("ts_1", "Counter", configuration={"device_action": "count", "last": "3"})
    provider.command("start", transaction, [service])
    provider.wire.report("stopped", "ts_1", transaction)
    said = provider.wire.reports(transaction)
    assert [seen.action for seen in said] == ["started", *["updated"] * 3, "stopped"]
    assert [seen.status.get("number") for seen in said] == [None, 1, 2, 3, None]
    assert {seen.status["device_action"] for seen in said} == {"count"}
    assert {seen.status["result"] for seen in said} == {"success"}
    assert said[1].status["of"] == {"last": [3]}
    pid = said[0].status["pid"]
    assert isinstance(pid, int)
    assert {seen.status.get("pid", pid) for seen in said} == {pid}


@pytest.mark.parametrize("service_type", ["Process", "Thread"])
def test_row_29_both_types_run_restart_and_stop(
    provider: Provider, transaction: str, service_type: str
) -> None:
    """A service of either type runs, restarts, finishes by itself and stops."""
    wire = provider.wire
    steady = Service("ts_1", service_type=service_type, configuration={"behaviour": "update", "words": "w"})
    brief = Service("ts_2", service_type=service_type, configuration={"behaviour": "finish"})
    provider.command("start", transaction, [steady, brief])
    pid = wire.report("started", "ts_1", transaction).status["pid"]
    assert pid in provider.processes()
    assert pid != provider.process.pid, "user code runs in the provider"
    assert wire.report("updated", "ts_1", transaction).status["words"] == "w"
    wire.report("stopped", "ts_2", transaction)
    since = wire.now
    provider.command("restart", transaction, [steady])
    wire.report("updated", "ts_1", transaction, since)
    said = [seen.action for seen in wire.reports(transaction, "ts_1", since)]
    assert said == ["stopped", "started", "updated"]
    since = wire.now
    assert provider.ask("stop", transaction)["verbs"][-1] == "done"
    assert [seen.action for seen in wire.reports(transaction, since=since)] == ["stopped"]
    tasks = tasks_of(provider.record(transaction))
    assert {task["action"] for task in tasks.values()} == {"stopped"}


def test_row_29_threads_of_a_transaction_share_a_process(provider: Provider, transaction: str) -> None:
    """Thread services of one transaction have one pid; stopping one leaves the other running."""
    wire = provider.wire
    one, two = (Service(name, service_type="Thread") for name in ("ts_1", "ts_2"))
    provider.command("start", transaction, [one, two])
    pids = {wire.report("started", name, transaction).status["pid"] for name in ("ts_1", "ts_2")}
    assert len(pids) == 1
    provider.wait_recorded("started", "ts_2", transaction)
    assert provider.ask("stop", transaction, [one])["verbs"][-1] == "done"
    tasks = tasks_of(provider.record(transaction))
    assert (tasks["ts_1"]["action"], tasks["ts_2"]["action"]) == ("stopped", "started")
    assert pids <= provider.processes().keys()


def test_row_33_thousand_updates_a_second_do_not_delay_a_stop(provider: Provider, transaction: str) -> None:
    """While a service sends 1,000 updates a second, a stop of it and of another takes under a second."""
    wire = provider.wire
    provider.project.write_service("Talker", _TALKER)
    talker = Service("ts_talk", "Talker", configuration={"burst": "11"})
    provider.command("start", transaction, [talker, Service("ts_calm")])
    first = wire.report("updated", "ts_talk", transaction)
    last = wire.wait_for(lambda seen: _number(seen, transaction) == 3000, "3,000 updates", timeout=20.0)
    rate = 2999 / (last.at - first.at)
    assert rate > 800, f"only {rate:.0f} updates/s were offered"
    for service_id in ("ts_calm", "ts_talk"):
        start = time.monotonic()
        provider.command("stop", transaction, [Service(service_id)])
        wire.report("stopped", service_id, transaction)
        assert time.monotonic() - start < 1.0, f"stop of {service_id} at {rate:.0f} updates/s"
    numbers = [
        seen.status["number"] for seen in wire.reports(transaction, "ts_talk") if "number" in seen.status
    ]
    assert numbers == list(range(1, len(numbers) + 1)), "updates were lost or out of order"


def _number(seen: Seen, transaction: str) -> int:
    return int(seen.status.get("number", 0)) if seen.transaction == transaction else 0


def test_row_33_twenty_services_start_in_under_three_seconds(provider: Provider, transaction: str) -> None:
    """From the command to the last of 20 ``started`` in under 3 s; and to the last ``stopped``."""
    services = [Service(f"ts_{number}") for number in range(20)]
    for action, report in (("start", "started"), ("stop", "stopped")):
        start = time.monotonic()
        provider.command(action, transaction, services)
        for service in services:
            provider.wire.report(report, service.id, transaction)
        assert time.monotonic() - start < 3.0, action
    pids = {seen.status["pid"] for seen in provider.wire.reports(transaction) if seen.action == "started"}
    assert len(pids) == 20
