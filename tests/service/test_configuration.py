from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
import pytest

from context_bus.errors import ServiceError
from context_bus.service.configuration import convert_configuration, parameters_of
from context_bus.service.conversion import convert
from context_bus.service.task import Task

if TYPE_CHECKING:
    from decimal import Decimal


class Colour(Enum):
    RED = "red"


class Site(msgspec.Struct):
    name: str
    ports: list[int] = []


@dataclass
class Host:
    address: str
    aliases: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        ("3", int, 3),
        ("-2.5", float, -2.5),
        ("true", bool, True),
        ("TRUE", bool, True),
        ("1", bool, True),
        ("0", bool, False),
        ("false", bool, False),
        ("text", str, "text"),
        ("007", str, "007"),
        ("red", Colour, Colour.RED),
        ("b", Literal["a", "b"], "b"),
        ("/tmp", Path, Path("/tmp")),
        ("one", list[str], ["one"]),
        (["one", "two"], list[str], ["one", "two"]),
        (["1", "2"], list[int], [1, 2]),
        ("1", tuple[int, ...], (1,)),
        ("1", set[int], {1}),
        ("", list[str], []),
        ("1", list[int] | None, [1]),
        ("", int | None, None),
        ("5", int | None, 5),
        (["/a", "/b"], list[Path], [Path("/a"), Path("/b")]),
        ({"a": "1"}, dict[str, int], {"a": 1}),
        ({"a": "1"}, dict[str, list[int]], {"a": [1]}),
        ({"name": "x", "ports": "80"}, Site, Site("x", [80])),
        ({"name": "x"}, list[Site], [Site("x")]),
        ([{"name": "x", "ports": ["1", "2"]}, {"name": "y"}], list[Site], [Site("x", [1, 2]), Site("y")]),
        ({"address": "h", "aliases": "a"}, Host, Host("h", ("a",))),
        ({"any": ["thing"]}, Any, {"any": ["thing"]}),
        ({"any": ["thing"]}, object, {"any": ["thing"]}),
    ],
)
def test_text_becomes_the_annotated_type(value: object, hint: Any, expected: object) -> None:
    """XML knows text only; the annotation says what is meant."""
    assert convert(value, hint) == expected


@pytest.mark.parametrize(
    ("value", "hint", "reason"),
    [
        ("many", int, "expected int"),
        ("", float, "expected float"),
        ("maybe", bool, "expected bool"),
        ("blue", Colour, "invalid enum value 'blue'"),
        (["1", "2"], int, "expected int, got array"),
        (["1", "x"], list[int], r"expected int at \[1\]"),
        ({"name": "x", "ports": "y"}, Site, r"expected int at .ports\[0\]"),
        ("1", bytearray | Task, "cannot be converted"),
    ],
)
def test_text_that_does_not_fit_is_refused_in_words(value: object, hint: Any, reason: str) -> None:
    """The reason speaks of what was written, not of how it is decoded."""
    with pytest.raises(ValueError, match=reason):
        convert(value, hint)


class Parsing(Task):
    kind: ClassVar[str] = "parser"
    path: str
    limit: int = 10
    words: list[str] = []  # noqa: RUF012
    _private: str = ""


def test_children_become_typed_arguments() -> None:
    """One element for a list is a list; the framework's own children are not the task's."""
    children = {"path": "/x", "words": "one", "location": "/y", "device_action": "z", "hosts": "h"}
    assert convert_configuration(Parsing, children) == {"path": "/x", "words": ["one"]}


def test_all_faults_are_told_in_one_line() -> None:
    """Unknown, misfit and missing at once, with what is known."""
    with pytest.raises(ServiceError) as caught:
        convert_configuration(Parsing, {"limits": "3", "limit": "many", "kind": "x"})
    assert str(caught.value) == (
        "configuration of Parsing: 'limits' is unknown; did you mean 'limit'? it takes path, limit, words; "
        "limit='many': expected int; 'kind' is unknown; it takes path, limit, words; 'path' is missing"
    )


def test_task_that_names_a_framework_child_gets_it() -> None:
    """A task may want to know its own location."""

    class Nosy(Task):
        location: Path

    assert convert_configuration(Nosy, {"location": "/x"}) == {"location": Path("/x")}


def test_name_of_the_framework_is_refused_for_a_child() -> None:
    """``notify`` as a configuration child would take the method away."""

    class Greedy(Task):
        notify: str  # type: ignore[assignment]

    with pytest.raises(ServiceError, match=r"Greedy\.notify is a name of context_bus itself"):
        parameters_of(Greedy)


def test_annotation_that_does_not_exist_at_run_time_is_explained() -> None:
    """Names imported for the type checker alone cannot convert anything."""

    class Typed(Task):
        price: Decimal

    with pytest.raises(ServiceError, match="names 'Decimal', which does not exist at run time"):
        parameters_of(Typed)
