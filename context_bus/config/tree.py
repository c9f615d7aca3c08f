"""Turns the model into the neutral tree that every writer starts from. Knows model and node only."""

from __future__ import annotations

from collections.abc import Iterator

from context_bus.config.inheritance import applicable
from context_bus.config.model import (
    Action,
    ContextConf,
    MetaConf,
    MetaService,
    ServiceType,
    TaskServiceConf,
    TaskType,
    Transition,
    Trigger,
)
from context_bus.config.node import Node, nodes_of
from context_bus.config.supervision import Supervision
from context_bus.config.supervision_tree import command_nodes, supervision_nodes


def context_node(conf: ContextConf, *, all_triggers: bool = True) -> Node:
    """The ``Context`` element of a configuration, as in a file."""
    fields = {
        "FrontEndEndpoint": conf.front_end_endpoint,
        "BackendEndpoint": conf.backend_endpoint,
        "FrontBind": conf.front_bind,
        "BackendBind": conf.backend_bind,
        "ContextID": conf.context_id,
        "TaskLogName": conf.task_log_name,
    }
    if conf.keep_last:
        fields["KeepLast"] = ", ".join(conf.keep_last)
    defaults = supervision_nodes(conf.defaults, Supervision())
    services = (
        service_node(service, all_triggers=all_triggers, defaults=conf.defaults) for service in conf.services
    )
    return Node("Context", children=(*_leaves(fields), *defaults, *services))


def service_node(
    conf: TaskServiceConf,
    *,
    action: str = Action.START,
    transaction: str | None = None,
    all_triggers: bool = True,
    defaults: Supervision | None = None,
    brief: bool = True,
) -> Node:
    """The ``TaskService`` element of a service.

    Args:
        conf: The service.
        action: What the header asks for.
        transaction: Put into the header together with the service id, as on the wire; None leaves
            both out, as in a file.
        all_triggers: Also write the triggers that have no transition, as empty elements.
        defaults: What its context says of all services, and it need not repeat.
        brief: Leave out what a command need not say, as in a file; receivers expect it on the wire.
    """
    header = {"action": str(action)}
    if transaction is not None:
        header["service_id"] = conf.id
    header["service_name"] = conf.service_name
    if transaction is not None:
        header["transaction"] = transaction
    settings = [node for key, value in conf.configuration.items() for node in nodes_of(key, value)]
    content = Node("content", children=(Node("configuration", children=tuple(settings)),))
    message = Node("message", children=(Node("header", children=_leaves(header)), content))
    state = Node(
        "state",
        attributes={"type": conf.state_type},
        children=tuple(_trigger_nodes(conf.transitions, all_triggers)),
    )
    task = Node("Task", children=(*_leaves({"description": conf.description}), message, state))
    attributes = {
        "id": conf.id,
        "instance": conf.instance,
        "serviceType": str(conf.service_type),
        "topic": conf.topic,
    }
    is_command = brief and conf.service_type is ServiceType.COMMAND
    if is_command and not conf.instance:
        del attributes["instance"]
    tasks = () if is_command and _is_plain(conf) else (task,)
    supervision = supervision_nodes(
        conf.supervision, applicable(defaults or Supervision(), conf.service_type)
    )
    children = (*command_nodes(conf.command), *tasks, *supervision)
    return Node("TaskService", attributes=attributes, children=children)


def _is_plain(conf: TaskServiceConf) -> bool:
    """Whether the task of a command says nothing that is not so without it."""
    plain = TaskServiceConf(conf.id, conf.instance, conf.id)
    return (conf.service_name, conf.description, conf.state_type, conf.transitions, conf.configuration) == (
        plain.service_name,
        plain.description,
        plain.state_type,
        plain.transitions,
        plain.configuration,
    )


def meta_node(conf: MetaConf) -> Node:
    """The ``MetaServiceConf`` element of a service list; what has its default is left out."""
    fields = {
        "context_name": conf.context_name,
        "context_id": conf.context_id,
        "server_ip": conf.server_ip,
        "sub_port": str(conf.sub_port),
        "pub_port": str(conf.pub_port),
        "service_path": conf.service_path,
        "home_path": conf.home_path,
        "location": conf.location,
        "log_on": "" if conf.log_on else "0",
    }
    services = tuple(_meta_service_node(service) for service in conf.services)
    return Node("MetaServiceConf", children=(*_leaves(_filled(fields)), *services))


def _meta_service_node(service: MetaService) -> Node:
    fields = {
        "task_service": service.task_service,
        "task_class": service.task_class,
        "task_file": service.task_file,
        "task_desc": service.task_desc,
        "service_name": service.service_name,
        "task_id": service.task_id,
        "device_action": service.device_action,
        "task_topic": service.task_topic,
        "entry_action": service.entry_action,
        "location": service.location,
    }
    states = tuple(
        Node("state", children=_leaves({"trigger": t.trigger, "action": t.action, "state_id": _ids(t)}))
        for t in service.transitions
    )
    settings = tuple(node for key, value in service.configuration.items() for node in nodes_of(key, value))
    extra = (Node("configuration", children=settings),) if settings else ()
    attributes = {} if service.task_type is TaskType.LOOPED else {"task_type": str(service.task_type)}
    return Node("Service", attributes=attributes, children=(*_leaves(_filled(fields)), *states, *extra))


def _trigger_nodes(transitions: tuple[Transition, ...], all_triggers: bool) -> Iterator[Node]:
    for trigger in Trigger:
        matching = [transition for transition in transitions if transition.trigger is trigger]
        for transition in matching:
            fields = {"action": str(transition.action), "call": _ids(transition)}
            yield Node(str(trigger), children=_leaves(fields))
        if not matching and all_triggers:
            yield Node(str(trigger), children=_leaves({"action": "", "call": ""}))


def _ids(transition: Transition) -> str:
    return ", ".join(transition.call)


def _filled(fields: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in fields.items() if text}


def _leaves(fields: dict[str, str]) -> tuple[Node, ...]:
    return tuple(Node(name, text=str(text)) for name, text in fields.items())
