"""Looks at a file as a person would before starting it: faults, oddities, and what it defines.

Knows contexts and service lists; must not start or connect anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from context_bus.config.address import parse_address
from context_bus.config.faults import FaultList
from context_bus.config.load import CONTEXT_ROOT, META_ROOT, parse_tree, read_bytes
from context_bus.config.locations import service_file
from context_bus.config.meta_reader import read_meta_node
from context_bus.config.model import (
    BUILT_IN_INSTANCES,
    IMMEDIATE_TYPES,
    Action,
    ContextConf,
    MetaConf,
    TaskServiceConf,
    Transition,
    Trigger,
)
from context_bus.config.node import Node
from context_bus.config.reader import read_context_node
from context_bus.errors import ConfigurationError, Fault


@dataclass(frozen=True, slots=True)
class ServiceSummary:
    """One service in a few words.

    Args:
        id: Its id.
        instance: Its class stem.
        service_name: The name on the wire.
        is_deferred: Whether it waits for a transition or a command.
        transitions: Each as ``on_exit -> start ts_101``.
    """

    id: str
    instance: str
    service_name: str
    is_deferred: bool
    transitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Args:
        file: The file as given.
        kind: ``context``, ``service list``, or empty if it is neither.
        name: Name of the context.
        faults: What makes the file unusable.
        warnings: What is odd, but works.
        services: What it defines, in start order; empty if there are faults.
    """

    file: str
    kind: str = ""
    name: str = ""
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    services: tuple[ServiceSummary, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    def summary(self) -> Iterator[str]:
        """What the file defines, in lines for people."""
        if not self.is_usable:
            return
        yield f'{self.file}: {self.kind} "{self.name}", {_count(len(self.services), "service")}'
        at_once = [service for service in self.services if not service.is_deferred]
        deferred = [service for service in self.services if service.is_deferred]
        if at_once:
            yield "  runs at start, in this order:"
            yield from (f"    {_line(service)}" for service in at_once)
        if deferred:
            yield "  deferred, until a transition or a command starts them:"
            yield from (f"    {_line(service)}" for service in deferred)
        transitions = [
            f"    {service.id} {text}" for service in self.services for text in service.transitions
        ]
        if transitions:
            yield "  transitions:"
            yield from transitions


def check_file(path: str | Path) -> Report:
    """Check a context file or a service list, whichever its root element says; raises nothing."""
    name = str(path)
    try:
        data = read_bytes(path)
    except ConfigurationError as error:
        return Report(name, faults=error.faults)
    faults = FaultList(name)
    node = parse_tree(data, faults)
    if node is None or faults.faults:
        return Report(name, faults=faults.sorted_faults())
    if node.tag == CONTEXT_ROOT:
        return _check_context(node, faults)
    if node.tag == META_ROOT:
        return _check_meta(node, faults)
    message = f"the root element is <{node.tag}>"
    faults.fault(message, f"expected <{CONTEXT_ROOT}> or <{META_ROOT}>", line=node.line)
    return Report(name, faults=faults.sorted_faults())


def _check_context(node: Node, faults: FaultList) -> Report:
    conf = read_context_node(node, faults)
    if not faults.faults:
        _warn_of_binds(node, conf, faults)
        for service in conf.services:
            _warn_of_location(conf, service, faults)
        _warn_of_idle_services(conf, faults)
        _warn_of_restart_circles(conf, faults)
    services = tuple(
        ServiceSummary(
            service.id,
            service.instance,
            service.service_name,
            service.is_deferred,
            tuple(_say(transition) for transition in service.transitions),
        )
        for service in conf.services
    )
    return _report("context", conf.task_log_name, services, faults)


def _check_meta(node: Node, faults: FaultList) -> Report:
    conf: MetaConf = read_meta_node(node, faults)
    services = tuple(
        ServiceSummary(
            service.task_id,
            service.task_service,
            service.service_name,
            service.entry_action not in IMMEDIATE_TYPES,
            tuple(_say(transition) for transition in service.transitions),
        )
        for service in conf.services
    )
    return _report("service list", conf.context_name, services, faults)


def _report(kind: str, name: str, services: tuple[ServiceSummary, ...], faults: FaultList) -> Report:
    warnings = tuple(sorted(faults.warnings, key=lambda warning: warning.line))
    if faults.faults:
        return Report(faults.file, kind, "", faults.sorted_faults(), warnings)
    return Report(faults.file, kind, name, (), warnings, services)


def _warn_of_binds(node: Node, conf: ContextConf, faults: FaultList) -> None:
    for name, text in (("FrontBind", conf.front_bind), ("BackendBind", conf.backend_bind)):
        address = parse_address(text)
        if address.is_loopback:
            continue
        who = "every machine that reaches this one" if address.is_wildcard else "other machines"
        line = next((child.line for child in node.named(name)), node.line)
        faults.warn(
            f'"{text}" lets {who} command this context, which names code to run',
            f"write tcp://127.0.0.1:{address.port}, or start the provider with --insecure",
            line=line,
            element=name,
        )


def _warn_of_location(conf: ContextConf, service: TaskServiceConf, faults: FaultList) -> None:
    path = service_file(conf, service)
    if path is None and service.instance in BUILT_IN_INSTANCES:
        return
    if path is None:
        missing = "no location"
    elif not path.parents[1].is_dir():
        missing = f"no directory {path.parents[1]}"
    elif not path.is_file():
        missing = f"no file {path}"
    else:
        return
    element = f"TaskService[{service.id}]/Task/message/content/configuration/location"
    faults.warn(missing, "the service cannot be loaded", line=service.line, element=element)


def _warn_of_idle_services(conf: ContextConf, faults: FaultList) -> None:
    called = {
        service_id
        for service in conf.services
        for transition in service.transitions
        if transition.action is not Action.STOP
        for service_id in transition.call
        if service_id != service.id
    }
    for service in conf.services:
        if service.is_deferred and service.id not in called:
            faults.warn(
                f'deferred (type "{service.state_type}"), and no transition starts it',
                "only a command will",
                line=service.line,
                element=f"TaskService[{service.id}]/Task/state",
            )


def _warn_of_restart_circles(conf: ContextConf, faults: FaultList) -> None:
    """A service that restarts another when it starts must not be restarted by it in turn."""
    restarts = {
        service.id: {
            service_id
            for transition in service.transitions
            if transition.trigger is Trigger.ON_START and transition.action is Action.RESTART
            for service_id in transition.call
        }
        for service in conf.services
    }
    for service in conf.services:
        reached: set[str] = set()
        front = set(restarts[service.id])
        while front:
            reached |= front
            front = {after for service_id in front for after in restarts[service_id]} - reached
        if service.id in reached:
            faults.warn(
                "its start leads to its own restart, for ever",
                "the provider will cut this circle and report a failure",
                line=service.line,
                element=f"TaskService[{service.id}]/Task/state/on_start",
            )


def _say(transition: Transition) -> str:
    return f"{transition.trigger} -> {transition.action} {', '.join(transition.call)}"


def _line(service: ServiceSummary) -> str:
    return f"{service.id}  {service.instance} ({service.service_name})"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
