"""What a check of a file found, as data and as lines for people. Knows the model; looks at nothing itself."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from context_bus.config.explain import explain, next_times
from context_bus.config.model import ContextConf, TaskServiceConf, is_built_in
from context_bus.config.monitor import monitor_conf, say_monitor
from context_bus.config.supervision import Supervision
from context_bus.errors import Fault


@dataclass(frozen=True, slots=True)
class ServiceSummary:
    """One service in a few words.

    Args:
        id: Its id.
        instance: Its class stem.
        service_name: The name on the wire.
        is_deferred: Whether it waits for a transition or a command.
        transitions: Each as ``on_exit -> start ts_101``.
        command: Its program and arguments as one line; empty if it is Python.
        policy: How it is kept, in words; empty if the file says nothing of it.
        next_times: When its schedule comes due next, in local time.
        supervision: How it is kept, as data.
        watches: What a monitor does, in words; empty for any other service.
    """

    id: str
    instance: str
    service_name: str
    is_deferred: bool
    transitions: tuple[str, ...]
    command: str = ""
    policy: str = ""
    next_times: tuple[str, ...] = ()
    supervision: Supervision = field(default_factory=Supervision)
    watches: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Args:
        file: The file as given.
        kind: ``context``, ``service list``, or empty if it is neither.
        name: Name of the context.
        faults: What makes the file unusable.
        warnings: What is odd, but works.
        services: What it defines, in the order of the file; empty if there are faults.
        levels: Ids in start order, those of one level at the same time; empty if none waits for another.
        context: The context itself, for whoever looks further; None if it is none or has faults.
    """

    file: str
    kind: str = ""
    name: str = ""
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    services: tuple[ServiceSummary, ...] = ()
    levels: tuple[tuple[str, ...], ...] = ()
    context: ContextConf | None = field(default=None, repr=False)

    @property
    def is_usable(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    def with_faults(self, further: Iterable[Fault]) -> Report:
        """The same with faults that somebody else found."""
        faults = tuple(sorted((*self.faults, *further), key=lambda fault: fault.line))
        return replace(self, faults=faults)

    def summary(self) -> Iterator[str]:
        """What the file defines, in lines for people."""
        if not self.is_usable:
            return
        yield f'{self.file}: {self.kind} "{self.name}", {_count(len(self.services), "service")}'
        for title, lines in self._sections():
            if lines:
                yield f"  {title}:"
                yield from (f"    {line}" for line in lines)

    def _sections(self) -> Iterator[tuple[str, list[str]]]:
        """Titles, each with its lines; those without any are not worth a title."""
        level = {name: number for number, names in enumerate(self.levels) for name in names}
        services = sorted(self.services, key=lambda service: level.get(service.id, 0))
        deferred = [service for service in services if _waits(service)]
        starters = "a transition or a command"
        if any(service.supervision.schedule for service in deferred):
            starters = "a transition, a command or their schedule"
        yield "runs at start, in this order", [_line(each) for each in services if not _waits(each)]
        yield f"deferred, until {starters} starts them", [_line(service) for service in deferred]
        transitions = [f"{service.id} {text}" for service in self.services for text in service.transitions]
        yield "transitions", transitions
        waiting = {service.id for service in deferred}
        order = [", ".join(each for each in ids if each not in waiting) for ids in self.levels]
        yield "order of starts, those of one line at the same time", [line for line in order if line]
        yield "kept", [f"{service.id}  {service.policy}" for service in self.services if service.policy]
        yield "monitors", [f"{each.id}  {each.watches}" for each in self.services if each.watches]
        times = [f"{each.id}  {', '.join(each.next_times)}" for each in self.services if each.next_times]
        yield "next times", times
        topics = self.context.keep_last if self.context is not None else ()
        yield "topics whose last values the provider keeps", list(topics)


def summary_of(service: TaskServiceConf, transitions: Iterable[str], now: float | None) -> ServiceSummary:
    """Say of a service what a report says.

    Args:
        service: The service.
        transitions: Its transitions in words.
        now: Seconds since the epoch, from which on the next times are told; None tells none.
    """
    schedule = "" if now is None else service.supervision.schedule
    return ServiceSummary(
        service.id,
        service.instance,
        service.service_name,
        service.is_deferred,
        tuple(transitions),
        command=shlex.join(service.command),
        policy=explain(service),
        next_times=next_times(schedule, now or 0.0),
        supervision=service.supervision,
        watches=say_monitor(monitor_conf(service.configuration, service.id)) if is_built_in(service) else "",
    )


def _waits(service: ServiceSummary) -> bool:
    """Whether it does not run at context start; with a schedule it waits, whatever its type."""
    return service.is_deferred or bool(service.supervision.schedule)


def _line(service: ServiceSummary) -> str:
    return f"{service.id}  {service.command or service.instance} ({service.service_name})"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
