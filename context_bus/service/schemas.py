"""Types of a user's code as JSON schemas, and as people write them. Knows msgspec; imports no user's code."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import msgspec

from context_bus.service.description import Schema
from context_bus.service.inference import Shape, Unknown

#: Where a schema finds the types that it refers to.
REFERENCE = "#/components/schemas/{name}"
#: One field in the ``Args`` of a docstring: its name at the first indent, its text up to the next one.
_ARGUMENT = re.compile(
    r"^\s{2,8}(?P<name>\w+)(?: \([^)]*\))?: (?P<text>.*?)(?=^\s{2,8}\w+(?: \([^)]*\))?: |\Z)", re.M | re.S
)


class Schemas:
    """Schemas of the types of one service, under names that do not meet.

    Args:
        kinds: Every type that will be asked for; `Shape` and `Unknown` are welcome.
    """

    def __init__(self, kinds: Iterable[object]) -> None:
        #: Types that JSON cannot carry, as people write them.
        self.refused: list[str] = []
        plain: list[Any] = []
        for kind in _plain(kinds):
            if not any(kind == known for known in plain) and self._is_fit(kind):
                plain.append(kind)
        schemas, components = msgspec.json.schema_components(
            plain, schema_hook=_schema_of_others, ref_template=REFERENCE
        )
        #: Types that are referred to, by name.
        self.components: dict[str, Schema] = {name: with_words(schema) for name, schema in components.items()}
        self._known = list(zip(plain, schemas, strict=True))

    def of(self, kind: object) -> Schema:
        """The schema of a type; the empty one, which takes anything, of what is not known."""
        if isinstance(kind, Shape):
            return {
                "type": "object",
                "properties": {name: self.of(each) for name, each in kind.fields.items()},
                "required": list(kind.fields),
            }
        return next((schema for known, schema in self._known if known == kind), {})

    def _is_fit(self, kind: Any) -> bool:
        try:
            msgspec.json.schema(kind, schema_hook=_schema_of_others)
        except (TypeError, ValueError, NameError):
            self.refused.append(type_text(kind))
            return False
        return True


def type_text(kind: object) -> str:
    """A type as people write it: ``list[Price]``, ``float | None``; empty for one that is not known."""
    if isinstance(kind, Unknown):
        return ""
    if isinstance(kind, Shape):
        return (
            "{" + ", ".join(f"{name}: {type_text(each) or 'any'}" for name, each in kind.fields.items()) + "}"
        )
    if kind is None or kind is types.NoneType:
        return "None"
    if kind is Any or kind is object:
        return "any"
    if isinstance(kind, type) and not get_args(kind):
        return kind.__name__
    text = re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", str(kind)).replace("NoneType", "None")
    return re.sub(r"\bOptional\[(\w+)\]", r"\1 | None", text)


def with_words(schema: Schema) -> Schema:
    """A schema whose fields have the words that the docstring has for them.

    Args:
        schema: As msgspec makes it; its description is the whole docstring.
    """
    text, _, arguments = str(schema.get("description", "")).partition("Args:")
    words = {found["name"]: " ".join(found["text"].split()) for found in _ARGUMENT.finditer(arguments)}
    properties = {
        name: {**each, "description": words[name]} if name in words and "description" not in each else each
        for name, each in schema.get("properties", {}).items()
    }
    told = {"description": text.strip()} if text.strip() else {}
    fields = {"properties": properties} if properties else {}
    return {**{name: each for name, each in schema.items() if name != "description"}, **told, **fields}


def _plain(kinds: Iterable[object]) -> Iterable[object]:
    for kind in kinds:
        if isinstance(kind, Shape):
            yield from _plain(kind.fields.values())
        elif not isinstance(kind, Unknown):
            yield Any if kind is object else kind


def _schema_of_others(kind: type) -> Schema:
    """Schemas of what a configuration may hold besides what msgspec knows."""
    if issubclass(kind, Path):
        return {"type": "string", "format": "path"}
    raise NotImplementedError  # msgspec has words of its own for it
