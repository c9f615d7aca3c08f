"""Where the files of a service list go, and how the context file finds them.

Pure. Knows the configuration model; must not know templates or the disk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from context_bus.config.model import ContextConf, MetaConf, MetaService, TaskServiceConf
from context_bus.scaffold.names import file_stem


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one service list.

    Args:
        services: ``<service_path>/Services``, one directory per service below it.
        context: ``<home_path>/Conf/Context-<context_name>.xml``.
        location: What the context file calls ``services``, unless the list says otherwise.
    """

    services: Path
    context: Path
    location: str

    def package(self, service: MetaService) -> Path:
        """The marker that makes the service's directory a package."""
        return self.services / service.task_service / "__init__.py"

    def host(self, service: MetaService) -> Path:
        """The file that the context loads."""
        return self.services / service.task_service / f"Service{service.task_service}.py"

    def task(self, service: MetaService) -> Path:
        """The file that the user fills in."""
        return self.services / service.task_service / f"{file_stem(service)}.py"


def layout_of(conf: MetaConf, base: Path) -> Layout:
    """Lay out a service list.

    A list of absolute paths makes a context file of absolute paths, as ever. Relative ones make a
    tree that can be moved: the context file then finds its services relative to itself.

    Args:
        conf: The list, free of faults.
        base: Absolute directory that relative paths are relative to: the list's own, or the
            working directory for flags.

    Returns:
        The places; ``location`` is the list's own if it names one.
    """
    services = _under(base, conf.service_path) / "Services"
    context = _under(base, conf.home_path or conf.service_path) / "Conf" / f"Context-{conf.context_name}.xml"
    location = str(services)
    if not Path(conf.service_path).is_absolute():
        location = os.path.relpath(services, context.parent)
    return Layout(services, context, conf.location or location)


def context_of(conf: MetaConf, layout: Layout) -> ContextConf:
    """The context file that a service list stands for; the forwarder binds to the server's address only."""
    host = f"[{conf.server_ip}]" if ":" in conf.server_ip else conf.server_ip
    front = f"tcp://{host}:{conf.sub_port}"
    back = f"tcp://{host}:{conf.pub_port}"
    return ContextConf(
        front_end_endpoint=front,
        backend_endpoint=back,
        front_bind=back,
        backend_bind=front,
        task_log_name=conf.context_name,
        context_id=conf.context_id,
        services=tuple(_service_of(service, layout) for service in conf.services),
        file=str(layout.context),
    )


def _service_of(service: MetaService, layout: Layout) -> TaskServiceConf:
    """The ``TaskService`` element of one service."""
    own = {"device_action": service.device_action} if service.device_action else {}
    return TaskServiceConf(
        id=service.task_id,
        instance=service.task_service,
        service_name=service.service_name,
        topic=service.task_topic,
        description=service.task_desc,
        state_type=service.entry_action,
        transitions=service.transitions,
        configuration={**own, "location": service.location or layout.location, **service.configuration},
        line=service.line,
    )


def _under(base: Path, path: str) -> Path:
    """The path itself if absolute, else below ``base``, without ``..`` in the middle."""
    return Path(path) if Path(path).is_absolute() else Path(os.path.normpath(base / path))
