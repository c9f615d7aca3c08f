"""Words of the checklist, and of the list of defects before it, that no other row's test is about."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.e2e.blackbox import Provider
from tests.e2e.lists import create
from tests.e2e.project import Project, Service, run_tool, the_error
from tests.e2e.shells import write

_RUSH = '''
"""A service that reports from several threads at once."""

import threading

from context_bus import Task, TaskService


class Rushing(Task):
    """Each thread changes its own dictionary in place, and reports it again and again."""

    def run(self) -> None:
        threads = [threading.Thread(target=self.rush, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def rush(self, name: str) -> None:
        items = {"thread": name, "inner": {"count": 0}}
        for count in range(50):
            items["inner"]["count"] = count
            items[f"only_{name}"] = count
            self.notify("updated", items=items)
            items["inner"]["count"] = -1


class ServiceRush(TaskService):
    """The service around it."""

    task_class = Rushing
'''

_BROKEN = '''
"""A service whose constructor fails."""

from context_bus import Task, TaskService


class Breaking(Task):
    """Has a constructor of its own."""

    def __init__(self, word: str) -> None:
        raise RuntimeError(f"no {word} today")


class ServiceBroken(TaskService):
    """The service around it."""

    task_class = Breaking
'''


def test_defect_15_reports_of_many_threads_are_whole_and_in_order(
    provider: Provider, transaction: str
) -> None:
    """Each as it was when it was reported, whatever became of the dictionary, and nobody else's in it."""
    provider.project.write_service("Rush", _RUSH)
    provider.command("start", transaction, [Service("ts_1", "Rush")])
    provider.wire.report("stopped", "ts_1", transaction)
    said = provider.wire.reports(transaction)
    assert [seen.action for seen in said] == ["started", *["updated"] * 200, "stopped"]
    for name in "abcd":
        own = [seen.status for seen in said if seen.status.get("thread") == name]
        assert [status["inner"]["count"] for status in own] == list(range(50))
        assert [status[f"only_{name}"] for status in own] == list(range(50))
        assert all({f"only_{other}" for other in "abcd" if other != name}.isdisjoint(each) for each in own)
    for seen in (said[0], said[-1]):
        assert {"thread", "inner"}.isdisjoint(seen.status)
    assert {seen.status["pid"] for seen in said if "pid" in seen.status} == {said[0].status["pid"]}


def test_defect_31_services_of_one_name_are_told_apart(provider: Provider, transaction: str) -> None:
    """Four of one class and one service name: a message for one reaches that one, deferred or not."""
    states = {"ts_1": "on_start", "ts_2": "on_start", "ts_3": "on_update", "ts_4": "on_update"}
    services = [Service(name, service_name="same", state=state) for name, state in states.items()]
    wire = provider.wire
    provider.command("start", transaction, services)
    first = {name: "started" if state == "on_start" else "created" for name, state in states.items()}
    reports = [wire.report(action, name, transaction) for name, action in first.items()]
    pids = [seen.status["pid"] for seen in reports]
    assert len(set(pids)) == 4
    for name, action in first.items():
        provider.wait_recorded(action, name, transaction)
    since = wire.now
    provider.process_message("start", transaction, services[3])
    assert wire.report("started", "ts_4", transaction, since).status["pid"] == pids[3]
    provider.process_message("stop", transaction, services[0])
    wire.report("stopped", "ts_1", transaction, since)
    tasks = provider.wait_until_recorded(
        transaction,
        lambda tasks: tasks["ts_1"]["action"] == "stopped" and tasks["ts_4"]["action"] == "started",
    )
    assert {name: task["action"] for name, task in tasks.items()} == {
        "ts_1": "stopped",
        "ts_2": "started",
        "ts_3": "created",
        "ts_4": "started",
    }
    assert [tasks[name]["pid"] for name in ("ts_2", "ts_3", "ts_4")] == pids[1:]
    about = [(seen.action, seen.service_id) for seen in wire.reports(transaction, since=since)]
    assert about == [("started", "ts_4"), ("stopped", "ts_1")]


@pytest.mark.parametrize("service_type", ["Process", "Thread"])
def test_row_15_constructor_that_fails_is_a_failure(
    provider: Provider, transaction: str, service_type: str
) -> None:
    """``failed`` with what was raised and where, and on_fail fires."""
    provider.project.write_service("Broken", _BROKEN)
    broken = Service(
        "ts_a",
        "Broken",
        service_type=service_type,
        configuration={"word": "luck"},
        transitions={"on_fail": ("start", "ts_b")},
    )
    provider.command("start", transaction, [Service("ts_b", state="on_fail"), broken])
    failed = provider.wire.report("failed", "ts_a", transaction, timeout=5.0)
    assert failed.status["result"] == "failure"
    assert "no luck today" in failed.status["reason"]
    assert "ServiceBroken.py" in str(failed.status)
    provider.wire.report("started", "ts_b", transaction, timeout=5.0)


def test_row_15_killed_service_leaves_no_zombie(provider: Provider, transaction: str) -> None:
    """Whoever its parent is has reaped it by the time that it is reported."""
    provider.command("start", transaction, [Service("ts_a")])
    pid = provider.wire.report("started", "ts_a", transaction).status["pid"]
    parents = [procs.parent(pid), provider.process.pid]
    os.kill(pid, signal.SIGKILL)
    provider.wire.report("failed", "ts_a", transaction, timeout=5.0)
    assert procs.state(pid) == ""
    assert [procs.zombies_of(each) for each in parents] == [[], []]


def test_row_24_what_a_list_leaves_out_has_a_default(project: Project, transaction: str) -> None:
    """No home, no log_on, no context_id, no location, no task type: it is looped, and runs from its path."""
    file = project.conf / "Services-Least.xml"
    file.write_text(
        "<MetaServiceConf><context_name>Least</context_name><server_ip>127.0.0.1</server_ip>"
        f"<sub_port>{project.sub_port}</sub_port><pub_port>{project.pub_port}</pub_port>"
        f"<service_path>{project.directory}</service_path>"
        "<Service><task_service>Walk</task_service><task_desc>Walks</task_desc>"
        "<service_name>walk_along</service_name><task_id>ts_1</task_id>"
        "<device_action>step</device_action><entry_action>on_start</entry_action></Service></MetaServiceConf>"
    )
    ended = create(file)
    assert ended.returncode == 0, ended
    context = project.conf / "Context-Least.xml"
    with Provider(project, context) as provider:
        assert provider.ask("start", transaction)["verbs"][-1] == "done"
        pid = provider.record(transaction)["tasks"][0]["pid"]
        assert procs.state(pid) in {"R", "S"}
        assert provider.ask("stop", transaction)["verbs"][-1] == "done"
        actions = [seen.action for seen in provider.wire.reports(transaction)]
        assert actions == ["started", "stopped"]


PROGRAMS = """
  <TaskService id="plain" serviceType="Command"><command>sleep 300</command></TaskService>
  <TaskService id="deaf" serviceType="Command">
    <command>sh -c 'trap "" TERM; setsid sleep 300 &amp; echo deaf; sleep 300; sleep 300'</command>
    <supervision><readiness type="log" target="deaf"/><stop grace="0.3"/></supervision>
  </TaskService>
  <TaskService id="fails" serviceType="Command"><command>false</command>
    <supervision><restart policy="on_failure" delay="60" max_delay="60"/></supervision></TaskService>
  <TaskService id="waits" serviceType="Command"><command>sleep 300</command>
    <supervision><requires service="fails" condition="completed"/></supervision></TaskService>
  <TaskService id="timed" serviceType="Command"><command>sleep 300</command>
    <supervision><schedule>0 0 1 1 *</schedule></supervision></TaskService>
"""


@pytest.mark.parametrize("way", ["exit", "SIGTERM", "SIGINT"])
def test_row_30_end_in_order_with_programs_in_every_state(project: Project, way: str) -> None:
    """One that runs, one that is deaf, in backoff, waiting, armed: nothing is left, and nothing begins."""
    with Provider(project, write(project, PROGRAMS)) as provider:
        provider.command("start", "T1")
        provider.wire.report("started", "plain", "T1")
        provider.wire.report("started", "deaf", "T1")
        provider.wire.report("failed", "fails", "T1")
        since = provider.wire.now
        if way == "exit":
            provider.command("exit", "T1")
            assert provider.wait_end() == 0
        else:
            provider.end(signal.Signals[way])
        for each in ("plain", "deaf"):
            provider.wire.report("stopped", each, "T1", since, timeout=1.0)
        assert not [seen for seen in provider.wire.reports("T1", since=since) if seen.action == "started"]


def test_row_31_either_port_alone_is_enough_to_be_refused(project: Project) -> None:
    """By whomever it is held; what a killed provider had running waits until the port is free."""
    file = project.write_context([Service("ts_1")])
    with Provider(project, file) as provider:
        assert provider.ask("start", "T1")["verbs"][-1] == "done"
        provider.process.kill()
        provider.process.wait(5)
        wait_until(project.ports_free, 5, "free ports")
    for port in (project.pub_port, project.sub_port):
        with socket.create_server(("127.0.0.1", port)):
            refusal = run_tool("service_context.py", file)
            assert refusal.returncode == 3
            assert f"cannot bind tcp://127.0.0.1:{port}" in the_error(refusal)
    with Provider(project, file) as provider:
        wait_until(
            lambda: provider.record("T1")["tasks"][0]["action"] == "started", 10, lambda: provider.output
        )
