"""Reads a context: neutral tree in, frozen model out, every fault on the way noted.

Knows the schema of the context file; must not know what the tree was written in.
"""

from __future__ import annotations

import contextlib
import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from context_bus.config.address import Address, parse_address
from context_bus.config.faults import FaultList, did_you_mean, nearest
from context_bus.config.inheritance import applicable
from context_bus.config.level import MAX_UNKNOWN, Level
from context_bus.config.model import (
    BUILT_IN_INSTANCES,
    DEFAULT_CONTEXT_ID,
    IMMEDIATE_TYPES,
    PROCESS_TOPIC,
    Action,
    ContextConf,
    ServiceType,
    TaskServiceConf,
    Transition,
    Trigger,
    Value,
)
from context_bus.config.monitor import meeting_place, read_monitor
from context_bus.config.node import Node, value_of
from context_bus.config.requirements import check_instance_ids, check_requirements
from context_bus.config.supervision import Supervision
from context_bus.config.supervision_reader import OWN_PARTS, SHARED_PARTS, read_defaults, read_supervision
from context_bus.config.targets import read_command

#: Elements that carry meaning in one place only, and that place.
HOMES = {
    "TaskService": "Context",
    "Task": "TaskService",
    "message": "Task",
    "state": "Task",
    "header": "message",
    "service_name": "header",
    "content": "message",
    "configuration": "content",
    "supervision": "TaskService",
    "KeepLast": "Context",
} | {str(trigger): "state" for trigger in Trigger}
#: The same besides for a service and its task: there, what a supervision holds was meant for it.
SERVICE_HOMES = HOMES | dict.fromkeys((*SHARED_PARTS, *OWN_PARTS), "supervision") | {"command": "TaskService"}
#: Words that address something else than one service.
RESERVED_NAMES = frozenset({"all", "context", "state"})
#: Every state type that has a meaning; any other one defers the service just the same.
STATE_TYPES = ("on_start", "start_now", "on_update", "on_fail", "on_exit")

_ID = re.compile(r"[^\s,@/]+")
#: The end of an id that is that of one of several instances.
_INSTANCE = re.compile(r"(?P<stem>.*)#[0-9]+")


@dataclass(slots=True)
class Reference:
    """A service id that somebody calls, and where."""

    id: str
    element: str
    line: int


@dataclass(slots=True)
class Calls:
    """The ids a source defines and calls; joined when the whole source is read.

    Args:
        on_wire: The source is a message, whose headers may ask for what no file can (``exit``).
        taken: Who binds which port or path.
    """

    on_wire: bool = False
    taken: dict[str, str] = field(default_factory=dict)
    defined: dict[str, int] = field(default_factory=dict)
    called: list[Reference] = field(default_factory=list)

    def check(self, faults: FaultList) -> None:
        """Report every called id that nobody defines."""
        for call in self.called:
            if call.id not in self.defined:
                remedy = did_you_mean(call.id, self.defined)
                message = f'no service has the id "{call.id}"'
                faults.fault(message, remedy, line=call.line, element=call.element)


def read_context_node(node: Node, faults: FaultList, *, partial: bool = False) -> ContextConf:
    """Read a ``Context`` element.

    Args:
        node: The element.
        faults: Where faults and warnings go; the result is meaningless if any fault was noted.
        partial: The element is from the wire, where anything may be missing (what is missing is empty)
            and transitions may call services that the receiver knows.
    """
    level = Level(node, "", faults)
    endpoints = _read_endpoints(level, partial)
    read_name = level.text if partial else level.required
    log_name = read_name("TaskLogName")
    context_id = level.text("ContextID", "" if partial else DEFAULT_CONTEXT_ID)
    keep_last = _read_topics(level, "KeepLast")
    calls = Calls(on_wire=partial)
    calls.taken.update(_binds(level))
    defaults = read_defaults(level)
    services = read_services(level, calls, defaults)
    level.finish(SERVICE_HOMES)
    check_requirements(services, faults, None if partial else calls.defined)
    check_instance_ids(services, faults)
    if not partial:
        calls.check(faults)
        if not calls.defined:
            level.warn("", "no <TaskService>: this context has nothing to run")
    return ContextConf(
        *endpoints,
        task_log_name=log_name,
        context_id=context_id,
        services=services,
        keep_last=keep_last,
        file=node.file,
        defaults=defaults,
    )


def read_services(level: Level, calls: Calls, defaults: Supervision) -> tuple[TaskServiceConf, ...]:
    """Read every ``TaskService`` of a context; an empty one, as on the wire, is none."""
    found = [part for part in level.children("TaskService") if not part.node.is_leaf or part.node.text]
    return tuple(
        read_service(part.node, level.faults, calls, place, defaults) for place, part in enumerate(found, 1)
    )


def read_service(
    node: Node, faults: FaultList, calls: Calls, place: int = 1, defaults: Supervision | None = None
) -> TaskServiceConf:
    """Read one ``TaskService`` element.

    Args:
        node: The element.
        faults: Where faults go.
        calls: Where its id and the ids it calls go.
        place: Its place among its siblings, for messages while its id is not known.
        defaults: What its context says of how all services are kept.
    """
    given = Level(node, "", FaultList("")).text("id")
    level = Level(node, f"TaskService[{given or place}]", faults)
    service_id = read_id(level, "id", calls)
    service_type = read_service_type(level)
    is_command = service_type is ServiceType.COMMAND
    instance = _read_instance(level, is_command)
    topic = level.text("topic", PROCESS_TOPIC)
    if topic != PROCESS_TOPIC:
        level.fault("topic", f'"{topic}" is not a topic for services', f'write "{PROCESS_TOPIC}"')
    command = _read_program(level, is_command)
    supervision = read_supervision(level, applicable(defaults or Supervision(), service_type), service_type)
    task = level.child("Task")
    if "Task" not in level and not is_command:
        level.fault("", "<Task> is missing", "it holds the message and the state of the service")
        level.finish(SERVICE_HOMES)
        return TaskServiceConf(service_id, instance, "", supervision=supervision, line=node.line)
    description = task.text("description")
    default_name = service_id if is_command else ""
    service_name, configuration = _read_message(task, calls, default_name, instance, service_id)
    if instance in BUILT_IN_INSTANCES and not is_command and supervision.instances > 1:
        level.fault("supervision", "one endpoint cannot be that of several instances", "leave one instance")
    state_type, transitions = _read_state(task, calls)
    task.finish(SERVICE_HOMES)
    level.finish(SERVICE_HOMES)
    return TaskServiceConf(
        id=service_id,
        instance=instance,
        service_name=service_name,
        service_type=service_type,
        topic=topic,
        description=description,
        state_type=state_type,
        transitions=transitions,
        configuration=configuration,
        command=command,
        supervision=supervision,
        line=node.line,
    )


def _read_instance(level: Level, is_command: bool) -> str:
    if is_command:
        instance = level.text("instance")
    else:
        instance = level.required("instance", "it names the directory and class of the service")
    check_identifier(level, "instance", instance)
    return instance


def _read_program(level: Level, is_command: bool) -> tuple[str, ...]:
    """Read the program of a service that is one; of the others it is a fault."""
    command = read_command(level)
    if is_command and "command" not in level:
        level.fault("", "<command> is missing", "write <command>program argument</command>")
    if not is_command and "command" in level:
        remedy = f'write serviceType="{ServiceType.COMMAND}", or remove it'
        level.fault("command", "only a service of type Command runs a program", remedy)
    return command


def read_id(level: Level, name: str, calls: Calls) -> str:
    """Read the unique id of a service and note it as defined."""
    service_id = level.required(name, "every service has an id of its own, such as ts_100")
    if not service_id:
        return ""
    if not _ID.fullmatch(service_id):
        level.fault(name, f'"{service_id}" is not an id', "leave out blanks, commas, slashes and @")
    if service_id in RESERVED_NAMES:
        level.fault(name, f'"{service_id}" is reserved in commands', "choose another id")
    if not calls.on_wire and (found := _INSTANCE.fullmatch(service_id)):
        remedy = "choose an id that does not end in # and a number"
        level.fault(name, f'"{service_id}" is how an instance of "{found["stem"]}" is called', remedy)
    if service_id in calls.defined:
        first = calls.defined[service_id]
        where = f" by the service in line {first}" if first else ""
        level.fault(name, f'the id "{service_id}" is taken{where}', "ids are unique within a context")
    calls.defined.setdefault(service_id, level.line(name))
    return service_id


def check_identifier(level: Level, name: str, text: str) -> None:
    """Report text that cannot name a Python class and module."""
    if text and (not text.isidentifier() or keyword.iskeyword(text)):
        level.fault(name, f'"{text}" is not a Python name', "use letters, digits and _, a letter first")


def read_service_type(level: Level) -> ServiceType:
    """Read what carries the service."""
    text = level.text("serviceType", ServiceType.PROCESS)
    if text in list(ServiceType):
        return ServiceType(text)
    level.fault("serviceType", f'"{text}" is not a service type', did_you_mean(text, list(ServiceType)))
    # Taken for what was meant, so that the rest is not judged by the rules of another type.
    return ServiceType(nearest(text, list(ServiceType)) or ServiceType.PROCESS)


def check_service_name(level: Level, name: str, text: str) -> None:
    """Report a service name that addresses something else."""
    if text in RESERVED_NAMES:
        level.fault(name, f'"{text}" is reserved in commands', "choose another name")


def read_configuration(level: Level) -> dict[str, Value]:
    """Read the children of a ``configuration`` element as values, in document order."""
    if level.node.text:
        level.warn("", "text beside its elements is ignored", "put it into an element")
    value = value_of(Node("configuration", "", level.node.attributes, level.node.children))
    return dict(value) if isinstance(value, dict) else {}


def check_state_type(level: Level, name: str, text: str) -> None:
    """Report a state type that is none: a slip is a fault, anything else defers the service."""
    if text in STATE_TYPES:
        return
    if near := nearest(text, STATE_TYPES):
        level.fault(name, f'unknown state type "{text}"', f'did you mean "{near}"?')
    else:
        run = " or ".join(sorted(IMMEDIATE_TYPES))
        level.warn(name, f'unknown state type "{text}": the service is deferred', f"to run at once: {run}")


def read_transition(level: Level, trigger: Trigger, call_name: str, calls: Calls) -> Transition | None:
    """Read action and called ids of one transition; None if it is empty or faulty."""
    text = level.text("action")
    ids = _split_ids(level.texts(call_name))
    for called in ids:
        calls.called.append(Reference(called, level.at(call_name), level.line(call_name)))
    if not text and not ids:
        return None
    if not text:
        level.fault("action", f"calls {', '.join(ids)} but says no action", f"known: {', '.join(Action)}")
        return None
    if text not in list(Action):
        level.fault("action", f'unknown action "{text}"', did_you_mean(text, list(Action)))
        return None
    if not ids:
        remedy = f"name a service in <{call_name}>, or empty <action>"
        level.fault(call_name, f'the action "{text}" has nobody to act on', remedy)
        return None
    return Transition(trigger, Action(text), ids)


def _read_topics(level: Level, name: str) -> tuple[str, ...]:
    """Read topics, separated by commas or in elements of their own."""
    topics = _split_ids(level.texts(name))
    for topic in topics:
        if "@@@" in topic:
            level.fault(name, f'"{topic}" is not a topic', "leave out @@@, which ends a topic on the bus")
    return topics


def _split_ids(texts: Iterable[str]) -> tuple[str, ...]:
    ids = (part.strip() for text in texts for part in text.split(","))
    return tuple(dict.fromkeys(part for part in ids if part))


def _read_message(
    task: Level, calls: Calls, default_name: str, instance: str, service_id: str
) -> tuple[str, dict[str, Value]]:
    """Read the message of a service; without a default its name is required."""
    if "message" not in task and not default_name:
        task.fault("", "<message> is missing", "it holds header/service_name and content/configuration")
    message = task.child("message")
    header, content = message.child("header"), message.child("content")
    action = header.text("action")
    if action and action not in list(Action) and not calls.on_wire:
        header.fault("action", f'unknown action "{action}"', did_you_mean(action, list(Action)))
    service_name = header.text("service_name", default_name)
    if "message" in task and not default_name:
        service_name = header.required("service_name", "messages find the service by it")
    if "message" in task:
        check_service_name(header, "service_name", service_name)
    for name in ("service_id", "transaction", "service_transaction"):
        header.text(name)
    settings = content.child("configuration")
    configuration = read_configuration(settings)
    for name in ("device_action", "location"):
        if not isinstance(configuration.get(name, ""), str):
            settings.fault(name, "one text is expected", "keep one, without elements or attributes")
    if instance in BUILT_IN_INSTANCES and not default_name and not configuration.get("location"):
        read_monitor(settings, service_id, calls.taken)
    for level in (header, content, message):
        level.finish(HOMES)
    return service_name, configuration


def _read_state(task: Level, calls: Calls) -> tuple[str, tuple[Transition, ...]]:
    state = task.child("state")
    state_type = state.text("type", "on_start")
    check_state_type(state, "type", state_type)
    transitions = []
    for trigger in Trigger:
        for level in state.children(trigger):
            transitions.append(read_transition(level, trigger, "call", calls))
            level.finish(HOMES)
    unknown = [name for name in state.unknown() if name.startswith("on_")]
    for name in unknown[:MAX_UNKNOWN]:
        state.fault(name, f'unknown trigger "{name}"', did_you_mean(name, list(Trigger)))
    state.settle(unknown)
    state.finish(HOMES)
    return state_type, tuple(transition for transition in transitions if transition)


def _read_endpoints(level: Level, partial: bool) -> tuple[str, str, str, str]:
    names = ("FrontEndEndpoint", "BackendEndpoint", "FrontBind", "BackendBind")
    texts = {name: level.text(name) if partial else level.required(name) for name in names}
    addresses = {name: _read_address(level, name, text) for name, text in texts.items() if text}
    _check_pair(level, addresses, "FrontEndEndpoint", "BackendBind", "listeners connect")
    _check_pair(level, addresses, "BackendEndpoint", "FrontBind", "publishers connect")
    front, back = addresses.get("FrontBind"), addresses.get("BackendBind")
    if front and back and front.port and front.port == back.port:
        level.fault("BackendBind", f"port {back.port} is that of FrontBind, too", "choose two ports")
    return texts[names[0]], texts[names[1]], texts[names[2]], texts[names[3]]


def _read_address(level: Level, name: str, text: str) -> Address | None:
    try:
        address = parse_address(text)
    except ValueError as error:
        level.fault(name, str(error))
        return None
    if name.endswith("Endpoint") and address.host == "*":
        level.fault(name, f'nobody can connect to "{text}"', f"write tcp://127.0.0.1:{address.port}")
    return address


def _check_pair(
    level: Level, addresses: dict[str, Address | None], connect: str, bind: str, who: str
) -> None:
    outer, inner = addresses.get(connect), addresses.get(bind)
    if not outer or not inner:
        return
    if meeting_place(outer) != meeting_place(inner):
        level.fault(
            bind,
            f"does not meet {connect}: {meeting_place(inner)} here, {meeting_place(outer)} there",
            f"{who} to {connect}, which the forwarder binds as {bind}: give both the same port",
        )


def _binds(level: Level) -> dict[str, str]:
    """What the forwarder binds; what is malformed is told elsewhere."""
    found: dict[str, str] = {}
    for name in ("FrontBind", "BackendBind"):
        with contextlib.suppress(ValueError):
            found[meeting_place(parse_address(level.text(name)))] = name
    return found
