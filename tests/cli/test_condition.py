"""Conditions on messages: what they mean, and that they reach nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.cli.condition import MAX_LENGTH, read_condition
from context_bus.errors import ConfigurationError

BODY: dict[str, Any] = {
    "header": {"action": "updated", "sequence": 7},
    "content": {"price": 3.5, "tags": ["a", "b"], "name": None, "deep": [{"x": 1}], "ok": True, "a b": 2},
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("content.price > 3", True),
        ("content.price>3.5", False),
        ("3 < content.price <= 3.5", True),
        ("header.action == 'updated' and content.price != 4", True),
        ("header.action == 'stopped' or header.sequence >= 7", True),
        ("not content.ok", False),
        ("content.ok == true", True),
        ("content.name == null", True),
        ("content.name == None", True),
        ("'a' in content.tags", True),
        ("'c' not in content.tags", True),
        ("header.action in ['started', 'updated']", True),
        ("content.deep[0].x == 1", True),
        ("content.tags[-1] == 'b'", True),
        ("content['a b'] == 2", True),
        ("m.content.price > 3", True),
        ("topic == 'prices'", True),
        ("content.price > -1", True),
        ("content.missing", False),
        ("content.missing == 0", False),
        ("content.missing != 0", False),
        ("not content.missing", True),
        ("content.price > 'text'", False),
        ("content.tags[9] == 1", False),
        ("content.price.deeper == 1", False),
        ("content.price in 3", False),
    ],
)
def test_condition_means_what_it_says(text: str, wanted: bool) -> None:
    """Comparisons, paths and constants; what is missing or of another kind fulfils nothing."""
    assert read_condition(text)(BODY, "prices") is wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "content.price >",
        "foo(",
        "__import__('os').system('true')",
        "content.price.bit_length()",
        "[x for x in content]",
        "lambda: 1",
        "content.price + 1 > 2",
        "9**9**9",
        "f'{content}'",
        "content[header]",
        "content is None",
        "(a := 1)",
        "b'bytes' == content",
        "-content.price > 1",
        "x" * (MAX_LENGTH + 1),
        "(" * 300 + ")" * 300,
        "nul\0 == 1",
    ],
)
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    """What is no comparison of fields is refused, and the line says so."""
    with pytest.raises(ConfigurationError) as caught:
        read_condition(text)
    assert "--filter" in str(caught.value)
    assert len(str(caught.value)) < 300


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(body=_json, topic=st.text())
def test_no_message_makes_a_condition_raise(body: Any, topic: str) -> None:
    """Whatever a message holds, a condition is fulfilled or it is not."""
    condition = read_condition("content.a[0] > 1 or header.action in content.tags or 'x' in m or m.b <= 'y'")
    assert condition(body, topic) in {True, False}


def test_attributes_of_python_objects_are_out_of_reach() -> None:
    """A path walks through the message alone, whatever Python knows of its values."""
    assert not read_condition("content.__class__")(BODY, "")
    assert not read_condition("topic.__class__.__mro__")(BODY, "x")
