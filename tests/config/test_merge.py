"""A service joins a context that a person wrote, and nothing of it is touched."""

from __future__ import annotations

import pytest

from context_bus.config.load import parse_context
from context_bus.config.merge import merge_service
from context_bus.config.model import Action, TaskServiceConf, Transition, Trigger

from .samples import HEAD, THREE, context, faults_of, service

NEW = TaskServiceConf(
    id="ts004",
    instance="Run",
    service_name="run",
    description="runs & “runs”\nfar",
    transitions=(Transition(Trigger.ON_EXIT, Action.START, ("ts001",)),),
    configuration={"device_action": "to_run", "location": "../Services"},
)
HAND_MADE = (
    THREE.replace("<Context>", "<!-- mine: <Context> -->\n<Context>   <!-- keep -->")
    .replace("  <TaskService", "\t<TaskService")
    .replace("</Context>", "  <!-- last words </Context> -->\n</Context>  ")
    + "<!-- after </Context> -->\n\n"
)


def test_service_is_appended_and_the_rest_kept():
    """Comments, tabs, odd blanks and what follows the root: byte for byte."""
    merged = merge_service(HAND_MADE.encode(), NEW, "c.xml").decode()
    start = merged.index('\t<TaskService id="ts004"')
    stop = merged.index("</TaskService>\n", start) + len("</TaskService>\n")
    assert merged[:start] + merged[stop:] == HAND_MADE
    conf = parse_context(merged.encode(), "c.xml")
    assert conf.services == (*parse_context(HAND_MADE.encode(), "c.xml").services, NEW)


def test_merging_twice_changes_nothing():
    """A second run of the scaffold leaves the file alone, edits included."""
    once = merge_service(THREE.encode(), NEW)
    edited = once.replace(b"to_run", b"to_walk")
    assert merge_service(edited, NEW) == edited


def test_path_is_read(tmp_path):
    """The file itself is not written."""
    path = tmp_path / "c.xml"
    path.write_text(THREE)
    assert parse_context(merge_service(path, NEW), "c.xml").services[-1] == NEW
    assert path.read_text() == THREE


def test_same_instance_may_serve_under_two_ids():
    """Two services of one class are two services."""
    other = TaskServiceConf(id="ts009", instance="WakeUp", service_name="wake_again")
    assert len(parse_context(merge_service(THREE.encode(), other), "c.xml").services) == 4


def test_id_of_another_instance_is_a_fault():
    """Whose id it is, and where."""
    other = TaskServiceConf(id="ts002", instance="Run", service_name="run")
    line = THREE[: THREE.index('id="ts002"')].count("\n") + 1
    assert [str(fault) for fault in faults_of(lambda: merge_service(THREE.encode(), other, "c.xml"))] == [
        f'c.xml:{line}: TaskService[ts002]: the id "ts002" is taken by the instance "CheckEmails"; '
        "give Run another id"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<Context/>",
        "<Context />",
        '<?xml version="1.0"?><Context><!-- nothing --></Context>',
        "<Context><TaskLogName>x</TaskLogName></Context>",
        "<Context>\n</Context>",
        "<Context\n/>\n<!-- </Context> -->",
    ],
)
def test_context_of_any_shape_takes_a_service(text):
    """Empty, on one line, self-closed."""
    merged = merge_service(text.encode(), NEW).decode()
    faults = faults_of(lambda: parse_context(merged.encode(), "c.xml"))
    # The endpoints are missing, the service is not.
    assert not [fault for fault in faults if fault.element.startswith("TaskService")][1:]
    assert merged.count("<TaskService ") == 1
    assert merge_service(merged.encode(), NEW).decode() == merged


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "iso-8859-1"])
def test_encoding_and_line_ends_are_kept(encoding):
    """A file from another system stays one; what its encoding lacks is written as a number."""
    head = HEAD.replace("'utf8'", f"'{encoding.removesuffix('-sig').removesuffix('-be')}'")
    text = context(service("ts001", "WakeUp", description="Café"), head=head).replace("\n", "\r\n")
    data = text.encode(encoding)
    if encoding == "utf-16-be":
        data = b"\xfe\xff" + data
    merged = merge_service(data, NEW, "c.xml")
    tail = "</Context>\r\n".encode(
        encoding.replace("utf-16", "utf-16-le") if encoding == "utf-16" else encoding
    )
    kept = data[: -len(tail.removeprefix(b"\xef\xbb\xbf"))]
    assert merged.startswith(kept)
    conf = parse_context(merged, "c.xml")
    assert conf.services[0].description == "Café"
    assert conf.services[1] == NEW
    text = merged.decode("utf-16" if encoding.startswith("utf-16") else encoding)
    assert text.count("\n") == text.count("\r\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Context:\n  TaskLogName: x\n", "not XML"),
        ("<Context>", "<Context> is never closed"),
        ("<MetaServiceConf/>", "the root element is <MetaServiceConf>, expected <Context>"),
        ("", "the file is empty"),
    ],
)
def test_what_is_no_context_is_refused(text, message):
    """Nothing is guessed into a file that does not parse."""
    assert message in str(faults_of(lambda: merge_service(text.encode(), NEW, "c.xml"))[0])


def test_service_that_no_file_can_hold_is_refused():
    """The file stays as it was."""
    bad = TaskServiceConf(id="a", instance="A", service_name="a\x00")
    assert "U+0000" in str(faults_of(lambda: merge_service(THREE.encode(), bad, "c.xml"))[0])
