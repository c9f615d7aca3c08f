"""Asking a provider about everything it has, and naming services of it. Knows the wire; prints nothing."""

from __future__ import annotations

import contextlib
import fnmatch
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from context_bus.client.dialogue import Arrival, Dialogue
from context_bus.client.endpoints import Endpoints
from context_bus.client.indoors import Indoors
from context_bus.context.commands import STATE_TOPIC, Answer, AnswerKind
from context_bus.errors import CommandRejected, CommandTimeout
from context_bus.kernel.message import Header

#: Seconds a provider may take to answer a query.
ANSWER_TIMEOUT = 5.0
#: Seconds after which it is asked again: a question goes nowhere while a forwarder is being replaced.
AGAIN_AFTER = 0.5
#: What to do where no provider is.
HINT = "start one with 'context-bus service-context FILE', or name the file of one that runs by -c FILE"
#: Most names that an error lists.
SHOWN = 10


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One service as a provider tells of it; what an older one does not tell is empty."""

    service_id: str
    action: str = ""
    state: str = ""
    pid: int | None = None
    instance: str = ""
    serviceName: str = ""
    reason: str = ""
    phase: str = ""
    since: float = 0.0
    starts: int = 0
    wanted: bool = False
    last_end: str = ""
    frozen: bool = False
    complaint: str = ""
    log: str = ""


class Transaction(msgspec.Struct, frozen=True):
    """One transaction and its services."""

    name: str
    tasks: tuple[Task, ...] = ()


class Services(msgspec.Struct, frozen=True):
    """Everything a provider has."""

    provider: dict[str, Any] = {}
    transactions: tuple[Transaction, ...] = ()


def open_conversation(endpoints: Endpoints, *topics: str) -> Dialogue:
    """Open a conversation with the provider at these endpoints: by its own socket if that is known.

    Args:
        endpoints: Where it is.
        *topics: Topics of the bus to hear besides; they come by the bus only.

    Raises:
        NobodyListens: There is none.
    """
    if endpoints.socket and not topics:
        with contextlib.suppress(OSError):
            return Indoors(endpoints.socket)
    from context_bus.client.conversation import Conversation
    from context_bus.client.joining import join_provider

    conversation = Conversation(endpoints, topics)
    try:
        join_provider(conversation, STATE_TOPIC, HINT)
    except BaseException:
        conversation.close()
        raise
    return conversation


def ask(
    conversation: Dialogue,
    action: str,
    configuration: Mapping[str, object] | None = None,
    timeout: float = ANSWER_TIMEOUT,
    transaction: str = "",
) -> msgspec.Raw:
    """Ask one query and wait for its reply; what comes on other topics meanwhile is kept for later.

    Raises:
        CommandRejected: The provider does not answer such queries; it is an older one.
        CommandTimeout: It does not answer at all.
    """
    conversation.renew()
    overtaken: list[Arrival] = []
    deadline = time.monotonic() + timeout
    try:
        while (now := time.monotonic()) < deadline:
            content = {"configuration": dict(configuration or {})}
            conversation.ask(STATE_TOPIC, content, Header(action, "", "state", transaction))
            reply = _reply(conversation, action, min(deadline, now + AGAIN_AFTER), overtaken)
            if reply is not None:
                return reply
    finally:
        conversation.put_back(overtaken)
    raise CommandTimeout(f"the provider did not answer '{action}' within {timeout:g} s")


def _reply(
    conversation: Dialogue, action: str, deadline: float, overtaken: list[Arrival]
) -> msgspec.Raw | None:
    for each in conversation.answers(deadline):
        topic, header, reply = each
        if topic != conversation.inbox:
            overtaken.append(each)
        elif header.action == AnswerKind.REJECTED:
            raise CommandRejected(msgspec.json.decode(reply, type=Answer).reason)
        elif header.action == f"reply_{action}":
            return reply
    return None


def services(conversation: Dialogue, timeout: float = ANSWER_TIMEOUT) -> Services:
    """Every service of every transaction; raises as `ask`."""
    return msgspec.json.decode(ask(conversation, "services", timeout=timeout), type=Services)


def choose_transaction(found: Services, name: str) -> Transaction:
    """The transaction of a name; without a name, the only one.

    Raises:
        CommandRejected: There is no such one, or none, or several to choose from.
    """
    known = {each.name: each for each in found.transactions}
    if name in known:
        return known[name]
    if not known:
        raise CommandRejected("nothing has been started here yet; start it with 'context-bus start'")
    names = ", ".join(known)
    if name:
        raise CommandRejected(_unknown("transaction", name, list(known)))
    if len(known) > 1:
        raise CommandRejected(f"which transaction? add -t ID; this provider knows: {names}")
    return next(iter(known.values()))


def choose_tasks(found: Sequence[Task], names: Sequence[str]) -> tuple[Task, ...]:
    """Services of these names: ids, ids of a service with several instances, or patterns like ``ts_*``.

    Raises:
        CommandRejected: A name matches none.
    """
    if not names:
        return tuple(found)
    chosen: dict[str, Task] = {}
    for name in names:
        matching = [each for each in found if is_meant(each.service_id, name)]
        if not matching:
            raise CommandRejected(_unknown("service", name, [each.service_id for each in found]))
        chosen.update({each.service_id: each for each in matching})
    return tuple(chosen.values())


def is_meant(service_id: str, name: str) -> bool:
    """Whether a name on the command line means a service."""
    base = service_id.rpartition("#")[0] if service_id.rpartition("#")[2].isdecimal() else service_id
    return name in {service_id, base} or fnmatch.fnmatchcase(service_id, name)


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"no {what} '{name}'; {hint}known: {', '.join(known[:SHOWN]) or 'none'}{more}"
