"""Turns one service of a list into the text of its three files.

Knows Jinja2 and the layout; must not know the disk beyond its own templates. What a user wrote gets
into Python by two doors only: as a checked name, or through the filter ``docstring``.
"""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import jinja2

from context_bus.config.model import MetaConf, MetaService, TaskType, Value
from context_bus.scaffold.layout import Layout
from context_bus.scaffold.names import class_name, file_stem

#: Columns of generated text; what the usual formatters take without a setting.
WIDTH = 88
#: Configuration children that the framework takes for itself.
FRAMEWORK_FIELDS = frozenset({"device_action", "location", "hosts"})
#: Quotes that could end a docstring.
_QUOTES = re.compile(r'""+|"$')
_NUMBERS = {"int": re.compile(r"[+-]?\d{1,18}"), "float": re.compile(r"[+-]?\d{1,18}\.\d*")}


@dataclass(frozen=True, slots=True)
class Draft:
    """A file as the templates would have it.

    Args:
        path: Where it belongs.
        content: Its text.
        defines: The class that others look for in it; empty if none.
    """

    path: Path
    content: str
    defines: str = ""


def render(conf: MetaConf, layout: Layout, *, asynchronous: bool = False) -> list[Draft]:
    """Render the Python files of all services of a list.

    Args:
        conf: The list, free of faults: names go into the code as they are.
        layout: Where the files go.
        asynchronous: Whether the tasks run as coroutines.

    Returns:
        Three drafts per service, in the order of the list.
    """
    drafts: list[Draft] = []
    for name in dict.fromkeys(service.task_service for service in conf.services):
        # Several services may be instances of one class: it is written once, and fits them all.
        instances = [service for service in conf.services if service.task_service == name]
        drafts += _service_drafts(instances, layout, asynchronous)
    return drafts


def _service_drafts(instances: Sequence[MetaService], layout: Layout, asynchronous: bool) -> Iterator[Draft]:
    """The three files of one class of services."""
    service = instances[0]
    values = {
        "service": service,
        "stem": file_stem(service),
        "task_class": class_name(service),
        "description": service.task_desc or f"Does the work of service {service.task_service}.",
        "looped": service.task_type is TaskType.LOOPED,
        "asynchronous": asynchronous,
        "fields": _fields(instances),
    }
    for path, template, defines in (
        (layout.package(service), "init.py.j2", ""),
        (layout.host(service), "host.py.j2", f"Service{service.task_service}"),
        (layout.task(service), "task.py.j2", class_name(service)),
    ):
        yield Draft(path, _environment().get_template(template).render(values), defines)


@functools.cache
def _environment() -> jinja2.Environment:
    """The templates of this package; a name they do not get is an error, never an empty text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("context_bus.scaffold"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["docstring"] = docstring
    return environment


def docstring(text: str, indent: int = 0) -> str:
    """Write a text as a Python docstring that compiles, whatever the text holds.

    Args:
        text: Free text; its white space is folded.
        indent: Columns before every line but the first, which the template has indented.

    Returns:
        The literal with its quotes, at most ``WIDTH`` columns wide if the words allow.
    """
    escaped = "".join(_escape(character) for character in " ".join(text.split()))
    escaped = _QUOTES.sub(lambda quotes: quotes.group().replace('"', r"\""), escaped)
    if len(escaped) + 6 <= WIDTH - indent:
        return f'"""{escaped}"""'
    lines = textwrap.wrap(escaped, WIDTH - indent - 3, break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join(['"""' + lines[0], *lines[1:], '"""'])


def _escape(character: str) -> str:
    """One character of a docstring; what an editor would not show is written as its code."""
    if character == "\\":
        return "\\\\"
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _fields(instances: Sequence[MetaService]) -> list[str]:
    """The attributes that the list configures: a task gets only what it declares."""
    own = FRAMEWORK_FIELDS | ({"period"} if instances[0].task_type is TaskType.LOOPED else set())
    names = dict.fromkeys(name for service in instances for name in service.configuration)
    fields = []
    for name in names:
        given = [service.configuration[name] for service in instances if name in service.configuration]
        kind = _widest({_type_of(value) for value in given})
        if name not in own:
            fields.append(
                f"{name}: {kind}" if len(given) == len(instances) else f"{name}: {kind} | None = None"
            )
    return fields


def _type_of(value: Value) -> str:
    """The narrowest annotation that a configured value fits."""
    if isinstance(value, str):
        return next((name for name, form in _NUMBERS.items() if form.fullmatch(value)), "str")
    items, form = (value.values(), "dict[str, {}]") if isinstance(value, Mapping) else (value, "list[{}]")
    inner = _widest({_type_of(item) for item in items})
    # A mixture passes unconverted, but only as a whole.
    return inner if inner == "object" else form.format(inner)


def _widest(kinds: Set[str]) -> str:
    """The one annotation that fits all values."""
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds == {"int", "float"}:
        return "float"
    if all(kind.startswith("list[") or kind in {"str", "int", "float"} for kind in kinds):
        # XML writes a list of one exactly as it writes a value.
        return "list[str]" if any(kind.startswith("list[") for kind in kinds) else "str"
    return "object"
