"""The live view: each event is one line that fits the terminal."""

from __future__ import annotations

import inspect
import json
from datetime import datetime

import click
import msgspec
import pytest

from context_bus.cli.live_view import LiveView, as_json, brief, cut, line_of
from context_bus.config.model import Action, TaskServiceConf, Trigger
from context_bus.context import trace
from context_bus.context.commands import AnswerKind, ServiceAnswer
from context_bus.context.states import State
from context_bus.context.trace import (
    CommandSettled,
    ForwarderChanged,
    ForwarderState,
    ProviderEvent,
    ProviderReady,
    ServiceChanged,
    ServiceReported,
    TransitionFired,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000)
READY = ProviderReady("context001", "Echo", "tcp://127.0.0.1:5557", "tcp://127.0.0.1:5556", 1, 42)
STARTED = ServiceChanged("TX1", "ts_100", "echo_action", State.STARTING, State.STARTED, 4321)


def shown(event: ProviderEvent, view: LiveView | None = None) -> str:
    """An event as it stands on the terminal, without colours."""
    view = view or LiveView(lambda text: None)
    line = line_of(event)
    return click.unstyle(view.lay_out(line, NOW)) if line else ""


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (STARTED, "03:04:05.678  ts_100   echo_action  started   pid 4321"),
        (msgspec.structs.replace(STARTED, new=State.UPDATED), ""),
        (msgspec.structs.replace(STARTED, new=State.ENDING), ""),
        (
            msgspec.structs.replace(
                STARTED, new=State.FAILED, pid=None, reason="/far/away/Echo.py:7: boom in /etc"
            ),
            "03:04:05.678  ts_100   echo_action  failed    Echo.py:7: boom in /etc",
        ),
        (
            ServiceReported(
                "TX1", "ts_100", "echo", "updated", "success", {"result": "success", "n": 3, "s": "a b"}
            ),
            "03:04:05.678  ts_100   echo      updated   n=3 s=a b",
        ),
        (
            ServiceReported("TX1", "ts_100", "echo", "updated", "failed", {}),
            "03:04:05.678  ts_100   echo      updated   failed",
        ),
        (ServiceReported("TX1", "ts_100", "echo", "failed", "failure", {"reason": "boom"}), ""),
        (
            TransitionFired("TX1", "ts_100", Trigger.ON_EXIT, Action.START, "ts_101"),
            "03:04:05.678  ts_100 fires       on_exit   start ts_101",
        ),
        (
            CommandSettled(
                "start", "TX1", AnswerKind.FAILED, (ServiceAnswer("ts_1", "failed", "failed", "boom"),)
            ),
            "03:04:05.678  context            failed    start: ts_1: boom",
        ),
        (ForwarderChanged(ForwarderState.STARTED, 7), ""),
        (
            ForwarderChanged(ForwarderState.RESPAWNED, 7, "it died"),
            "03:04:05.678  forwarder          respawned  pid 7; it died",
        ),
    ],
)
def test_event_is_one_line(event: ProviderEvent, text: str) -> None:
    """Time, id, name, what happened, and what is worth a word."""
    assert shown(event) == text


def test_every_event_has_a_line_and_a_json_form() -> None:
    """No kind of event is forgotten."""
    kinds = [
        kind for kind in vars(trace).values() if isinstance(kind, type) and issubclass(kind, ProviderEvent)
    ]
    filled = {
        "str": "text",
        "int": 3,
        "bool": True,
        "tuple": ("a",),
        "State": State.STARTED,
        "Trigger": Trigger.ON_EXIT,
    }
    silent = set()
    for kind in kinds:
        values = {}
        for field in msgspec.structs.fields(kind):
            if field.required:
                name = inspect.get_annotations(kind)[field.name].partition("[")[0]
                special = {
                    "Action": Action.START,
                    "AnswerKind": AnswerKind.DONE,
                    "ForwarderState": ForwarderState.DIED,
                }
                values[field.name] = (filled | special)[name]
        event = kind(**values)
        if not shown(event):
            silent.add(kind.__name__)
        record = json.loads(as_json(event, 1.5))
        assert (record["event"], record["time"]) == (kind.__name__, 1.5)
    assert silent == {"ProviderEvent", "ProviderReady"}


def test_long_line_is_cut_to_the_terminal() -> None:
    """At 80 columns nothing wraps."""
    view = LiveView(lambda text: None, width=80)
    names = ("TX1", "an_id_that_is_very_long", "a_name_that_is_longer_still")
    event = ServiceReported(*names, "updated", "success", {"text": "word " * 100})
    text = shown(event, view)
    assert len(text) == 80
    assert text.endswith("…")


def test_columns_are_as_wide_as_the_services_need() -> None:
    """Lines stand below each other from the first one on."""
    services = (TaskServiceConf("a_long_id", "X", "a_long_name"), TaskServiceConf("b", "X", "b"))
    view = LiveView(lambda text: None, services=services)
    texts = [
        shown(msgspec.structs.replace(STARTED, service_id=each.id, service_name=each.service_name), view)
        for each in reversed(services)
    ]
    assert len({text.index("started") for text in texts}) == 1


def test_transaction_is_named_once_there_are_several() -> None:
    """One transaction needs no name; two are told apart."""
    view = LiveView(lambda text: None)
    assert "TX1" not in shown(STARTED, view)
    assert shown(msgspec.structs.replace(STARTED, transaction="TX2"), view).endswith("[TX2]")
    assert shown(STARTED, view).endswith("[TX1]")


@pytest.mark.parametrize(
    ("event", "command"),
    [
        (READY, "conf_command.py --action=start"),
        (
            msgspec.structs.replace(
                READY, publish_to="tcp://127.0.0.1:22221", listen_on="tcp://127.0.0.1:22220"
            ),
            "conf_command.py --endpoint=tcp://127.0.0.1:22221 --action=start",
        ),
        (
            msgspec.structs.replace(READY, publish_to="tcp://h:9", listen_on="tcp://h:3", context_id="mine"),
            "conf_command.py --endpoint=tcp://h:9 --listen=tcp://h:3 --service_id=mine --action=start",
        ),
    ],
)
def test_greeting_tells_how_to_command_it(event: ProviderReady, command: str) -> None:
    """The line that starts the services can be copied; it says no more than it has to."""
    lines: list[str] = []
    LiveView(lines.append, command_name="conf_command.py")(event)
    assert any(line.endswith(f"command it  {command}") for line in lines)
    assert any(event.listen_on in line for line in lines)
    assert any(event.publish_to in line for line in lines)


def test_values_take_one_line() -> None:
    """Line breaks and control characters of a value do not reach the terminal."""
    assert brief("a\nb\x1b[2J c") == "a b [2J c"
    assert brief({"a": [1]}) == '{"a":[1]}'
    assert cut("abcdef", 4) == "abc…"
