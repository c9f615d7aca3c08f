"""Looks at a file as a person would before starting it: faults, oddities, and what it defines.

Knows contexts and service lists; must not start or connect anything.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from context_bus.config.address import parse_address
from context_bus.config.faults import FaultList
from context_bus.config.load import CONTEXT_ROOT, META_ROOT, parse_tree, read_bytes
from context_bus.config.locations import service_file
from context_bus.config.meta_reader import read_meta_node
from context_bus.config.model import (
    IMMEDIATE_TYPES,
    Action,
    ContextConf,
    MetaConf,
    ServiceType,
    TaskServiceConf,
    Transition,
    Trigger,
    is_built_in,
)
from context_bus.config.node import Node
from context_bus.config.reader import read_context_node
from context_bus.config.report import Report, ServiceSummary, summary_of
from context_bus.config.requirements import start_levels
from context_bus.config.supervision import RestartWhen
from context_bus.errors import ConfigurationError


def check_file(path: str | Path, *, now: float | None = None) -> Report:
    """Check a context file or a service list, whichever its root element says; raises nothing.

    Args:
        path: The file.
        now: Seconds since the epoch, from which on the next times of schedules are told; None tells none.
    """
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
        return _check_context(node, faults, now)
    if node.tag == META_ROOT:
        return _check_meta(node, faults)
    message = f"the root element is <{node.tag}>"
    faults.fault(message, f"expected <{CONTEXT_ROOT}> or <{META_ROOT}>", line=node.line)
    return Report(name, faults=faults.sorted_faults())


def _check_context(node: Node, faults: FaultList, now: float | None) -> Report:
    conf = read_context_node(node, faults)
    if not faults.faults:
        _warn_of_binds(node, conf, faults)
        for service in conf.services:
            _warn_of_location(conf, service, faults)
        _warn_of_idle_services(conf, faults)
        _warn_of_restart_circles(conf, faults)
        _warn_of_double_restarts(conf, faults)
        _warn_of_long_waits(conf, faults)
    if faults.faults:
        return _report("context", "", (), faults)
    services = tuple(
        summary_of(service, (_say(transition) for transition in service.transitions), now)
        for service in conf.services
    )
    report = _report("context", conf.task_log_name, services, faults)
    return replace(report, levels=start_levels(conf.services), context=conf)


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
    if service.service_type is ServiceType.COMMAND:
        return
    if is_built_in(service):
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
        if service.is_deferred and service.id not in called and not service.supervision.schedule:
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


def _warn_of_double_restarts(conf: ContextConf, faults: FaultList) -> None:
    """A service that its policy restarts needs no transition to do so."""
    for service in conf.services:
        policy = service.supervision.restart.policy
        triggers = {
            RestartWhen.NEVER: frozenset(),
            RestartWhen.ON_FAILURE: frozenset({Trigger.ON_FAIL}),
            RestartWhen.ALWAYS: frozenset({Trigger.ON_FAIL, Trigger.ON_EXIT}),
        }[policy]
        for transition in service.transitions:
            if transition.trigger not in triggers or service.id not in transition.call:
                continue
            if transition.action is not Action.STOP:
                faults.warn(
                    f'starts it again, and so does its policy "{policy}"',
                    "keep the policy, which knows when to give up",
                    line=service.line,
                    element=f"TaskService[{service.id}]/Task/state/{transition.trigger}",
                )


def _warn_of_long_waits(conf: ContextConf, faults: FaultList) -> None:
    """What waits for a deferred service waits until somebody starts that one."""
    deferred = {service.id for service in conf.services if service.is_deferred}
    for service in conf.services:
        for required in service.supervision.requires:
            if required.service_id in deferred and service.id not in deferred:
                faults.warn(
                    f'waits for "{required.service_id}", which is deferred',
                    "it starts when a transition, a command or a schedule has started that one",
                    line=required.line,
                    element=f"TaskService[{service.id}]/supervision/requires",
                )


def _say(transition: Transition) -> str:
    return f"{transition.trigger} -> {transition.action} {', '.join(transition.call)}"
