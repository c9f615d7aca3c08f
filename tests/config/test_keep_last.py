"""Topics whose last values the provider keeps, in every form a context has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from context_bus.config.check import check_file
from context_bus.config.image import context_from_image, context_to_image
from context_bus.config.load import parse_context
from context_bus.config.model import ContextConf
from context_bus.config.writers import write_xml, write_yaml

from .samples import context_faults, service

FILE = """<Context>
  <FrontEndEndpoint>tcp://127.0.0.1:5556</FrontEndEndpoint>
  <BackendEndpoint>tcp://127.0.0.1:5557</BackendEndpoint>
  <FrontBind>tcp://127.0.0.1:5557</FrontBind>
  <BackendBind>tcp://127.0.0.1:5556</BackendBind>
  <TaskLogName>Kept</TaskLogName>
  {elements}
</Context>
"""


def read(elements: str) -> ContextConf:
    """A context with these elements."""
    return parse_context(FILE.format(elements=elements).encode(), "c.xml")


@pytest.mark.parametrize(
    "elements",
    [
        "<KeepLast>prices, status of all,  prices,</KeepLast>",
        "<KeepLast>prices</KeepLast><KeepLast>status of all</KeepLast>",
    ],
)
def test_topics_stand_in_one_element_or_in_several(elements: str) -> None:
    """Separated by commas or repeated; each counts once, blanks within belong to it."""
    assert read(elements).keep_last == ("prices", "status of all")


def test_without_the_element_nothing_is_kept() -> None:
    """An empty one says nothing, either."""
    assert read("").keep_last == read("<KeepLast/>").keep_last == ()


@pytest.mark.parametrize(("write", "name"), [(write_xml, "c.xml"), (write_yaml, "c.yaml")])
def test_written_topics_read_back(write, name):  # type: ignore[no-untyped-def]
    """XML and YAML hold them alike, and the same bytes come from the same model."""
    conf = read("<KeepLast>prices, status of all</KeepLast>")
    data = write(conf)
    assert b"KeepLast" in data
    assert parse_context(data, name) == conf
    assert write(parse_context(data, name)) == data
    assert b"KeepLast" not in write(replace(conf, keep_last=()))


def test_yaml_may_write_a_list() -> None:
    """What YAML calls a list is the repeated element of XML."""
    text = write_yaml(read("<KeepLast>a, b</KeepLast>")).decode()
    assert parse_context(text.replace("a, b", "[a, b]").encode(), "c.yaml").keep_last == ("a", "b")


def test_the_image_on_the_wire_has_them() -> None:
    """What travels tells of them, and is read the same."""
    conf = read("<KeepLast>a, b</KeepLast>")
    image = context_to_image(conf)
    assert image["KeepLast"] == "a, b"
    assert context_from_image(image) == conf
    assert context_from_image({**image, "KeepLast": ["a", "b"]}) == conf


def test_what_is_no_topic_is_a_fault_with_line() -> None:
    """The mark that ends a topic on the bus cannot be in one."""
    (fault,) = context_faults(FILE.format(elements="<KeepLast>a, b@@@c</KeepLast>"))
    assert (fault.line, fault.element) == (7, "KeepLast")
    assert "b@@@c" in fault.message


def test_within_a_service_it_is_a_fault() -> None:
    """There it would be lost without a word."""
    text = FILE.format(elements=service("ts001", "WakeUp").replace("<Task>", "<KeepLast>a</KeepLast><Task>"))
    (fault,) = context_faults(text)
    assert "move it into <Context>" in fault.remedy


def test_check_tells_of_them(tmp_path: Path) -> None:
    """Who checks a file sees which topics are kept."""
    file = tmp_path / "c.xml"
    file.write_text(FILE.format(elements="<KeepLast>prices, status</KeepLast>"))
    lines = list(check_file(file).summary())
    assert lines[lines.index("  topics whose last values the provider keeps:") + 1 :] == [
        "    prices",
        "    status",
    ]
