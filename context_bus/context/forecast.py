"""Whether services could be started on this machine: users, programs, limits. Starts nothing.

A file can be right and yet not work here; that is told before anything is started, all of it at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from context_bus.config.model import ContextConf, ServiceType, TaskServiceConf
from context_bus.context.roots import home_of
from context_bus.errors import ConfigurationError, Fault
from context_bus.kernel.surroundings import Surroundings
from context_bus.process import program


def machine_faults(conf: ContextConf, service: TaskServiceConf) -> Iterator[Fault]:
    """Look at one service.

    Args:
        conf: The context file; relative directories start where it is.
        service: The service.

    Yields:
        A fault for all that would keep it from starting, with the remedy in its message.
    """
    if service.service_type is ServiceType.THREAD:
        return
    kept = service.supervision
    home = home_of(conf)
    is_program = service.service_type is ServiceType.COMMAND
    own = kept.surroundings
    surroundings = replace(own, cwd=str(home / own.cwd)) if own.cwd or is_program else own
    if kept.requires and own.cwd and not (home / own.cwd).exists():
        surroundings = replace(own, cwd="")  # what it requires may make it
    around = program.faults((), surroundings)
    yield from _faults(conf, service, "supervision/process", around)
    found = program.faults(service.command, surroundings) if is_program else []
    yield from _faults(conf, service, "command", (text for text in found if text not in around))
    probes = {"readiness": kept.readiness.probe, "liveness": kept.liveness.probe if kept.liveness else None}
    for name, probe in probes.items():
        if probe is not None and probe.command:
            found = program.faults(probe.command, Surroundings())
            yield from _faults(conf, service, f"supervision/{name}", found)


def refuse_faults(conf: ContextConf) -> None:
    """Refuse a file that does not work on this machine.

    Raises:
        ConfigurationError: With every fault of every service.
    """
    faults = [fault for service in conf.services for fault in machine_faults(conf, service)]
    if faults:
        raise ConfigurationError(faults)


def _faults(
    conf: ContextConf, service: TaskServiceConf, element: str, found: Iterable[str]
) -> Iterator[Fault]:
    place = f"TaskService[{service.id}]/{element}"
    for text in found:
        yield Fault(text, file=conf.file, line=service.line, element=place)
