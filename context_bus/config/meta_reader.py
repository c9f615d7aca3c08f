"""Reads a service list (``MetaServiceConf``): neutral tree in, frozen model out.

Knows the schema of the list; must not know files or the scaffold.
"""

from __future__ import annotations

import re

from context_bus.config.address import parse_port
from context_bus.config.faults import FaultList, did_you_mean
from context_bus.config.level import Level
from context_bus.config.model import (
    DEFAULT_CONTEXT_ID,
    PROCESS_TOPIC,
    MetaConf,
    MetaService,
    TaskType,
    Transition,
    Trigger,
)
from context_bus.config.node import Node
from context_bus.config.reader import (
    Calls,
    check_identifier,
    check_service_name,
    check_state_type,
    read_configuration,
    read_id,
    read_transition,
)

#: Elements that carry meaning within a Service only.
HOMES = {
    "task_service": "Service",
    "task_id": "Service",
    "state": "Service",
    "trigger": "state",
    "state_id": "state",
    "context_name": "MetaServiceConf",
    "server_ip": "MetaServiceConf",
    "Service": "MetaServiceConf",
}

_CONTEXT_NAME = re.compile(r"\w[\w .+-]*")
_HOST = re.compile(r"[^\s/:*]+|\[[0-9A-Fa-f:.]+\]")
_OFF = frozenset({"0", "false", "no", "off"})
_ON = frozenset({"1", "true", "yes", "on"})


def read_meta_node(node: Node, faults: FaultList) -> MetaConf:
    """Read a ``MetaServiceConf`` element; the result is meaningless if any fault was noted."""
    level = Level(node, "", faults)
    calls = Calls()
    conf = MetaConf(
        context_name=_read_context_name(level),
        server_ip=_read_host(level),
        sub_port=_read_port(level, "sub_port"),
        pub_port=_read_port(level, "pub_port"),
        service_path=level.required("service_path", "the directory in which Services/ is made"),
        context_id=level.text("context_id", DEFAULT_CONTEXT_ID),
        home_path=level.text("home_path"),
        location=level.text("location"),
        log_on=_read_switch(level, "log_on"),
        services=tuple(
            _read_service(part.node, faults, calls, place)
            for place, part in enumerate(level.children("Service"), 1)
        ),
        file=node.file,
    )
    if conf.sub_port and conf.sub_port == conf.pub_port:
        level.fault("pub_port", f"port {conf.pub_port} is that of sub_port, too", "choose two ports")
    level.finish(HOMES)
    if not conf.services and not faults.faults:
        level.fault("", "<Service> is missing", "list at least one")
    _check_calls(calls, faults)
    return conf


def _check_calls(calls: Calls, faults: FaultList) -> None:
    """Only a warning: the id may be that of a service which the context has already."""
    for call in calls.called:
        if call.id in calls.defined:
            continue
        message = f'no service of this list has the id "{call.id}"'
        remedy = "fine if the context has it already; " + did_you_mean(call.id, calls.defined)
        faults.warn(message, remedy, line=call.line, element=call.element)


def _read_service(node: Node, faults: FaultList, calls: Calls, place: int) -> MetaService:
    given = Level(node, "", FaultList("")).text("task_id")
    level = Level(node, f"Service[{given or place}]", faults)
    service = level.required("task_service", "it names directory, file and class of the service")
    check_identifier(level, "task_service", service)
    service_name = level.required("service_name", "messages find the service by it")
    check_service_name(level, "service_name", service_name)
    task_class = level.text("task_class")
    check_identifier(level, "task_class", task_class)
    task_file = level.text("task_file").removesuffix(".py")
    check_identifier(level, "task_file", task_file)
    topic = level.text("task_topic", PROCESS_TOPIC)
    if topic != PROCESS_TOPIC:
        level.fault("task_topic", f'"{topic}" is not a topic for services', f'write "{PROCESS_TOPIC}"')
    entry = level.text("entry_action", "on_start")
    check_state_type(level, "entry_action", entry)
    conf = MetaService(
        task_service=service,
        service_name=service_name,
        task_id=read_id(level, "task_id", calls),
        task_class=task_class,
        task_file=task_file,
        task_desc=level.text("task_desc"),
        task_type=_read_task_type(level),
        task_topic=topic,
        device_action=level.text("device_action"),
        entry_action=entry,
        location=level.text("location"),
        transitions=_read_states(level, calls),
        configuration=read_configuration(level.child("configuration")),
        line=node.line,
    )
    level.finish(HOMES)
    return conf


def _read_states(level: Level, calls: Calls) -> tuple[Transition, ...]:
    transitions = []
    for state in level.children("state"):
        word = state.required("trigger", f"known: {', '.join(Trigger)}")
        trigger = Trigger(word) if word in list(Trigger) else Trigger.ON_START
        transition = read_transition(state, trigger, "state_id", calls)
        if word and word not in list(Trigger):
            state.fault("trigger", f'unknown trigger "{word}"', did_you_mean(word, list(Trigger)))
        elif transition:
            transitions.append(transition)
        state.finish(HOMES)
    order = list(Trigger)
    return tuple(sorted(transitions, key=lambda transition: order.index(transition.trigger)))


def _read_task_type(level: Level) -> TaskType:
    text = level.text("task_type", TaskType.LOOPED)
    if text == "Simple":
        # Documented by that name once, meaning the same.
        return TaskType.SINGLE
    if text in list(TaskType):
        return TaskType(text)
    level.fault("task_type", f'"{text}" is not a task type', did_you_mean(text, list(TaskType)))
    return TaskType.LOOPED


def _read_context_name(level: Level) -> str:
    name = level.required("context_name", "the context file is named for it")
    if name and not _CONTEXT_NAME.fullmatch(name):
        level.fault("context_name", f'"{name}" cannot name a file', "use letters, digits, blanks, _ - + .")
    return name


def _read_host(level: Level) -> str:
    host = level.required("server_ip", "write 127.0.0.1 to serve this machine only")
    if host and not _HOST.fullmatch(host):
        remedy = "write 127.0.0.1 to serve this machine only"
        level.fault("server_ip", f'"{host}" is not an address that others can connect to', remedy)
    return host


def _read_port(level: Level, name: str) -> int:
    text = level.required(name, "a number from 1 to 65535")
    if not text:
        return 0
    try:
        return parse_port(text)
    except ValueError as error:
        level.fault(name, str(error))
        return 0


def _read_switch(level: Level, name: str) -> bool:
    text = level.text(name, "1").lower()
    if text not in _ON | _OFF:
        level.fault(name, f'"{text}" is neither on nor off', "write 1 or 0")
    return text not in _OFF
