"""The frozen model of a context file and of a service list; what XML, YAML and wire messages all become.

Knows kernel only. Field names follow the XML; defaults stand here and nowhere else.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from context_bus.config.supervision import Supervision

#: A configuration value: text, a list of values, or named values; XML knows no other types.
Value = str | Sequence["Value"] | Mapping[str, "Value"]

#: Instances that the package brings along, unless a location is named; every other one needs one.
BUILT_IN_INSTANCES = frozenset({"Monitor"})
#: Context id of a file that names none.
DEFAULT_CONTEXT_ID = "context001"
#: The one topic on which task services are addressed.
PROCESS_TOPIC = "process"


class Action(enum.StrEnum):
    """What a command or a transition can do to a service."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


class Trigger(enum.StrEnum):
    """What happened to a service, as the name of its transition."""

    ON_START = "on_start"
    ON_UPDATE = "on_update"
    ON_FAIL = "on_fail"
    ON_EXIT = "on_exit"


class ServiceType(enum.StrEnum):
    """What carries a task service."""

    PROCESS = "Process"
    THREAD = "Thread"
    COMMAND = "Command"


class TaskType(enum.StrEnum):
    """How a scaffolded task runs: over and over, or once."""

    LOOPED = "Looped"
    SINGLE = "Single"


#: State types with which a service runs at context start; with any other it is deferred.
IMMEDIATE_TYPES = frozenset({"on_start", "start_now"})


@dataclass(frozen=True, slots=True)
class Transition:
    """On ``trigger`` of its service, do ``action`` to each service in ``call``."""

    trigger: Trigger
    action: Action
    call: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskServiceConf:
    """One ``TaskService`` element.

    Args:
        id: Unique id within the context, e.g. ``ts_100``.
        instance: Directory and class stem: ``<location>/<instance>/Service<instance>.py``; empty if a
            command names none.
        service_type: Process, thread, or any program.
        topic: Always ``process``.
        description: For people.
        service_name: The name messages are matched on; several services may share one.
        state_type: ``on_start``/``start_now`` run at once, anything else is deferred.
        transitions: In order of `Trigger`, those of one trigger as written; empty ones are left out.
        configuration: Every child of ``configuration`` in document order, location and
            device_action included.
        command: Program and arguments of a service of type ``Command``; empty for the other types. A
            program without a slash is looked up in ``PATH``, a relative one starts at the working
            directory of the process.
        supervision: How it is kept, what the context says of all its services included.
        line: Line of the element in its file, 0 if it has none.
    """

    id: str
    instance: str
    service_name: str
    service_type: ServiceType = ServiceType.PROCESS
    topic: str = PROCESS_TOPIC
    description: str = ""
    state_type: str = "on_start"
    transitions: tuple[Transition, ...] = ()
    configuration: Mapping[str, Value] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    supervision: Supervision = field(default_factory=Supervision)
    line: int = field(default=0, compare=False)

    @property
    def is_deferred(self) -> bool:
        """Whether the service waits for a transition or a command to run."""
        return self.state_type not in IMMEDIATE_TYPES

    @property
    def location(self) -> str:
        """Directory that holds ``<instance>/``; empty if not configured."""
        value = self.configuration.get("location", "")
        return value if isinstance(value, str) else ""

    @property
    def device_action(self) -> str:
        """Word echoed in every control message; empty if not configured."""
        value = self.configuration.get("device_action", "")
        return value if isinstance(value, str) else ""


def is_built_in(service: TaskServiceConf) -> bool:
    """Whether the package itself brings the class of a service along; a location of the user's wins."""
    is_program = service.service_type is ServiceType.COMMAND
    return service.instance in BUILT_IN_INSTANCES and not service.location and not is_program


@dataclass(frozen=True, slots=True)
class ContextConf:
    """One context file.

    Endpoints cross on purpose: publishers connect to ``backend_endpoint``, which the forwarder binds
    as ``front_bind``; listeners connect to ``front_end_endpoint``, bound as ``backend_bind``.

    What ``defaults`` says of all services stands in the ``supervision`` of each already: it only lets a
    file be written as short as it was read. Of the topics in ``keep_last`` the provider keeps the last
    message of each sender for those who join late.
    """

    front_end_endpoint: str
    backend_endpoint: str
    front_bind: str
    backend_bind: str
    task_log_name: str
    context_id: str = DEFAULT_CONTEXT_ID
    services: tuple[TaskServiceConf, ...] = ()
    keep_last: tuple[str, ...] = ()
    file: str = field(default="", compare=False)
    defaults: Supervision = field(default_factory=Supervision, compare=False)

    def service(self, service_id: str) -> TaskServiceConf | None:
        """The service with this id, or None."""
        return next((service for service in self.services if service.id == service_id), None)


@dataclass(frozen=True, slots=True)
class MetaService:
    """One ``Service`` of a MetaServiceConf: what the scaffold makes of it."""

    task_service: str
    service_name: str
    task_id: str
    task_class: str = ""  # default: task_service
    task_file: str = ""  # default: task_class
    task_desc: str = ""
    task_type: TaskType = TaskType.LOOPED
    task_topic: str = PROCESS_TOPIC
    device_action: str = ""
    entry_action: str = "on_start"
    location: str = ""  # default: the list's location
    transitions: tuple[Transition, ...] = ()
    configuration: Mapping[str, Value] = field(default_factory=dict)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class MetaConf:
    """One MetaServiceConf file: a list of services to scaffold into one context."""

    context_name: str
    server_ip: str
    sub_port: int
    pub_port: int
    service_path: str
    context_id: str = DEFAULT_CONTEXT_ID
    home_path: str = ""  # default: service_path
    location: str = ""  # default: <service_path>/Services
    log_on: bool = True
    services: tuple[MetaService, ...] = ()
    file: str = field(default="", compare=False)
