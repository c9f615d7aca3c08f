"""What a service speaks, as told by its own code: values that travel as JSON. Knows nothing.

Made in the process that imports the code (`describing`), read where the pages are written.
"""

from __future__ import annotations

from typing import Any

import msgspec

#: A JSON schema; what it refers to stands under ``#/components/schemas/``.
Schema = dict[str, Any]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One child of ``configuration`` that a task takes.

    Args:
        name: Its name.
        type: Its type as people write it.
        schema: Its schema.
        is_required: Whether the context file has to name it.
        default: What it is otherwise, as text.
        description: What it is for.
    """

    name: str
    type: str
    schema: Schema
    is_required: bool = False
    default: str = ""
    description: str = ""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One topic that a handler hears.

    Args:
        topic: The topic.
        method: Name of the handler.
        description: What the handler says of itself.
        type: Type of the content as people write it; so ``reply``, which is empty where none is given.
        schema: Schema of the content.
        reply: See above.
        reply_schema: Schema of the reply.
        policy: ``queue`` or ``conflate``.
        place: ``file:line``.
    """

    topic: str
    method: str
    description: str = ""
    type: str = ""
    schema: Schema = {}
    reply: str = ""
    reply_schema: Schema = {}
    policy: str = "queue"
    place: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One topic on which a task publishes or asks.

    Args:
        topic: The topic.
        type: Type of the content as people write it; empty if it cannot be told from the code.
        schema: Schema of the content.
        action: Verb of the header.
        is_declared: Whether the class says so in ``publishes``.
        is_kept: Whether the last one is kept for those who come later.
        is_question: Whether it is a request; ``reply`` is the type of the answer then.
        reply: See above.
        reply_schema: Schema of the reply.
        place: ``file:line``.
    """

    topic: str
    type: str = ""
    schema: Schema = {}
    action: str = ""
    is_declared: bool = False
    is_kept: bool = False
    is_question: bool = False
    reply: str = ""
    reply_schema: Schema = {}
    place: str = ""


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of report on topic ``control``.

    Args:
        action: The verb.
        schema: Schema of the items.
        items: Names of the items with their types.
        place: ``file:line``.
    """

    action: str
    schema: Schema = {}
    items: dict[str, str] = {}
    place: str = ""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What the code of one service says.

    Args:
        service: Name of its class; so the next.
        task: See above; empty for services in the old shape.
        description: What the class says of itself.
        place: ``file:line`` of the task, or of the service.
        parameters: What it takes from its configuration.
        takes_any: Whether it takes any other child, too.
        hears: Topics it hears.
        says: Topics it publishes and asks on.
        reports: What it tells on topic ``control``.
        schemas: Types that schemas refer to, by name.
        doubts: What could not be told, or is not as declared.
    """

    service: str
    task: str = ""
    description: str = ""
    place: str = ""
    parameters: tuple[Parameter, ...] = ()
    takes_any: bool = False
    hears: tuple[Heard, ...] = ()
    says: tuple[Said, ...] = ()
    reports: tuple[Reported, ...] = ()
    schemas: dict[str, Schema] = {}
    doubts: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """What comes out of the process that imports the code: the description, or why there is none."""

    description: Description | None = None
    error: str = ""
