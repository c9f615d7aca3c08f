"""What a commander says to a context provider, on topics context, process, state and control. Pure.

Knows the configuration model and the field names of the wire; must not know sockets. The forms are
the ones that clients of this wire have always sent, each as it was meant:

- the *whole file* form: the full context as configuration, every service as it stands in the file;
- the *chosen tasks* form: only the services named, their inner headers filled in;
- the *query* form on topic ``state``: ``request`` and ``top``;
- the *service* form on topic ``process``: one task service addressed by its service name;
- the *report* form: a hand-made ``updated`` message on behalf of a service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from context_bus.config.image import service_to_image
from context_bus.config.model import DEFAULT_CONTEXT_ID, PROCESS_TOPIC, ContextConf, TaskServiceConf
from context_bus.errors import ConfigurationError, Fault

#: What may be nested into a message.
Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]
#: A body before it is encoded.
Body = dict[str, Json]

#: Actions of a command on topic ``context``.
CONTEXT_ACTIONS = ("start", "stop", "restart", "exit")
#: Actions of a query on topic ``state``.
QUERY_ACTIONS = ("request", "top")
#: Every action that a request can have.
ACTIONS = (*CONTEXT_ACTIONS, *QUERY_ACTIONS, "updated")
#: Service names that address the provider and not a task service.
PROVIDER_NAMES = ("context", "all", "state")
#: Task id reserved for the monitoring service; like the context id it may stand for the whole context.
MONITOR_ID = "ts000"


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """What a ``top`` query asks for besides the figures that are always given.

    Args:
        memory_maps: Whether to list memory maps.
        open_connections: Whether to list open connections.
        opened_files: Whether to list open files.
        endpoint: Endpoint on which to publish the figures again and again; empty for one answer.
        socket_type: Type of that endpoint.
        frequency_s: Seconds between two of those.
    """

    memory_maps: bool = False
    open_connections: bool = False
    opened_files: bool = False
    endpoint: str = ""
    socket_type: str = "pub"
    frequency_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted, in the words of the command line.

    Args:
        action: One of ``ACTIONS``.
        service_name: ``context`` or ``all`` for a command, ``state`` for a query, else the name of a
            task service.
        service_id: Context id of a command, service id of a report.
        transaction: Transaction the request is about.
        task_ids: Services to act on; empty or ``all`` means every one.
        use_file: Whether to send the chosen tasks form although every task is meant.
        device_action: Word of a service or report form.
        result: Result of a report.
        topic: Topic of a report; empty for ``control``.
        request_id: Joins the answers with the request; empty if none is awaited.
        reply_to: Topic on which answers are awaited.
        monitor: Options of a ``top`` query.
    """

    action: str
    service_name: str = "context"
    service_id: str = ""
    transaction: str = ""
    task_ids: tuple[str, ...] = ()
    use_file: bool = False
    device_action: str = ""
    result: str = "success"
    topic: str = ""
    request_id: str = ""
    reply_to: str = ""
    monitor: MonitorOptions = field(default_factory=MonitorOptions)


def topic_of(request: Request) -> str:
    """The topic on which a request travels.

    Raises:
        ConfigurationError: The action does not go with the service name.
    """
    name, action = request.service_name, request.action
    if name == "state":
        return _checked("state", action, QUERY_ACTIONS, name)
    if name in PROVIDER_NAMES:
        return _checked("context", action, CONTEXT_ACTIONS, name)
    if action == "updated":
        return request.topic or "control"
    return _checked(PROCESS_TOPIC, action, ("start", "stop", "restart", "updated"), name)


def bodies(request: Request, conf: ContextConf | None = None) -> list[Body]:
    """Make the bodies of a request, in the order to send them.

    Args:
        request: What is wanted.
        conf: The context file, where one is needed or at hand.

    Returns:
        One body; one per service where a service name stands for several.

    Raises:
        ConfigurationError: The request contradicts itself or the file.
    """
    topic = topic_of(request)
    if topic == "state":
        return [_message(request, "", _query(request))]
    if topic == "context":
        return [_context(request, conf)]
    if request.action == "updated":
        return [_report(request)]
    return _service(request, conf)


def task_service(service: TaskServiceConf, header: Mapping[str, str] | None = None) -> Body:
    """The image of a ``TaskService`` element on the wire.

    Args:
        service: The service as configured.
        header: Fields that replace or join those of the inner header.
    """
    image = cast(dict[str, Any], service_to_image(service))
    inner = {"action": "start", "service_name": service.service_name, **(header or {})}
    image["Task"]["message"]["header"] = inner
    return image


def _context(request: Request, conf: ContextConf | None) -> Body:
    if conf is None:
        # The provider knows its own file: without one here, services are named and not described.
        named = [] if request.task_ids == ("all",) else [{"id": task_id} for task_id in request.task_ids]
        content: Body = {"configuration": {"TaskService": named} if named else {}}
        return _message(request, request.service_id or DEFAULT_CONTEXT_ID, content)
    context_id = request.service_id or conf.context_id
    configuration: Body = {
        "BackendBind": conf.backend_bind,
        "BackendEndpoint": conf.backend_endpoint,
        "ContextID": conf.context_id,
        "FrontBind": conf.front_bind,
        "FrontEndEndpoint": conf.front_end_endpoint,
        "TaskLogName": conf.task_log_name,
        "TaskService": _tasks(request, conf),
    }
    return _message(request, context_id, {"configuration": configuration})


def _tasks(request: Request, conf: ContextConf) -> Json:
    """The services that a command names; an object without fields where it names the context itself."""
    whole = not request.task_ids or request.task_ids == ("all",)
    if whole and not request.use_file:
        return [task_service(service) for service in conf.services]
    if whole:
        return [task_service(service, {"action": request.action}) for service in conf.services]
    stands_for_all = {conf.context_id} | ({MONITOR_ID} if conf.service(MONITOR_ID) is None else set())
    if set(request.task_ids) <= stands_for_all:
        return {} if request.action == "exit" else [_chosen(request, service) for service in conf.services]
    return [_chosen(request, service) for service in _named(request.task_ids, conf)]


def _named(task_ids: Sequence[str], conf: ContextConf) -> list[TaskServiceConf]:
    known = {service.id: service for service in conf.services}
    missing = [task_id for task_id in task_ids if task_id not in known]
    if missing:
        raise ConfigurationError(
            [
                Fault(
                    f"no service '{task_id}'",
                    f"the file has {', '.join(known) or 'no services'}",
                    file=conf.file,
                    element="--task_id",
                )
                for task_id in missing
            ]
        )
    return [known[task_id] for task_id in dict.fromkeys(task_ids)]


def _chosen(request: Request, service: TaskServiceConf) -> Body:
    header = {"action": request.action, "service_id": service.id, "transaction": request.transaction}
    return task_service(service, header)


def _query(request: Request) -> Body:
    if request.action == "request":
        return {"configuration": {}}
    options = request.monitor
    configuration: Body = {
        "memory_maps": options.memory_maps,
        "open_connections": options.open_connections,
        "opened_files": options.opened_files,
    }
    if options.endpoint:
        configuration["service"] = {
            "endpoint": options.endpoint,
            "frequency_s": options.frequency_s,
            "type": options.socket_type,
        }
    return {"configuration": configuration}


def _report(request: Request) -> Body:
    status: Body = {"device_action": request.device_action, "result": request.result}
    return _message(request, request.service_id, {"status": status})


def _service(request: Request, conf: ContextConf | None) -> list[Body]:
    """A task service by its name: every service of that name in the file, or, without one, a bare task."""
    header = _header(request, request.service_id)
    if conf is None:
        inner: Body = {
            "action": request.action,
            "service_id": request.service_id,
            "service_name": request.service_name,
            "transaction": request.transaction,
        }
        content: Body = {"configuration": {"device_action": request.device_action}}
        return [{"Task": {"message": {"content": content, "header": inner}}, "header": header}]
    services = [service for service in conf.services if service.service_name == request.service_name]
    if not services:
        names = ", ".join(sorted({service.service_name for service in conf.services}))
        raise ConfigurationError(
            [
                Fault(
                    f"no service named '{request.service_name}'",
                    f"expected context, all, state or one of the file: {names or 'it has none'}",
                    file=conf.file,
                    element="--service_name",
                )
            ]
        )
    if request.task_ids not in {(), ("all",)}:
        chosen = {service.id for service in _named(request.task_ids, conf)}
        services = [service for service in services if service.id in chosen]
    return [
        {**_chosen(request, service), "header": {**header, "service_id": service.id}} for service in services
    ]


def _message(request: Request, service_id: str, content: Body) -> Body:
    return {"content": content, "header": _header(request, service_id)}


def _header(request: Request, service_id: str) -> dict[str, Json]:
    header: dict[str, Json] = {
        "action": request.action,
        "service_id": service_id,
        "service_name": request.service_name,
        "service_transaction": request.transaction,
    }
    if request.request_id:
        header["request_id"] = request.request_id
    if request.reply_to:
        header["reply_to"] = request.reply_to
    return header


def _checked(topic: str, action: str, allowed: Sequence[str], name: str) -> str:
    if action in allowed:
        return topic
    what = f"action '{action}'" if action and action != "none" else "no action given: it"
    raise _fault(
        "--action", f"{what} does not go with service name '{name}'", f"expected {', '.join(allowed)}"
    )


def _fault(element: str, message: str, remedy: str) -> ConfigurationError:
    return ConfigurationError([Fault(message, remedy, file="command line", element=element)])
