"""What a provider shows, as lines for people: time, service, what happened, one line an event.

Knows the events of the provider and nothing of its inside; pure but for the function that prints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import click
import msgspec

from context_bus.cli.output import STATE_COLOURS, colour_of
from context_bus.client.endpoints import DEFAULT_PUBLISH, port_below
from context_bus.config.model import DEFAULT_CONTEXT_ID, TaskServiceConf
from context_bus.context.commands import AnswerKind
from context_bus.context.states import State
from context_bus.context.trace import (
    CodeChanged,
    CommandHeard,
    CommandSettled,
    ContextResumed,
    FileReloaded,
    ForwarderChanged,
    ForwarderState,
    FrameIgnored,
    LeftoversEnded,
    MessagesLost,
    OutputTroubled,
    ProviderEnded,
    ProviderEvent,
    ProviderLeaving,
    ProviderReady,
    ServiceChanged,
    ServiceFrozen,
    ServiceReported,
    StoreRecovered,
    StoreTroubled,
    TransitionFired,
)

#: Widest that the columns of ids and names may become.
MAX_ID, MAX_NAME = 12, 16
#: Fields of a report that every report has, and that other columns show.
ROUTINE = frozenset({"result", "device_action", "pid"})
_DIRECTORIES = re.compile(r"(?<!\S)/\S*/(?=[^/\s:]+\.py:\d)")
#: Who speaks in a line that is about no service.
PROVIDER, FORWARDER = "context", "forwarder"


@dataclass(frozen=True, slots=True)
class Line:
    """One line before it is laid out.

    Args:
        who: Service id, or ``context``.
        name: Service name, which gives the colour; empty for the provider's own lines.
        verb: What happened, in one word.
        text: The rest.
        transaction: Which transaction, shown only where there are several.
    """

    who: str
    name: str
    verb: str
    text: str = ""
    transaction: str = ""


@dataclass
class LiveView:
    """Prints what a provider shows.

    Args:
        echo: Prints a line.
        width: Columns to keep to; None for as wide as it gets.
        command_name: How the user calls ``conf_command``.
        services: Services that are known, so that columns are as wide as they need to be.
    """

    echo: Callable[[str], object]
    width: int | None = None
    command_name: str = "context-bus conf-command"
    services: tuple[TaskServiceConf, ...] = ()
    _transactions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._id_width = max([7, *(min(len(each.id), MAX_ID) for each in self.services)])
        self._name_width = max([8, *(min(len(each.service_name), MAX_NAME) for each in self.services)])

    def __call__(self, event: ProviderEvent) -> None:
        """Print an event."""
        if isinstance(event, ProviderReady):
            for text in self._greeting(event):
                self.echo(text)
            return
        line = line_of(event)
        if line is not None:
            self.echo(self.lay_out(line, datetime.now()))

    def lay_out(self, line: Line, now: datetime) -> str:
        """Put a line into columns; what is too long for the terminal is cut."""
        if line.transaction and line.transaction not in self._transactions:
            self._transactions.append(line.transaction)
        clock = f"{now:%H:%M:%S.%f}"[:12]
        subject = self._subject(line)
        verb = line.verb.ljust(8) if line.text else line.verb
        text = line.text
        if len(self._transactions) > 1 and line.transaction:
            text = f"{text}  [{cut(line.transaction, 8)}]".strip()
        if self.width is not None:
            text = cut(text, self.width - len(f"{clock}  {click.unstyle(subject)}  {verb}  "))
        verb = click.style(verb, fg=STATE_COLOURS.get(line.verb))
        return "  ".join(part for part in (click.style(clock, dim=True), subject, verb, text) if part)

    def _subject(self, line: Line) -> str:
        """Id and name in columns and colours of their own; what has no name takes both."""
        self._id_width = max(self._id_width, min(len(line.who), MAX_ID) if line.name else 0)
        self._name_width = max(self._name_width, min(len(line.name), MAX_NAME))
        whole = self._id_width + 2 + self._name_width
        if not line.name:
            return click.style(cut(line.who, whole).ljust(whole), bold=True)
        who, name = cut(line.who, self._id_width), cut(line.name, self._name_width)
        who = click.style(who.ljust(self._id_width), fg=colour_of(line.who), bold=True)
        return f"{who}  {click.style(name.ljust(self._name_width), fg=colour_of(line.name))}"

    def _greeting(self, event: ProviderReady) -> list[str]:
        plural = "" if event.services == 1 else "s"
        title = click.style(f"{event.context_name} ({event.context_id})", bold=True)
        # The provider knows its file: a command only has to find the provider.
        where = "" if event.publish_to == DEFAULT_PUBLISH else f" --endpoint={event.publish_to}"
        where += "" if event.listen_on == port_below(event.publish_to) else f" --listen={event.listen_on}"
        whom = "" if event.context_id == DEFAULT_CONTEXT_ID else f" --service_id={event.context_id}"
        return [
            f"{title}  {event.services} service{plural}, forwarder pid {event.forwarder_pid}",
            f"  publish to  {event.publish_to}",
            f"  listen on   {event.listen_on}",
            f"  command it  {self.command_name}{where}{whom} --action=start",
            "  end it      --action=exit, or Ctrl-C",
        ]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def line_of(event: ProviderEvent) -> Line | None:
    """What an event says in one line; None where another event says it already."""
    match event:
        case ServiceChanged():
            return _changed(event)
        case ServiceReported():
            return _reported(event)
        case ServiceFrozen():
            verb = "frozen" if event.is_frozen else "thawed"
            return Line(event.service_id, "", verb, f"pid {event.pid}", event.transaction)
        case TransitionFired():
            note = f" ({event.note})" if event.note else ""
            text = f"{event.action} {event.target}{note}"
            return Line(f"{event.source} fires", "", str(event.trigger), text, event.transaction)
        case CommandHeard():
            whom = ", ".join(each for each in event.services if each) or "everything"
            return Line(PROVIDER, "", event.action, whom, event.transaction)
        case CommandSettled():
            return _settled(event)
    return _about_provider(event)


def _about_provider(event: ProviderEvent) -> Line | None:
    match event:
        case ForwarderChanged(state=ForwarderState.STARTED):
            return None  # the greeting tells
        case ForwarderChanged():
            text = "; ".join(part for part in (f"pid {event.pid}" if event.pid else "", event.reason) if part)
            return Line(FORWARDER, "", str(event.state), text)
        case FrameIgnored():
            return Line(
                PROVIDER, "", "ignored", f"a frame on {event.topic}: {event.reason} ({event.count} so far)"
            )
        case MessagesLost():
            return Line(PROVIDER, "", "lost", f"{event.count} messages so far")
        case ContextResumed():
            text = f"{_count(event.services, 'service')} of a killed provider"
            adopted = f", {event.adopted} running on" if event.adopted else ""
            return Line(PROVIDER, "", "resumed", text + adopted)
        case LeftoversEnded():
            return Line(PROVIDER, "", "cleaned", f"{event.count} processes that a killed provider left")
        case StoreTroubled():
            return Line(PROVIDER, "", "not recorded", event.reason)
        case StoreRecovered():
            lost = f"; {_count(event.dropped, 'event')} given up" if event.dropped else ""
            return Line(PROVIDER, "", "recorded", f"everything again{lost}")
        case OutputTroubled(reason=""):
            return Line(event.name, "", "written", f"its output again; {event.lost} bytes lost")
        case OutputTroubled():
            return Line(event.name, "", "not written", f"its output: {event.reason}")
        case FileReloaded():
            state = "not reloaded" if event.fault else "reloaded"
            return Line(PROVIDER, "", state, event.fault or event.file)
        case CodeChanged():
            return Line(PROVIDER, "", "edited", f"{', '.join(event.instances)}; restarting")
        case ProviderLeaving():
            return Line(PROVIDER, "", "leaving", f"{event.reason}; stopping every service")
        case ProviderEnded():
            return Line(PROVIDER, "", "ended", "nothing is left running")
    return None


def _changed(event: ServiceChanged) -> Line | None:
    if event.new in {State.UPDATED, State.ENDING}:
        return None  # the report that made it updated is shown, and so is the end
    pid = f"pid {event.pid}" if event.pid and event.new in {State.STARTED, State.CREATED} else ""
    text = "; ".join(part for part in (pid, without_directories(event.reason)) if part)
    return Line(event.service_id, event.service_name, str(event.new), text, event.transaction)


def _reported(event: ServiceReported) -> Line | None:
    if event.action == State.FAILED:
        return None  # the change of state tells, with the reason and the place
    items = {key: value for key, value in event.status.items() if key not in ROUTINE}
    result = [] if event.result == "success" else [event.result]
    text = " ".join([*result, *(f"{key}={brief(value)}" for key, value in items.items())])
    return Line(event.service_id, event.service_name, event.action, text, event.transaction)


def _settled(event: CommandSettled) -> Line:
    bad = [row for row in event.services if row.result in {AnswerKind.FAILED, AnswerKind.REJECTED}]
    reasons = event.reason or "; ".join(f"{row.service_id}: {row.reason or row.state}" for row in bad)
    text = f"{event.action}: {reasons}" if reasons else event.action
    return Line(PROVIDER, "", str(event.kind), text, event.transaction)


def without_directories(reason: str) -> str:
    """A reason that begins with the place in the code, on less space: ``Parse.py:56: ...``."""
    return _DIRECTORIES.sub("", reason)


def brief(value: object) -> str:
    """A value on little space: text as it is, anything else as JSON, without line breaks."""
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=repr).decode()
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def cut(text: str, width: int) -> str:
    """At most ``width`` characters, with a sign that something is missing."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def as_json(event: ProviderEvent, wall: float) -> str:
    """An event as one JSON object."""
    fields: Mapping[str, object] = msgspec.to_builtins(event, enc_hook=repr)
    return msgspec.json.encode({"time": wall, "event": type(event).__name__, **fields}).decode()
