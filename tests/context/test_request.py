"""What a commander sends: each form of the command line as it was meant."""

from __future__ import annotations

from typing import Any, cast

import pytest

from context_bus.config.image import examine_image
from context_bus.config.model import Action, ContextConf, TaskServiceConf, Transition, Trigger
from context_bus.context.request import MonitorOptions, Request, bodies, task_service, topic_of
from context_bus.errors import ConfigurationError

WALK = Transition(Trigger.ON_EXIT, Action.START, ("ts002",))
LISTEN, PUBLISH = "tcp://127.0.0.1:1", "tcp://127.0.0.1:2"
CONF = ContextConf(
    LISTEN, PUBLISH, PUBLISH, LISTEN, "Sample", "context001",
    (
        TaskServiceConf("ts001", "WakeUp", "morning", transitions=(WALK,), configuration={"location": "/x"}),
        TaskServiceConf("ts002", "Mail", "inbox", state_type="on_update"),
        TaskServiceConf("ts003", "Coffee", "inbox"),
    ),
    "Context-Sample.xml",
)  # fmt: skip
KEYS = {
    "BackendBind", "BackendEndpoint", "ContextID", "FrontBind", "FrontEndEndpoint", "TaskLogName",
    "TaskService",
}  # fmt: skip


def only(request: Request, conf: ContextConf | None = CONF) -> Any:
    """The one body of a request."""
    (body,) = bodies(request, conf)
    return cast(Any, body)


def tasks(body: Any) -> list[Any]:
    """Its TaskService objects."""
    return list(body["content"]["configuration"]["TaskService"])


def inner(task: Any) -> dict[str, str]:
    """The header inside a TaskService object."""
    return dict(task["Task"]["message"]["header"])


@pytest.mark.parametrize("action", ["start", "stop", "restart", "exit"])
def test_readme_form_sends_the_whole_file(action: str) -> None:
    """The outer header holds the command, every service is as in the file."""
    request = Request(action, service_id="context001", transaction="TX")
    body = only(request)
    assert topic_of(request) == "context"
    assert body["header"] == {
        "action": action, "service_id": "context001", "service_name": "context", "service_transaction": "TX"
    }  # fmt: skip
    assert body["content"]["configuration"].keys() == KEYS
    assert [task["id"] for task in tasks(body)] == ["ts001", "ts002", "ts003"]
    assert [inner(task)["action"] for task in tasks(body)] == ["start"] * 3


def test_single_service_stays_a_list() -> None:
    """One service is a list of one, so that no receiver has to tell the two apart."""
    body = only(
        Request("start", transaction="TX"), ContextConf("a", "b", "c", "d", "X", services=CONF.services[:1])
    )
    assert [task["id"] for task in tasks(body)] == ["ts001"]


@pytest.mark.parametrize("task_ids", [(), ("all",)])
def test_use_file_sends_every_task_with_the_action(task_ids: tuple[str, ...]) -> None:
    """The chosen tasks form of everything."""
    body = only(Request("stop", transaction="TX", task_ids=task_ids, use_file=True))
    assert [inner(task)["action"] for task in tasks(body)] == ["stop"] * 3


@pytest.mark.parametrize(
    ("task_ids", "wanted"),
    [
        (("ts002",), ["ts002"]),
        (("ts003", "ts001", "ts003"), ["ts003", "ts001"]),
        (("context001",), ["ts001", "ts002", "ts003"]),
        (("ts000",), ["ts001", "ts002", "ts003"]),
    ],
)
def test_chosen_tasks_are_sent_with_their_headers_filled_in(
    task_ids: tuple[str, ...], wanted: list[str]
) -> None:
    """One, several, or all that the context id stands for."""
    body = only(Request("restart", transaction="TX", task_ids=task_ids, use_file=True))
    assert [task["id"] for task in tasks(body)] == wanted
    for task in tasks(body):
        assert {"action": "restart", "service_id": task["id"], "transaction": "TX"}.items() <= inner(
            task
        ).items()


@pytest.mark.parametrize("task_id", ["context001", "ts000"])
def test_exit_of_the_context_names_no_task(task_id: str) -> None:
    """The context itself is meant."""
    body = only(Request("exit", transaction="TX", task_ids=(task_id,), use_file=True))
    assert body["content"]["configuration"]["TaskService"] == {}


def test_monitor_id_means_the_service_if_there_is_one() -> None:
    """``ts000`` in the file is a service like any other."""
    conf = ContextConf(
        "a", "b", "c", "d", "X", services=(TaskServiceConf("ts000", "Monitor", "m"), *CONF.services)
    )
    body = only(Request("stop", transaction="TX", task_ids=("ts000",)), conf)
    assert [task["id"] for task in tasks(body)] == ["ts000"]


def test_without_a_file_services_are_named_by_id() -> None:
    """The provider knows its own file."""
    body = only(Request("start", transaction="TX", task_ids=("ts001", "ts002")), None)
    assert tasks(body) == [{"id": "ts001"}, {"id": "ts002"}]
    assert body["header"]["service_id"] == "context001"
    assert only(Request("stop", transaction="TX"), None)["content"] == {"configuration": {}}
    assert only(Request("stop", transaction="TX", task_ids=("all",)), None)["content"] == {
        "configuration": {}
    }


def test_all_is_a_command_to_the_context() -> None:
    """``service_name`` all travels as a command that means every service."""
    request = Request("stop", "all", transaction="TX")
    assert topic_of(request) == "context"
    assert only(request, None)["header"]["service_name"] == "all"


def test_query_asks_on_topic_state() -> None:
    """``request`` has an empty configuration, ``top`` its flags and its service."""
    request = Request("request", "state", transaction="TX")
    assert topic_of(request) == "state"
    assert only(request, None) == {
        "content": {"configuration": {}},
        "header": {
            "action": "request",
            "service_id": "",
            "service_name": "state",
            "service_transaction": "TX",
        },
    }
    options = MonitorOptions(opened_files=True, endpoint="tcp://127.0.0.1:6558", frequency_s=2.0)
    assert only(Request("top", "state", transaction="TX", monitor=options))["content"]["configuration"] == {
        "memory_maps": False,
        "open_connections": False,
        "opened_files": True,
        "service": {"endpoint": "tcp://127.0.0.1:6558", "frequency_s": 2.0, "type": "pub"},
    }


def test_service_name_addresses_every_service_of_that_name() -> None:
    """Another name is a message on topic process for each service that has it."""
    request = Request("stop", "inbox", transaction="TX", request_id="7", reply_to="reply.x")
    assert topic_of(request) == "process"
    found = bodies(request, CONF)
    assert [body["id"] for body in found] == ["ts002", "ts003"]
    for body in found:
        assert inner(body) == {
            "action": "stop", "service_name": "inbox", "service_id": body["id"], "transaction": "TX"
        }  # fmt: skip
        assert cast(Any, body)["header"]["reply_to"] == "reply.x"
    chosen = bodies(Request("stop", "inbox", transaction="TX", task_ids=("ts003",)), CONF)
    assert [body["id"] for body in chosen] == ["ts003"]


def test_service_name_without_a_file_is_sent_bare() -> None:
    """What the original sent for ``--service_name=sniffer``, with the inner header that it forgot."""
    body = only(Request("stop", "sniffer", "ts_9", "TX", device_action="sniff"), None)
    assert body["Task"]["message"]["header"] == {
        "action": "stop", "service_id": "ts_9", "service_name": "sniffer", "transaction": "TX"
    }  # fmt: skip
    assert body["Task"]["message"]["content"] == {"configuration": {"device_action": "sniff"}}


def test_report_is_made_by_hand() -> None:
    """``updated`` of a service is a message on topic control, or the one that is named."""
    request = Request("updated", "inbox", "ts002", "TX", device_action="mail", result="failure")
    assert topic_of(request) == "control"
    assert only(request)["content"] == {"status": {"device_action": "mail", "result": "failure"}}
    assert topic_of(Request("updated", "inbox", topic="elsewhere")) == "elsewhere"


def test_answers_are_addressed_only_if_awaited() -> None:
    """Without an address the header has the four fields of old."""
    assert only(Request("stop", transaction="TX"))["header"].keys() == {
        "action", "service_id", "service_name", "service_transaction"
    }  # fmt: skip
    header = only(Request("stop", transaction="TX", request_id="7", reply_to="reply.x"))["header"]
    assert (header["request_id"], header["reply_to"]) == ("7", "reply.x")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(""), "no action given"),
        (Request("fly"), "action 'fly' does not go with service name 'context'"),
        (Request("request"), "expected start, stop, restart, exit"),
        (Request("start", "state"), "expected request, top"),
        (Request("exit", "inbox"), "expected start, stop, restart, updated"),
        (Request("stop", task_ids=("ts009",)), "no service 'ts009'; the file has ts001, ts002, ts003"),
        (Request("stop", "nobody"), "no service named 'nobody'"),
    ],
)
def test_what_contradicts_itself_is_refused(request_: Request, words: str) -> None:
    """The line names the option and says what would do."""
    with pytest.raises(ConfigurationError) as caught:
        bodies(request_, CONF)
    assert words in str(caught.value)
    assert "--" in str(caught.value)


def test_every_unknown_task_is_named() -> None:
    """All faults at once."""
    with pytest.raises(ConfigurationError) as caught:
        bodies(Request("stop", task_ids=("a", "ts001", "b")), CONF)
    assert len(caught.value.faults) == 2


def test_image_is_read_back_as_it_was() -> None:
    """What is sent is what the provider reads."""
    images = [task_service(service) for service in CONF.services]
    assert examine_image({"TaskService": images}).conf.services == CONF.services
