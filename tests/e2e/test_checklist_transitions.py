"""Rows of the checklist about states and transitions: deferred services, triggers, several transactions."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.blackbox import Provider, tasks_of
from tests.e2e.project import TRIGGERS, Service, new_transaction
from tests.e2e.wire import Seen

#: What makes a service fire each of its triggers.
BEHAVIOUR = {"on_start": "idle", "on_update": "update", "on_fail": "fail", "on_exit": "finish"}
ACTIONS = ("start", "stop", "restart")


def _asked(provider: Provider, transaction: str, service_id: str, since: int = 0) -> list[Seen]:
    """Process messages about one service that a transition caused."""
    return [
        seen
        for seen in provider.wire.seen[since:]
        if seen.topic == "process"
        and (seen.service_id, seen.transaction) == (service_id, transaction)
        and seen.cause
    ]


def _caller(trigger: str, action: str, **configuration: str) -> Service:
    """A deferred service that fires a trigger when it is told to run."""
    return Service(
        "ts_a",
        state="on_update",
        transitions={trigger: (action, "ts_b")},
        configuration={"behaviour": BEHAVIOUR[trigger]} | configuration,
    )


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_row_12_trigger_and_action(provider: Provider, transaction: str, trigger: str, action: str) -> None:
    """Each of 4 triggers does each of 3 actions to the service it calls, once."""
    wire = provider.wire
    caller = _caller(trigger, action)
    called = Service("ts_b", state="on_update" if action == "start" else "on_start")
    provider.command("start", transaction, [called, caller])
    wire.report("created", "ts_a", transaction)
    before = wire.report("created" if action == "start" else "started", "ts_b", transaction)
    since = wire.now
    provider.process_message("start", transaction, caller)
    if action == "stop":
        wire.report("stopped", "ts_b", transaction, since)
    else:
        after = wire.report("started", "ts_b", transaction, since)
        assert (after.status["pid"] == before.status["pid"]) == (action == "start")
    said = [seen.action for seen in wire.reports(transaction, "ts_b", since)]
    assert said == {"start": ["started"], "stop": ["stopped"], "restart": ["stopped", "started"]}[action]
    provider.wait_recorded("stopped" if action == "stop" else "started", "ts_b", transaction, since)
    causes = [seen.cause["trigger"] for seen in _asked(provider, transaction, "ts_b", since)]
    assert set(causes) == {trigger}


@pytest.mark.parametrize("trigger", ["on_exit", "on_fail"])
def test_row_12_commanded_stop_fires_nothing(provider: Provider, transaction: str, trigger: str) -> None:
    """Whoever is stopped on command starts no successor."""
    caller = Service("ts_a", transitions={trigger: ("start", "ts_b")})
    called = Service("ts_b", state="on_exit")
    provider.command("start", transaction, [caller, called])
    provider.wire.report("started", "ts_a", transaction)
    provider.wait_recorded("created", "ts_b", transaction)
    assert provider.ask("stop", transaction, [caller])["verbs"][-1] == "done"
    assert tasks_of(provider.record(transaction))["ts_b"]["action"] == "created"
    assert _asked(provider, transaction, "ts_b") == []


def test_row_12_update_without_success_fires_nothing(provider: Provider, transaction: str) -> None:
    """An ``updated`` with result ``failed`` is heard by all and lets nothing fire."""
    caller = _caller("on_update", "start", result="failed")
    called = Service("ts_b", state="on_exit")
    provider.command("start", transaction, [caller, called])
    provider.wire.report("created", "ts_b", transaction)
    provider.process_message("start", transaction, caller)
    assert provider.wire.report("updated", "ts_a", transaction).status["result"] == "failed"
    assert provider.ask("stop", transaction, [caller])["verbs"][-1] == "done"
    assert _asked(provider, transaction, "ts_b") == []


def test_row_12_service_may_restart_itself_and_loops_are_cut(provider: Provider, transaction: str) -> None:
    """A task that ends at once and starts itself again is cut, and the reason is in its record."""
    service = Service(
        "ts_a", configuration={"behaviour": "finish"}, transitions={"on_exit": ("start", "ts_a")}
    )
    provider.command("start", transaction, [service])
    failed = provider.wire.report("failed", "ts_a", transaction)
    assert failed.status["result"] == "failure"
    assert failed.status["reason"]
    started = [seen for seen in provider.wire.reports(transaction, "ts_a") if seen.action == "started"]
    assert 2 <= len(started) <= 10
    provider.wait_recorded("failed", "ts_a", transaction)


@pytest.mark.parametrize("state", ["on_start", "start_now"])
def test_row_13_immediate_types_run_at_once(provider: Provider, transaction: str, state: str) -> None:
    """Types on_start and start_now report ``started`` at context start, without ``created``."""
    provider.command("start", transaction, [Service("ts_1", state=state)])
    provider.wire.report("started", "ts_1", transaction)
    assert [seen.action for seen in provider.wire.reports(transaction)] == ["started"]


@pytest.mark.parametrize("how", ["process", "context", "start_now"])
@pytest.mark.parametrize("state", ["on_update", "on_fail", "on_exit"])
def test_row_13_deferred_types_are_created_and_started_later(
    provider: Provider, transaction: str, state: str, how: str
) -> None:
    """Any other type reports ``created`` and runs, in the same process, when it is told to."""
    wire = provider.wire
    service = Service("ts_1", state=state, configuration={"behaviour": "update", "device_action": "wait"})
    provider.command("start", transaction, [service])
    created = wire.report("created", "ts_1", transaction)
    assert (created.status["result"], created.status["device_action"]) == ("success", "wait")
    provider.wait_recorded("created", "ts_1", transaction)
    if how == "process":
        provider.process_message("start", transaction, service)
    elif how == "context":
        provider.command("start", transaction, [service])
    else:
        now = Service("ts_1", state="start_now", configuration=service.configuration)
        provider.command("start", transaction, [now])
    assert wire.report("started", "ts_1", transaction).status["pid"] == created.status["pid"]
    wire.report("updated", "ts_1", transaction)
    assert [seen.action for seen in wire.reports(transaction)] == ["created", "started", "updated"]


@pytest.mark.parametrize("behaviour", ["fail_in_setup", "fail", "killed"])
@pytest.mark.parametrize("service_type", ["Process", "Thread"])
def test_row_15_failure_is_reported_with_its_reason(
    provider: Provider, transaction: str, behaviour: str, service_type: str
) -> None:
    """Constructor, run and kill -9: ``failed`` with result failure and a reason; on_fail fires."""
    wire = provider.wire
    watcher = Service("ts_b", state="on_exit")
    told = "idle" if behaviour == "killed" else behaviour
    service = Service(
        "ts_a",
        service_type=service_type,
        configuration={"behaviour": told},
        transitions={"on_fail": ("start", "ts_b")},
    )
    provider.command("start", transaction, [watcher])
    wire.report("created", "ts_b", transaction)
    provider.command("start", transaction, [service])
    if behaviour == "killed":
        os.kill(wire.report("started", "ts_a", transaction).status["pid"], signal.SIGKILL)
    failed = wire.report("failed", "ts_a", transaction, timeout=5.0)
    assert failed.status["result"] == "failure"
    assert ("SIGKILL" if behaviour == "killed" else "told to fail") in str(failed.status)
    wire.report("started", "ts_b", transaction, timeout=5.0)
    assert not provider.wait_recorded("failed", "ts_a", transaction)["pid"]


def test_row_15_killed_service_restarts_itself_by_on_fail(provider: Provider, transaction: str) -> None:
    """kill -9 of a service with on_fail restart: ``failed``, then ``started`` with a new pid."""
    wire = provider.wire
    provider.command("start", transaction, [Service("ts_a", transitions={"on_fail": ("restart", "ts_a")})])
    pid = wire.report("started", "ts_a", transaction).status["pid"]
    since = wire.now
    os.kill(pid, signal.SIGKILL)
    wire.report("failed", "ts_a", transaction, since, timeout=5.0)
    assert wire.report("started", "ts_a", transaction, since, timeout=5.0).status["pid"] != pid


def test_row_22_transactions_of_one_file_are_independent(provider: Provider) -> None:
    """The same services under two transactions: stopping one leaves the other, pids differ."""
    one, two = new_transaction(), new_transaction()
    wire = provider.wire
    services = [Service("ts_1"), Service("ts_2", state="on_update")]
    for transaction in (one, two):
        provider.command("start", transaction, services)
    pids = {wire.report("started", "ts_1", transaction).status["pid"] for transaction in (one, two)}
    pids |= {wire.report("created", "ts_2", transaction).status["pid"] for transaction in (one, two)}
    assert len(pids) == 4
    assert provider.ask("stop", one)["verbs"][-1] == "done"
    assert {seen.action for seen in wire.reports(two)} == {"started", "created"}
    provider.wait_recorded("started", "ts_1", two)
    provider.wait_recorded("created", "ts_2", two)
    left = tasks_of(provider.record(two))
    assert {left[one_id]["pid"] for one_id in left} <= provider.processes().keys()


def test_row_22_transition_fires_once_per_transaction_even_after_restarts(provider: Provider) -> None:
    """With a second transaction and after restarts an update still restarts its neighbour once."""
    one, two = new_transaction(), new_transaction()
    wire = provider.wire
    caller = _caller("on_update", "restart")
    called = Service("ts_b")
    for transaction in (one, two):
        provider.command("start", transaction, [called, caller])
        wire.report("started", "ts_b", transaction)
        wire.report("created", "ts_a", transaction)
    for _ in range(2):
        assert provider.ask("restart", one, [called, caller])["verbs"][-1] == "done"
    since = wire.now
    provider.process_message("start", one, caller)
    wire.report("updated", "ts_a", one, since)
    wire.report("started", "ts_b", one, since)
    # Stopping the caller comes after whatever else its update might have fired.
    assert provider.ask("stop", one, [caller])["verbs"][-1] == "done"
    assert [seen.action for seen in wire.reports(one, "ts_b", since)] == ["stopped", "started"]
    assert wire.reports(two, since=since) == []
