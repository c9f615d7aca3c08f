"""What a ``top`` query asks for, and the rows that answer it. Pure: knows the field names of the wire.

Clients of old say yes and no in text as well, where ``"0"`` is no; what they leave out is no, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from context_bus.process.usage import Options, Usage

#: Texts that mean no.
NO = frozenset({"", "0", "false", "no", "off", "none"})
#: Least seconds between two publications; the figures change no faster than the kernel counts.
LEAST_PERIOD = 0.1


class Publication(msgspec.Struct, frozen=True):
    """Figures that are to be published again and again.

    Args:
        endpoint: Where to bind.
        period: Seconds between two; 0 stops it.
    """

    endpoint: str
    period: float


class FiguresAsked(msgspec.Struct, frozen=True):
    """What a ``top`` query asks for.

    Args:
        options: What to look at.
        publication: What is to be published from now on; None for this one answer only.
        refusal: Why it cannot be answered as it is; empty if it can.
    """

    options: Options = Options()
    publication: Publication | None = None
    refusal: str = ""

    @property
    def is_brief(self) -> bool:
        """Whether children and threads are left out."""
        return not self.options.details


class Subject(NamedTuple):
    """A service, and what is told of it besides its figures.

    Args:
        transaction: Its transaction.
        service_id: Its id.
        pid: Its process; None if it has none.
        name: Its ``service_name``.
        instance: Its directory.
        phase: Its exact state.
        action: The action in its record.
        state: What became of that.
    """

    transaction: str
    service_id: str
    pid: int | None
    name: str
    instance: str
    phase: str
    action: str
    state: str


class TopRow(msgspec.Struct, frozen=True, kw_only=True):
    """One service in the content of ``reply_top``; names as on the wire.

    Args:
        service_id: The service.
        transaction: Its transaction.
        pid: Its process; None if it has none.
        serviceName: Its ``service_name``.
        instance: Its directory.
        state: Its state, a word of ``context.states.State``.
        memory: What it uses; None if it has no process.
    """

    service_id: str
    transaction: str = ""
    pid: int | None = None
    serviceName: str = ""
    instance: str = ""
    state: str = ""
    memory: Usage | None = None


def row(subject: Subject, usage: Usage | None) -> TopRow:
    """The row of a service."""
    return TopRow(
        service_id=subject.service_id,
        transaction=subject.transaction,
        pid=subject.pid,
        serviceName=subject.name,
        instance=subject.instance,
        state=subject.phase,
        memory=usage,
    )


def read_asked(configuration: Mapping[str, object]) -> FiguresAsked:
    """Read the configuration of a ``top`` query; what cannot be taken as it is says why."""
    options = Options(
        details=not is_yes(configuration.get("brief")),
        memory_maps=is_yes(configuration.get("memory_maps")),
        open_connections=is_yes(configuration.get("open_connections")),
        opened_files=is_yes(configuration.get("opened_files")),
    )
    service = configuration.get("service")
    if not service:
        return FiguresAsked(options)
    if not isinstance(service, Mapping):
        return FiguresAsked(options, refusal="service is no object; expected endpoint, frequency_s and type")
    return _with_publication(options, service)


def is_yes(value: object) -> bool:
    """Whether a flag is set: a boolean, a number, or a text."""
    return value.strip().lower() not in NO if isinstance(value, str) else bool(value)


def _with_publication(options: Options, service: Mapping[str, object]) -> FiguresAsked:
    kind, endpoint = service.get("type", "pub"), service.get("endpoint")
    if kind != "pub":
        return FiguresAsked(options, refusal=f"figures are not published by a socket of type {kind}; use pub")
    if not isinstance(endpoint, str) or not _is_place(endpoint):
        return FiguresAsked(options, refusal=f"no figures on endpoint {endpoint!r}; name one, port included")
    period = _number(service.get("frequency_s", 1.0))
    if period != 0.0 and not LEAST_PERIOD <= period < math.inf:
        given = f"no figures every {service.get('frequency_s')} s"
        return FiguresAsked(
            options, refusal=f"{given}; expected at least {LEAST_PERIOD:g}, or 0 to publish no more"
        )
    return FiguresAsked(options, Publication(endpoint, period))


def _is_place(endpoint: str) -> bool:
    """Whether somebody could connect there: it can be written, and its port is known."""
    return bool(endpoint) and endpoint.isprintable() and not endpoint.endswith((":*", ":0"))


def _number(value: object) -> float:
    if isinstance(value, int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return math.nan
    return math.nan
