"""What travels on the wire becomes the model and the model becomes what travelled, field for field."""

from __future__ import annotations

import json

import pytest

from context_bus.config.image import (
    context_from_image,
    context_to_image,
    examine_image,
    service_from_image,
    service_to_image,
)
from context_bus.config.load import parse_context
from context_bus.config.model import Action, Transition, Trigger

from .samples import THREE, context, faults_of, service

NOTHING = {"action": "", "call": ""}


def image(service_id: str = "ts001", **header: str) -> dict[str, object]:
    """A TaskService object as the tools of old sent it."""
    return {
        "Task": {
            "description": "does WakeUp",
            "message": {
                "content": {
                    "configuration": {"device_action": "to_wakeup", "location": "/opt/morning/Services"}
                },
                "header": {"action": "start", "service_name": "wakeup", **header},
            },
            "state": {
                "on_exit": {"action": "start", "call": "ts002"},
                "on_fail": NOTHING,
                "on_start": NOTHING,
                "on_update": NOTHING,
                "type": "on_start",
            },
        },
        "id": service_id,
        "instance": "WakeUp",
        "serviceType": "Process",
        "topic": "process",
    }


ENDPOINTS = {
    "BackendBind": "tcp://*:22220",
    "BackendEndpoint": "tcp://127.0.0.1:22221",
    "ContextID": "context001",
    "FrontBind": "tcp://*:22221",
    "FrontEndEndpoint": "tcp://127.0.0.1:22220",
    "TaskLogName": "Morning",
}


def test_process_message_is_that_of_the_old_context():
    """The header has action, id, name and transaction; all four triggers are there."""
    sent = image(service_id="ts001") | {}
    sent["Task"]["message"]["header"] |= {"service_id": "ts001", "transaction": "TX1"}  # type: ignore[index]
    conf = service_from_image(sent)
    assert conf == parse_context(THREE.encode(), "c.xml").services[0]
    assert service_to_image(conf, transaction="TX1") == sent
    stop = service_to_image(conf, action="stop", transaction="TX1")
    assert stop["Task"]["message"]["header"]["action"] == "stop"  # type: ignore[index,call-overload]


def test_context_message_is_that_of_the_old_command():
    """Headers of its services hold action and name only."""
    sent = {**ENDPOINTS, "TaskService": [image()]}
    conf = context_from_image(sent)
    assert context_to_image(conf) == sent
    assert json.loads(json.dumps(context_to_image(conf))) == sent


def test_image_of_a_file_equals_the_file():
    """XML -> model -> image -> model is the identity."""
    conf = parse_context(THREE.encode(), "c.xml")
    assert context_from_image(context_to_image(conf)) == conf


def test_single_service_may_be_an_object():
    """The old parser made a bare object of one element; we always send a list."""
    conf = context_from_image({**ENDPOINTS, "TaskService": image()})
    assert [each.id for each in conf.services] == ["ts001"]
    assert isinstance(context_to_image(conf)["TaskService"], list)


@pytest.mark.parametrize("sent", [{}, {"TaskService": []}, {"TaskService": {}}, {"TaskService": ""}])
def test_image_may_be_empty(sent):
    """The documented stop carries nothing at all: what is missing is empty, not defaulted."""
    conf = context_from_image(sent)
    assert conf.services == ()
    assert (conf.context_id, conf.front_bind, conf.task_log_name) == ("", "", "")


def test_image_may_call_services_it_does_not_bring():
    """A command for one service names its successors, which the provider knows."""
    conf = context_from_image({"TaskService": [image()]})
    assert conf.services[0].transitions == (Transition(Trigger.ON_EXIT, Action.START, ("ts002",)),)


@pytest.mark.parametrize("action", ["exit", "restart", "stop", "none", ""])
def test_inner_action_of_a_command_may_be_any(action):
    """The old command copies its own action into every service."""
    sent = image()
    sent["Task"]["message"]["header"]["action"] = action  # type: ignore[index]
    assert context_from_image({"TaskService": [sent]}).services[0].id == "ts001"


def test_several_transitions_of_a_trigger_are_a_list():
    """As the parser of old makes of repeated elements."""
    text = THREE.replace(
        "</state>", "<on_exit><action>stop</action><call>ts003, ts002</call></on_exit></state>", 1
    )
    conf = parse_context(text.encode(), "c.xml").services[0]
    sent = service_to_image(conf)
    assert sent["Task"]["state"]["on_exit"] == [  # type: ignore[index,call-overload]
        {"action": "start", "call": "ts002"},
        {"action": "stop", "call": "ts003, ts002"},
    ]
    assert service_from_image(sent) == conf


def test_empty_configuration_stays_an_object():
    """Receivers of old ask it for its keys."""
    text = context(service("ts001", "WakeUp")).replace(
        "<device_action>to_wakeup</device_action>\n            <location>/opt/morning/Services</location>", ""
    )
    sent = service_to_image(parse_context(text.encode(), "c.xml").services[0])
    assert sent["Task"]["message"]["content"] == {"configuration": {}}  # type: ignore[index,call-overload]


def test_values_of_json_become_text():
    """Numbers, truths and null come from younger senders."""
    sent = image()
    sent["Task"]["message"]["content"]["configuration"] = {  # type: ignore[index]
        "a": 1, "b": 1.5, "c": True, "d": None, "e": [1, "x"], "f": ["one"],
        "g": {"h": {"#text": "i", "j": "k"}},
    }  # fmt: skip
    assert service_from_image(sent).configuration == {
        "a": "1", "b": "1.5", "c": "true", "d": "", "e": ["1", "x"], "f": "one",
        "g": {"h": {"#text": "i", "j": "k"}},
    }  # fmt: skip


FAULTS = {
    "not an object": ("text", "message: TaskService: str where an object is expected"),
    "no task": ({"id": "a", "instance": "A"}, "message: TaskService[a]: <Task> is missing"),
    "header only": (
        {"Task": {"message": {"header": {}}}, "header": {}},
        "message: TaskService[1]: <id> is missing",
    ),
    "list in list": (
        image() | {"x": [["a"]]},
        "message: TaskService/x: a list within a list has no XML twin",
    ),
    "name": (image() | {"a b": "c"}, "message: TaskService: 'a b' cannot name an element"),
    "control character": (
        image() | {"instance": "A\x00"},
        "message: TaskService/instance: holds the character U+0000",
    ),
    "surrogate": (
        image() | {"instance": "A\ud800"},
        "message: TaskService/instance: holds the character U+D800",
    ),
    "id of two kinds": (image() | {"id": ["a", "b"]}, "message: TaskService[a]/id: given 2 times; keep one"),
    "type": (
        image() | {"serviceType": "Fibre"},
        'message: TaskService[ts001]/serviceType: "Fibre" is not a service',
    ),
}


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS.keys())
def test_fault_names_element_and_source(case):
    """A message has no lines: the path of the element must do."""
    sent, expected = case
    assert any(str(fault).startswith(expected) for fault in faults_of(lambda: service_from_image(sent)))
    assert all(str(fault).isprintable() for fault in faults_of(lambda: service_from_image(sent)))


def test_deep_image_is_refused():
    """A hostile sender cannot exhaust the stack."""
    deep: dict[str, object] = {}
    for _ in range(900):
        deep = {"a": deep}
    faults = faults_of(lambda: context_from_image(deep, "TX1"))
    assert str(faults[0]) == "TX1: Context: nested deeper than 100 levels"


def test_one_faulty_service_leaves_its_siblings():
    """The answer to a command lists each service; the good ones run."""
    bad = image("ts002") | {"instance": "no name"}
    examined = examine_image({**ENDPOINTS, "TaskService": [image(), bad, "x"]}, "TX1")
    assert [each.id for each in examined.conf.services] == ["ts001"]
    assert examined.conf.front_bind == "tcp://*:22221"
    assert [each.id for each in examined.rejected] == ["ts002", ""]
    assert str(examined.rejected[0].faults[0]).startswith(
        'TX1: TaskService[ts002]/instance: "no name" is not a Python name'
    )
    assert examined.faults == ()


def test_flood_of_faulty_services_is_cut():
    """A megabyte of nonsense must not keep a provider busy; what came before it still counts."""
    examined = examine_image({"TaskService": [image(), *["x"] * 100_000]})
    assert len(examined.conf.services) == 1
    assert len(examined.rejected) == 100
    assert [str(fault) for fault in examined.faults] == [
        "message: TaskService: 100 services are faulty, the rest was not looked at"
    ]


def test_fault_of_the_context_itself_is_told_apart():
    """Endpoints belong to no service."""
    examined = examine_image({**ENDPOINTS, "FrontBind": "x", "TaskService": image()})
    assert [fault.element for fault in examined.faults] == ["FrontBind"]
    assert len(examined.conf.services) == 1
