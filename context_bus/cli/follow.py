"""One command from the flags to the exit code: send it, show what happens on the way, print the outcome.

Knows the commander and how results are printed; wires the two together for ``conf_command`` and ``demo``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from context_bus.cli.outcome import print_outcome, show_progress, without_empty
from context_bus.cli.output import say, say_json, say_table
from context_bus.cli.usage_table import print_figures, read_rows
from context_bus.client import commander
from context_bus.client.conversation import Conversation
from context_bus.client.endpoints import Endpoints, port_below
from context_bus.client.joining import join_provider
from context_bus.config.model import ContextConf
from context_bus.context.commands import Answer, AnswerKind
from context_bus.context.request import MonitorOptions, Request, bodies, topic_of
from context_bus.kernel.ids import new_transaction

#: What to do where no provider listens.
HINT = "start one with: service_context.py CONTEXT_FILE"
#: What to do where the other endpoint was only supposed.
HINT_LISTEN = "or, if its FrontEndEndpoint is not {listen}, name it by --listen"
#: Actions that may open a transaction, and so may make up its name.
OPENING = ("start",)
#: Actions that mean the provider itself, whatever the transaction.
PROVIDER_WIDE = ("exit",)


def carry_out(
    request: Request,
    conf: ContextConf | None,
    endpoints: Endpoints,
    *,
    timeout: float,
    wait: bool = True,
    as_json: bool = False,
) -> None:
    """Carry out a request and print what becomes of it.

    Args:
        request: What is wanted; without a transaction, ``start`` makes one up and others take the only one.
        conf: The context file, if there is one.
        endpoints: Where the provider is.
        timeout: Seconds to wait for the outcome.
        wait: Wait for the outcome; else return when the bus has taken the message.
        as_json: Print one JSON object instead of lines and tables.

    Raises:
        ContextBusError: What went wrong; see `context_bus.errors`.
    """
    topic = topic_of(request)
    bodies(request, conf)  # what cannot be sent is told before anybody is asked
    show = _Silent() if as_json else _Lines()
    is_query = topic == "state"
    wait = wait and request.action != "updated"  # a report is not answered
    with Conversation(endpoints, ("state",) if is_query else ()) as conversation:
        show.line(f"Connecting endpoint [{endpoints.publish}] in topic [{topic}]")
        supposed = conf is None and endpoints.listen == port_below(endpoints.publish)
        hint = f"{HINT}, {HINT_LISTEN.format(listen=endpoints.listen)}" if supposed else HINT
        join_provider(conversation, topic, hint)
        request = commander.address(request, conversation) if wait or is_query else request
        if not is_query:
            request = _with_transaction(request, conversation, timeout, show)
        frames = bodies(request, conf)
        size = sum(len(msgspec.json.encode(body)) for body in frames)
        show.line(f"Sending message of [{size}] bytes")
        if is_query:
            transaction, record = commander.query(conversation, request, timeout)
            _print_reply(request, transaction, record, as_json)
        elif not wait:
            for body in frames:
                conversation.send(topic, body)
            if as_json:
                say_json({"transaction": request.transaction, "action": request.action, "outcome": "sent"})
        else:
            outcome = commander.command(conversation, request, frames, timeout, show.answer)
            print_outcome(request.action, outcome, as_json=as_json)


def _with_transaction(request: Request, conversation: Conversation, timeout: float, show: _Silent) -> Request:
    if request.transaction or request.action in PROVIDER_WIDE:
        return request
    if request.action in OPENING:
        transaction = new_transaction()
    else:
        asked = commander.address(request, conversation)
        transaction = commander.only_transaction(conversation, asked, timeout)
    show.line(f"Transaction [{transaction}]")
    return replace(request, transaction=transaction)


class _Silent:
    """Shows nothing on the way."""

    def line(self, text: str) -> None:
        """Take a step of the command itself."""

    def answer(self, kind: AnswerKind, answer: Answer) -> None:
        """Take an answer of the provider."""


class _Lines(_Silent):
    """Shows each step on a line of its own."""

    def line(self, text: str) -> None:
        """Print a step of the command itself."""
        say(f"    + {text}")

    def answer(self, kind: AnswerKind, answer: Answer) -> None:
        """Print what an answer says of services that moved."""
        if kind is AnswerKind.PROGRESS:
            show_progress(answer)


def _print_reply(
    request: Request, transaction: str, record: Mapping[str, Any] | list[Any], as_json: bool
) -> None:
    if as_json:
        say_json(record, indent=2)
    elif request.action == "top":
        print_figures(read_rows(record))
        _print_publication(request.monitor)
    else:
        _print_record(transaction, record)


def _print_publication(options: MonitorOptions) -> None:
    """Say what becomes of a publication that was asked for."""
    if options.endpoint and options.frequency_s:
        say(f"published on {options.endpoint}, topic monitor, every {options.frequency_s:g} s")
        say("until the provider ends, or the same is asked with --service_freq=0")
    elif options.endpoint:
        say(f"published on {options.endpoint} no more")


def _print_record(transaction: str, record: Mapping[str, Any] | list[Any]) -> None:
    tasks = record.get("tasks") if isinstance(record, Mapping) else None
    if not isinstance(record, Mapping) or not isinstance(tasks, list):
        say_json(record, indent=2)
        return
    names = ("service_id", "serviceName", "pid", "instance", "state", "action", "reason")
    rows = [[task.get(name) for name in names] for task in tasks if isinstance(task, Mapping)]
    context = f"{record.get('contextId', '?')} ({record.get('contextLogName', '?')})"
    say(f"transaction {transaction} of context {context}")
    if rows:
        say_table(*without_empty(("id", "name", "pid", "instance", "state", "action", "reason"), rows))
    else:
        say("no services yet")
