"""Rows of the checklist about commanding a context: README form, chosen tasks, one service, all of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.e2e.blackbox import Provider, tasks_of
from tests.e2e.project import CONTEXT_ID, TOOLS, Project, Service, the_error
from tests.e2e.wire import Json, Wire

THREE = (Service("ts001"), Service("ts002"), Service("ts003"))

_VERSIONED = '''
"""A task that says which edition of the code it is."""

from context_bus import Task, TaskService


class Versioned(Task):
    """Says its edition once."""

    def run(self) -> None:
        self.notify("updated", items={"edition": "FIRST"})
        while not self.wait(3600.0):
            pass


class ServiceVersioned(TaskService):
    """The service around it."""

    task_class = Versioned
'''


@pytest.mark.parametrize("action", ["restart", "stop_and_start"])
def test_row_06_edited_code_runs_after_a_restart(provider: Provider, transaction: str, action: str) -> None:
    """What was edited between two starts is what runs."""
    wire = provider.wire
    home = provider.project.write_service("Versioned", _VERSIONED)
    service = Service("ts_1", "Versioned")
    provider.command("start", transaction, [service])
    assert wire.report("updated", "ts_1", transaction).status["edition"] == "FIRST"
    # The same length and perhaps the same second: caches by time and size would keep the old code.
    (home / "ServiceVersioned.py").write_text(_VERSIONED.replace("FIRST", "OTHER"))
    since = wire.now
    if action == "restart":
        provider.command("restart", transaction, [service])
    else:
        assert provider.ask("stop", transaction, [service])["verbs"][-1] == "done"
        provider.command("start", transaction, [service])
    assert wire.report("updated", "ts_1", transaction, since).status["edition"] == "OTHER"
    assert not list(home.rglob("*.pyc")), "byte code was left in the user's directory"


def test_row_06_only_allowed_locations_are_loaded(
    provider: Provider, transaction: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A message that names a directory outside of the project's gets no code run from there."""
    elsewhere = Project(tmp_path_factory.mktemp("elsewhere"))
    token = elsewhere.directory / "was_run"
    text = f"from pathlib import Path\nPath({str(token)!r}).touch()\n"
    elsewhere.write_service("Actor", text)
    service = Service("ts_1", configuration={"location": str(elsewhere.services)})
    answer = provider.ask("start", transaction, [service])
    assert answer["verbs"][-1] in ("rejected", "failed")
    assert str(elsewhere.services) in str(answer)
    assert not token.exists()


def _readme(provider: Provider, transaction: str, action: str) -> subprocess.CompletedProcess[str]:
    """The command as the README writes it, from the project's directory."""
    return subprocess.run(
        [
            sys.executable,
            str(TOOLS / "conf_command.py"),
            f"--endpoint={provider.project.publish_to}",
            "--context_file=Conf/Context-Test.xml",
            "--service_name=context",
            f"--service_id={CONTEXT_ID}",
            f"--transaction={transaction}",
            f"--action={action}",
        ],
        cwd=provider.project.directory,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def test_row_07_readme_commands_work_verbatim(project: Project, transaction: str) -> None:
    """start, stop, restart and exit in the README's form do what they say and exit with 0."""
    with Provider(project, project.write_context(THREE)) as provider:
        wire = provider.wire
        for action, wanted in (
            ("start", ["started"]),
            ("restart", ["stopped", "started"]),
            ("stop", ["stopped"]),
            ("restart", ["started"]),
        ):
            since = wire.now
            ended = _readme(provider, transaction, action)
            assert ended.returncode == 0, ended
            for service in THREE:
                wire.report(wanted[-1], service.id, transaction, since)
                said = [seen.action for seen in wire.reports(transaction, service.id, since)]
                assert said == wanted, action
        assert _readme(provider, transaction, "exit").returncode == 0
        assert provider.wait_end() == 0


def test_row_07_frames_of_an_old_conf_command_work(project: Project, transaction: str) -> None:
    """The frames that the old tool sent for the README's commands do the same, without an answer."""
    with Provider(project, project.write_context()) as provider:
        wire = provider.wire
        provider.command("start", transaction, THREE)
        _all(wire, "started", transaction)
        since = wire.now
        provider.command("restart", transaction, THREE)
        _all(wire, "stopped", transaction, since)
        _all(wire, "started", transaction, since)
        since = wire.now
        provider.command("stop", transaction)
        _all(wire, "stopped", transaction, since)
        provider.command("exit", transaction, THREE)
        assert provider.wait_end() == 0
        assert not [seen for seen in wire.seen if seen.topic.startswith("reply")]


def _all(
    wire: Wire, action: str, transaction: str, since: int = 0, services: Sequence[Service] = THREE
) -> None:
    for service in services:
        wire.report(action, service.id, transaction, since)


def test_row_07_start_without_services_starts_those_of_the_file(project: Project, transaction: str) -> None:
    """An empty configuration stands for what the provider's own file says."""
    with Provider(project, project.write_context(THREE)) as provider:
        provider.command("start", transaction)
        _all(provider.wire, "started", transaction)


def _chosen(provider: Provider, transaction: str, action: str, service: Service) -> None:
    """The frame of ``--use_file --task_id=<id>``: one task, its inner header completed."""
    (image,) = provider.images([service])
    inner = {"action": action, "service_id": service.id, "transaction": transaction}
    image["Task"]["message"]["header"] |= inner
    head = {"action": action, "service_id": CONTEXT_ID, "service_name": "context"}
    message: Json = {"header": head | {"service_transaction": transaction}}
    message["content"] = {"configuration": {"ContextID": CONTEXT_ID, "TaskService": [image]}}
    provider.wire.send("context", message)


def test_row_08_old_frame_with_one_task_touches_only_it(provider: Provider, transaction: str) -> None:
    """``stop ts002`` leaves ts003 running; start and restart of one leave the others alone, too."""
    wire = provider.wire
    provider.command("start", transaction, THREE)
    _all(wire, "started", transaction)
    for action, wanted in (("stop", "stopped"), ("start", "started"), ("restart", "started")):
        since = wire.now
        _chosen(provider, transaction, action, THREE[1])
        wire.report(wanted, "ts002", transaction, since)
        assert {seen.service_id for seen in wire.reports(transaction, since=since)} == {"ts002"}
    provider.wait_recorded("started", "ts002", transaction, since)
    tasks = tasks_of(provider.record(transaction))
    assert [tasks[service.id]["action"] for service in THREE] == ["started"] * 3


@pytest.mark.parametrize(
    ("task_id", "touched"),
    [
        ("ts002", ["ts002"]),
        ("ts001,ts003", ["ts001", "ts003"]),
        ("all", ["ts001", "ts002", "ts003"]),
        (CONTEXT_ID, ["ts001", "ts002", "ts003"]),
    ],
    ids=["one", "several", "all", "context"],
)
def test_row_08_use_file_with_task_id(
    project: Project, transaction: str, task_id: str, touched: list[str]
) -> None:
    """``--use_file --task_id`` acts on one, several or all, and leaves the others running."""
    with Provider(project, project.write_context(THREE)) as provider:
        wire = provider.wire

        def act(action: str, which: str) -> subprocess.CompletedProcess[str]:
            return provider.conf_command(
                "--use_file",
                "--service_name=context",
                f"--transaction={transaction}",
                f"--task_id={which}",
                f"--action={action}",
            )

        assert act("start", "all").returncode == 0
        _all(wire, "started", transaction)
        since = wire.now
        ended = act("stop", task_id)
        assert ended.returncode == 0, ended
        _all(wire, "stopped", transaction, since, [Service(one) for one in touched])
        assert sorted(seen.service_id for seen in wire.reports(transaction, since=since)) == touched
        tasks = tasks_of(provider.record(transaction))
        assert [one for one in sorted(tasks) if tasks[one]["action"] == "stopped"] == touched


def test_row_08_unknown_task_id_is_an_error(project: Project, transaction: str) -> None:
    """A task id that the file does not have sends nothing and says so with a non-zero exit."""
    with Provider(project, project.write_context(THREE)) as provider:
        since = provider.wire.now
        ended = provider.conf_command(
            "--use_file",
            "--service_name=context",
            f"--transaction={transaction}",
            "--task_id=ts009",
            "--action=start",
        )
        assert "ts009" in the_error(ended)
        assert provider.ask("stop", transaction)["verbs"] == ["rejected"]
        assert [seen for seen in provider.wire.seen[since:] if seen.topic == "process"] == []


def test_row_09_single_service_as_a_bare_object(provider: Provider, transaction: str) -> None:
    """A context with one service, sent as an object instead of a list, starts, restarts and stops."""
    wire = provider.wire
    (image,) = provider.images(THREE[:1])
    since = 0
    for action, wanted in (
        ("start", ["started"]),
        ("restart", ["stopped", "started"]),
        ("stop", ["stopped"]),
    ):
        head = {"action": action, "service_id": CONTEXT_ID, "service_name": "context"}
        message: Json = {"header": head | {"service_transaction": transaction}}
        message["content"] = {"configuration": {"TaskService": image}}
        wire.send("context", message)
        wire.report(wanted[-1], "ts001", transaction, since)
        assert [seen.action for seen in wire.reports(transaction, since=since)] == wanted
        since = wire.now


def test_row_09_single_service_file(project: Project, transaction: str) -> None:
    """The same by the tool, from a file with one service."""
    with Provider(project, project.write_context(THREE[:1])) as provider:
        for action, wanted in (("start", "started"), ("restart", "started"), ("stop", "stopped")):
            since = provider.wire.now
            assert _readme(provider, transaction, action).returncode == 0
            provider.wire.report(wanted, "ts001", transaction, since)


_EVERY_STATE = (
    Service("ts_run"),
    Service("ts_new", state="on_update"),
    Service("ts_done", configuration={"behaviour": "finish"}),
    Service("ts_bad", configuration={"behaviour": "fail"}),
    Service("ts_upd", configuration={"behaviour": "update"}),
    Service("ts_thr", service_type="Thread"),
)


@pytest.mark.parametrize("form", ["empty", "all_tasks"])
def test_row_11_stop_for_all_stops_everything(provider: Provider, transaction: str, form: str) -> None:
    """``service_name`` all stops what runs and what was only created; nothing of it is left."""
    wire = provider.wire
    provider.command("start", transaction, _EVERY_STATE)
    first = {"ts_new": "created", "ts_done": "stopped", "ts_bad": "failed", "ts_upd": "updated"}
    for service in _EVERY_STATE:
        wire.report(first.get(service.id, "started"), service.id, transaction)
    since = wire.now
    provider.command("stop", transaction, None if form == "empty" else _EVERY_STATE, name="all")
    for service_id in ("ts_run", "ts_new", "ts_upd", "ts_thr"):
        wire.report("stopped", service_id, transaction, since)
    answer = provider.ask("stop", transaction, name="all")
    assert answer["verbs"][-1] == "done", answer
    tasks = tasks_of(provider.record(transaction))
    assert {task["action"] for task in tasks.values()} == {"stopped"}
    assert not any(task["pid"] for task in tasks.values())


def test_row_11_stop_for_all_by_the_tool(project: Project, transaction: str) -> None:
    """``conf_command --service_name=all --action=stop`` does it, too."""
    services = (*THREE, Service("ts004", state="on_exit"))
    with Provider(project, project.write_context(services)) as provider:
        assert _readme(provider, transaction, "start").returncode == 0
        ended = provider.conf_command(
            f"--transaction={transaction}", "--service_name=all", "--action=stop", "--task_id=all"
        )
        assert ended.returncode == 0, ended
        for service in services:
            provider.wire.report("stopped", service.id, transaction)
