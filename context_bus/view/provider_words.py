"""What every provider speaks, as components that any document about a context has. Pure.

Schemas come from the structs of the wire itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from context_bus.context.commands import Answer, EventReply, LoggedEvent
from context_bus.kernel.message import Header
from context_bus.service.description import Schema
from context_bus.service.schemas import REFERENCE, with_words


@dataclass(frozen=True, slots=True)
class Word:
    """One kind of message of the provider's.

    Args:
        name: Name of the message.
        topic: Where it is sent; ``replies`` for the topic that a request names.
        is_heard: Whether the provider receives it; else it sends it.
        summary: What it is.
        payload: Schema of the content.
        answer: Name of the message that answers it; empty if none does.
    """

    name: str
    topic: str
    is_heard: bool
    summary: str
    payload: Schema
    answer: str = ""


def _reference(name: str) -> Schema:
    return {"$ref": REFERENCE.format(name=name)}


_CONFIGURATION: Schema = {
    "type": "object",
    "properties": {
        "configuration": {
            "type": "object",
            "description": "What the command or query is about; TaskService lists services, one or many.",
        }
    },
}

WORDS = (
    Word(
        "ContextCommand",
        "context",
        True,
        "A command; header.action is start, stop, restart, scale, reload or exit.",
        _CONFIGURATION,
        "CommandAnswer",
    ),
    Word(
        "CommandAnswer",
        "replies",
        False,
        "What became of a command; header.action is accepted, rejected, progress, done or failed.",
        _reference("Answer"),
    ),
    Word(
        "ServiceOrder",
        "process",
        False,
        "One TaskService of the context file, whose Task.message.header says what is asked of it.",
        {"type": "object"},
    ),
    Word(
        "ServiceReport",
        "control",
        True,
        "A report of a service; header.action is started, created, updated, stopped or failed.",
        _reference("ControlContent"),
    ),
    Word(
        "ContextInfo",
        "control",
        False,
        "The provider's table of all services; status.device_action is context_info.",
        _reference("ControlContent"),
    ),
    Word(
        "StateQuery",
        "state",
        True,
        "A query; header.action is request, services, events, top or statistics.",
        _CONFIGURATION,
        "StateReply",
    ),
    Word(
        "StateReply",
        "replies",
        False,
        "The answer to a query; header.action is reply_ and the query's.",
        {"description": "As the query wants it; events are an EventReply."},
    ),
    Word("Event", "event", False, "Something has happened.", _reference("LoggedEvent")),
)


def schemas() -> dict[str, Schema]:
    """The types that these messages refer to."""
    _, found = msgspec.json.schema_components(
        (Header, Answer, LoggedEvent, EventReply), ref_template=REFERENCE
    )
    words: dict[str, Any] = {name: with_words(schema) for name, schema in found.items()}
    return {**words, "ControlContent": _CONTROL}


_CONTROL: Schema = {
    "title": "ControlContent",
    "description": "Content of a report.",
    "type": "object",
    "properties": {
        "status": {
            "type": "object",
            "properties": {
                "result": {"type": "string", "description": "success, failure, or the service's own word."},
                "device_action": {"type": "string", "description": "The word the configuration gives it."},
                "pid": {"type": "integer", "description": "Process of the service."},
                "reason": {"type": "string", "description": "Why, where it failed."},
            },
        }
    },
    "required": ["status"],
}
