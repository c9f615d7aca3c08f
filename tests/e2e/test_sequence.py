"""Row 16 of the checklist: the session of the original's own test, on a real provider, step by step.

The original expected 30 messages: three services scaffolded from its sample list are started one by
one, restarted one by one, and ended. Two things that were decided since change the table:

====== ============================== =====================================================================
step   the original expected          what is expected here, and why
====== ============================== =====================================================================
8      ts002 ``started``              ``created``: its type is ``on_update``, and a deferred service waits
8a-8b  nothing                        ``process start`` and ``started`` of ts002: ts001 ended by itself,
                                      and its ``on_exit`` says start ts002; the file always said so
18-21  ts002 stops and starts         the same; it was running, so it runs again instead of waiting for
                                      another end of ts001
====== ============================== =====================================================================

That makes 32. A scaffolded task also reports what it did (``updated``), which the original's did not;
these reports are left out. The order is checked among the messages of one speaker about one service, and
where one service causes another to move. Between speakers it is not fixed: the provider tells a service by
a pipe and everybody else on the bus, so on a busy machine a service may have answered before others hear
what it was asked.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.blackbox import Provider
from tests.e2e.lists import create, list_xml, morning_xml
from tests.e2e.project import CONTEXT_ID, Project
from tests.e2e.wire import Json, Seen

TRANSACTION = "5HGAHZ3WPZUI71PACRPP"
#: id -> service name, device action, instance.
SERVICES = {
    "ts001": ("morning_glory", "standing_up", "WakeUp"),
    "ts002": ("open_inbox", "email_checker", "CheckEmails"),
    "ts003": ("drink_espresso", "single_espresso", "DrinkCoffee"),
}
START = ("process", "start")
STOP = ("process", "stop")
STARTED = ("control", "started")
CREATED = ("control", "created")
STOPPED = ("control", "stopped")
Step = tuple[str, str]

#: Steps 4-6, 7-8b, 9-10.
AFTER_START = {
    "ts001": [START, STARTED, STOPPED],
    "ts002": [START, CREATED, START, STARTED],
    "ts003": [START, STARTED],
}
#: Steps 14-17 (it has ended already, so nobody answers the stop), 18-21, 22-25.
AFTER_RESTART = {
    "ts001": [STOP, START, STARTED, STOPPED],
    "ts002": [STOP, STOPPED, START, STARTED],
    "ts003": [STOP, STOPPED, START, STARTED],
}
#: Steps 27-30.
AFTER_EXIT = {"ts001": [], "ts002": [STOP, STOPPED], "ts003": [STOP, STOPPED]}


def _is_step(seen: Seen) -> bool:
    return seen.topic == "process" or (seen.is_report and seen.action != "updated")


class _Session:
    """The commander of the session, who checks every message as it comes."""

    def __init__(self, provider: Provider, images: list[Json]) -> None:
        self.provider = provider
        self.images = {image["id"]: image for image in images}
        self.since = provider.wire.now

    def command(self, action: str, service_id: str) -> None:
        """Send one context message for one service, as ``--use_file --task_id`` does, and check it."""
        wire = self.provider.wire
        configuration: Json = {"ContextID": CONTEXT_ID, "TaskService": {}}
        if service_id in self.images:
            image = self.images[service_id]
            inner = {"action": action, "service_id": service_id, "transaction": TRANSACTION}
            image["Task"]["message"]["header"] |= inner
            configuration["TaskService"] = [image]
        head = {"action": action, "service_id": CONTEXT_ID, "service_name": "context"}
        message = {
            "content": {"configuration": configuration},
            "header": head | {"service_transaction": TRANSACTION},
        }
        before = wire.now
        wire.send("context", message)
        heard = wire.wait_for(lambda seen: seen.topic == "context", f"the command {action}", before)
        assert heard.data == message

    def expect(self, wanted: dict[str, list[Step]]) -> None:
        """Wait for the steps of each service and check order and fields."""
        wire = self.provider.wire
        wire.wait_until(
            lambda _: all(len(self.steps(one)) >= len(steps) for one, steps in wanted.items()), f"{wanted}"
        )
        for service_id, steps in wanted.items():
            heard = self.steps(service_id)
            for topic in ("process", "control"):
                actions = [seen.action for seen in heard if seen.topic == topic]
                assert actions == [action for on, action in steps if on == topic], (service_id, heard)
            for seen in heard:
                _check(seen)

    def steps(self, service_id: str) -> list[Seen]:
        """What was heard of a service since the last phase began."""
        return [
            seen
            for seen in self.provider.wire.seen[self.since :]
            if _is_step(seen) and seen.service_id == service_id
        ]

    def next_phase(self) -> None:
        """Forget what was checked."""
        self.since = self.provider.wire.now


def _check(seen: Seen) -> None:
    """The fields that the original's test compared."""
    name, device_action, instance = SERVICES[seen.service_id]
    assert seen.header["service_name"] == name
    assert seen.transaction == TRANSACTION
    if seen.topic == "control":
        assert (seen.status["device_action"], seen.status["result"]) == (device_action, "success")
        assert seen.header["service_transaction"] == TRANSACTION
        return
    configuration = seen.data["Task"]["message"]["content"]["configuration"]
    assert configuration["device_action"] == device_action
    assert (seen.data["instance"], seen.data["id"]) == (instance, seen.service_id)
    assert seen.header["transaction"] == TRANSACTION


@pytest.fixture
def scaffolded(tmp_path: Path) -> Project:
    """A project whose three services were made by create_service."""
    project = Project(tmp_path)
    ended = create(list_xml(project, "SampleServices", morning_xml()))
    assert ended.returncode == 0, ended
    return project


def test_row_16_session_of_start_restart_exit(scaffolded: Project) -> None:
    """Start one by one, restart one by one, exit: every message with its fields, in order."""
    with Provider(scaffolded, scaffolded.conf / "Context-SampleServices.xml") as provider:
        session = _Session(provider, _images(provider))
        session.next_phase()
        for service_id in SERVICES:  # steps 1-3
            session.command("start", service_id)
        session.expect(AFTER_START)
        _assert_caused(session)
        pids = _pids(session)
        session.next_phase()
        for service_id in SERVICES:  # steps 11-13
            session.command("restart", service_id)
            session.expect({service_id: AFTER_RESTART[service_id]})
        session.expect(AFTER_RESTART)
        assert not _pids(session) & pids
        _assert_processes(provider, _pids(session))
        session.next_phase()
        session.command("exit", "")  # step 26
        assert provider.wait_end() == 0
        session.expect(AFTER_EXIT)


def _images(provider: Provider) -> list[Json]:
    """The TaskService objects of the generated file, as the provider knows them, learned by one run."""
    learn = "LEARNTHEOBJECTS00000"
    assert provider.ask("start", learn)["verbs"][-1] == "done"
    images = [task["task"] for task in provider.record(learn)["tasks"]]
    assert provider.ask("stop", learn)["verbs"][-1] == "done"
    for image in images:
        header = image["Task"]["message"]["header"]
        image["Task"]["message"]["header"] = {"service_name": header["service_name"]}
    return images


def _assert_caused(session: _Session) -> None:
    """The second start of ts002 came of the end of ts001, and after it."""
    wire = session.provider.wire
    ended = next(seen for seen in session.steps("ts001") if seen.action == "stopped")
    second = [seen for seen in session.steps("ts002") if seen.topic == "process"][1]
    assert wire.seen.index(ended) < wire.seen.index(second)
    assert (second.cause["trigger"], second.cause["service_id"]) == ("on_exit", "ts001")
    created, started = (seen for seen in session.steps("ts002") if seen.topic == "control")
    assert created.status["pid"] == started.status["pid"]


def _pids(session: _Session) -> set[int]:
    """Processes of the two services that run, as they reported them last."""
    return {
        [seen for seen in session.steps(one) if seen.action == "started"][-1].status["pid"]
        for one in ("ts002", "ts003")
    }


def _assert_processes(provider: Provider, pids: set[int]) -> None:
    """ts001 has ended, the others run, each in one process that there is."""
    assert pids <= provider.processes().keys()
    provider.wait_until_recorded(
        TRANSACTION,
        lambda tasks: (
            (tasks["ts001"]["action"], tasks["ts001"]["pid"]) == ("stopped", None)
            and {tasks[one]["pid"] for one in ("ts002", "ts003")} == pids
            and {tasks[one]["action"] for one in ("ts002", "ts003")} <= {"started", "updated"}
        ),
    )
