"""Rows of the checklist about frames, topics and what the provider tells everybody."""

from __future__ import annotations

import json

import zmq

from tests.e2e.blackbox import Provider, tasks_of
from tests.e2e.project import CONTEXT_ID, Project, Service
from tests.e2e.wire import Json, Seen, Wire

#: A session as programs written for this wire have always held it: three services, one of them a task
#: that ends at once and starts the deferred one.
MORNING = (
    Service(
        "ts001",
        "WakeUp",
        "morning_glory",
        description="Wakes up every morning",
        transitions={"on_exit": ("start", "ts002")},
        configuration={"device_action": "standing_up"},
    ),
    Service(
        "ts002",
        "CheckEmails",
        "open_inbox",
        state="on_update",
        description="Check emails from your mobile",
        configuration={"device_action": "email_checker"},
    ),
    Service(
        "ts003",
        "DrinkCoffee",
        "drink_espresso",
        description="Take a cup of coffee",
        configuration={"device_action": "single_espresso"},
    ),
)

_SOURCE = '''
"""One task of the morning."""

from context_bus import Task, TaskService


class Doing(Task):
    """Ends at once, or waits to be told."""

    def run(self) -> None:
        while not (FINISHES or self.wait(3600.0)):
            pass


class ServiceNAME(TaskService):
    """The service around it."""

    task_class = Doing
'''


def write_morning(project: Project) -> None:
    """Write the three services by hand."""
    for service in MORNING:
        finishes = str(service.instance == "WakeUp")
        source = _SOURCE.replace("NAME", service.instance).replace("FINISHES", finishes)
        project.write_service(service.instance, source)


def test_row_01_frames_are_topic_and_json(provider: Provider, transaction: str) -> None:
    """Every frame on the bus is ``topic @@@ json``, and a header has its four fields."""
    service = Service("ts_1", configuration={"device_action": "speak", "behaviour": "update"})
    provider.command("start", transaction, [service])
    provider.wire.report("updated", "ts_1", transaction)
    provider.record(transaction)
    provider.command("stop", transaction, [service])
    provider.wire.report("stopped", "ts_1", transaction)
    assert provider.wire.broken == []
    for seen in provider.wire.seen:
        assert seen.raw.startswith(f"{seen.topic} @@@ ".encode())
        seen.raw.decode("utf-8")
        if seen.topic in ("control", "state", "context"):
            assert {"action", "service_id", "service_name", "service_transaction"} <= seen.header.keys()


def test_row_01_payload_may_hold_the_separator(provider: Provider, transaction: str) -> None:
    """A payload with ``@@@`` in it survives the way in, through a service, and out."""
    words = "before @@@ after @@@"
    service = Service("ts_1", configuration={"behaviour": "update", "words": words})
    provider.command("start", transaction, [service])
    assert provider.wire.report("updated", "ts_1", transaction).status["words"] == words


def test_row_01_text_is_any_unicode(provider: Provider, transaction: str) -> None:
    """Text outside ASCII arrives as it was sent, escaped or not."""
    words = "Grüße, 世界 \U0001f680"
    service = Service("ts_1", configuration={"behaviour": "update", "words": words})
    head = {"action": "start", "service_id": CONTEXT_ID, "service_name": "context"}
    content = {"configuration": {"TaskService": provider.images([service])}}
    message = {"header": head | {"service_transaction": transaction}, "content": content}
    provider.wire.raw(b"context @@@ " + json.dumps(message, ensure_ascii=False).encode())
    assert provider.wire.report("updated", "ts_1", transaction).status["words"] == words


def test_row_02_old_session_is_obeyed_and_reports_are_equal(project: Project) -> None:
    """The frames of an old session start, stop and end the services; reports have the old fields."""
    write_morning(project)
    with Provider(project, project.write_context()) as provider:
        transaction = "6FDAHH3WPRVV7FGZCRIN"
        provider.command("start", transaction, MORNING)
        wire = provider.wire
        expected = [
            ("started", "ts001", "morning_glory", "standing_up"),
            ("stopped", "ts001", "morning_glory", "standing_up"),
            ("created", "ts002", "open_inbox", "email_checker"),
            ("started", "ts003", "drink_espresso", "single_espresso"),
        ]
        for action, service_id, name, word in expected:
            _assert_report(wire, action, service_id, name, word, transaction)
        reply = provider.record(transaction)
        assert {"configuration", "contextId", "contextLogName", "contextName", "tasks"} <= reply.keys()
        provider.command("stop", transaction)
        _assert_report(wire, "stopped", "ts002", "open_inbox", "email_checker", transaction)
        _assert_report(wire, "stopped", "ts003", "drink_espresso", "single_espresso", transaction)
        _assert_process_messages(wire, transaction)
        provider.command("exit", transaction)
        assert provider.wait_end() == 0


def _assert_report(wire: Wire, action: str, service_id: str, name: str, word: str, transaction: str) -> None:
    seen = wire.report(action, service_id, transaction)
    four = {key: seen.header[key] for key in ("action", "service_id", "service_name", "service_transaction")}
    assert four == {
        "action": action,
        "service_id": service_id,
        "service_name": name,
        "service_transaction": transaction,
    }
    assert (seen.status["device_action"], seen.status["result"]) == (word, "success")
    if action != "stopped":
        assert isinstance(seen.status["pid"], int)


def _assert_process_messages(wire: Wire, transaction: str) -> None:
    """Each service was asked to start and to stop by a process message with the old fields."""
    for service in MORNING:
        asked = [seen for seen in wire.seen if seen.topic == "process" and seen.service_id == service.id]
        assert asked, f"no process message for {service.id}"
        for seen in asked:
            _assert_process_fields(seen, service, transaction)
        assert "start" in [seen.action for seen in asked]


def _assert_process_fields(seen: Seen, service: Service, transaction: str) -> None:
    assert (seen.data["id"], seen.data["instance"]) == (service.id, service.instance)
    assert (seen.data["serviceType"], seen.data["topic"]) == ("Process", "process")
    assert seen.header["service_name"] == service.service_name
    assert seen.header["transaction"] == transaction
    task: Json = seen.data["Task"]
    assert task["description"] == service.description
    assert task["state"]["type"] == service.state
    configuration = task["message"]["content"]["configuration"]
    assert configuration["device_action"] == service.configuration["device_action"]


def test_row_03_publish_to_the_back_and_listen_at_the_front(provider: Provider) -> None:
    """What a client says on pub_port is heard on sub_port, and not the other way round."""
    wire = provider.wire
    since = wire.now
    with zmq.Context() as context, context.socket(zmq.PUB) as swapped:
        swapped.linger = 0
        swapped.connect(provider.project.listen_on)
        swapped.send(b'crossed @@@ {"header": {"action": "wrong way"}}')
        wire.send("crossed", {"header": {"action": "right way"}})
        heard = wire.wait_for(lambda seen: seen.topic == "crossed", "the client's message", since)
    assert heard.action == "right way"


def test_row_17_state_can_be_rebuilt_from_the_broadcast(provider: Provider, transaction: str) -> None:
    """The context_info broadcast holds what the record holds, for every transaction."""
    services = [
        Service("ts_1", configuration={"device_action": "one"}),
        Service("ts_2", state="on_update"),
        Service("ts_3", configuration={"behaviour": "finish"}),
    ]
    provider.command("start", transaction, services)
    wanted = {"ts_1": "started", "ts_2": "created", "ts_3": "stopped"}
    info = provider.wire.wait_for(
        lambda seen: _actions(seen, transaction) == wanted, f"a broadcast with {wanted}"
    )
    assert info.header["action"] == "update"
    assert (info.header["service_id"], info.header["service_name"]) == (CONTEXT_ID, "context")
    assert info.status["result"] == "success"
    broadcast = _record_in(info, transaction)
    assert broadcast is not None
    record = provider.record(transaction)
    assert broadcast["contextId"] == record["contextId"] == CONTEXT_ID
    for service_id, task in tasks_of(record).items():
        told = tasks_of(broadcast)[service_id]
        for key in ("action", "state", "pid", "serviceName", "instance"):
            assert told[key] == task[key], (service_id, key)


def _record_in(seen: Seen, transaction: str) -> Json | None:
    if seen.status.get("device_action") != "context_info":
        return None
    return next((entry[transaction] for entry in seen.status["data"] if transaction in entry), None)


def _actions(seen: Seen, transaction: str) -> dict[str, str]:
    record = _record_in(seen, transaction)
    return {key: task["action"] for key, task in tasks_of(record).items()} if record else {}
