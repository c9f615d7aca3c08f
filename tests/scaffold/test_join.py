"""A list and the context file that is there already."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from context_bus.config.load import parse_context
from context_bus.config.model import ContextConf, MetaService
from context_bus.scaffold.join import join_context
from context_bus.scaffold.layout import context_of, layout_of
from context_bus.scaffold.names import faults_of
from tests.scaffold.lists import TEXTS, chain, service, service_list

HOME = Path("/home/me")


def wanted(*services: MetaService, **changes: object) -> ContextConf:
    """What a list of these services stands for."""
    conf = service_list(HOME, *services, **changes)
    return context_of(conf, layout_of(conf, HOME))


def test_new_file_reads_as_what_was_wanted() -> None:
    """Nothing is lost on the way through XML."""
    conf = wanted(*chain())
    merged = join_context(conf, None)
    assert parse_context(merged.content, "a.xml") == conf


@given(TEXTS, st.text(max_size=30))
def test_texts_survive_xml_or_are_refused(description: str, word: str) -> None:
    """Quotes, ampersands, tags and unicode are text, never markup."""
    entry = service(task_desc=description, device_action=word, service_name=word or "echo")
    conf = wanted(entry)
    merged = join_context(conf, None)
    if merged.faults or faults_of(service_list(HOME, entry)):
        return
    (found,) = parse_context(merged.content, "a.xml").services
    assert found.description == description.strip()
    assert found.device_action == word.strip()


def test_second_run_changes_nothing() -> None:
    """The same list again leaves every byte."""
    content = join_context(wanted(*chain()), None).content
    merged = join_context(wanted(*chain()), content)
    assert (merged.content, merged.notes, merged.faults) == (content, (), ())


def test_services_that_lack_are_added() -> None:
    """Comments and edits of the user stay byte for byte, before and after."""
    content = join_context(wanted(service()), None).content
    edited = content.replace(b"<Context>", b"<Context>\n  <!-- mine -->").replace(b">shout<", b">  whisper <")
    merged = join_context(wanted(service(), service(task_id="ts_101")), edited)
    assert merged.notes == ("ts_100 as you edited it",)
    start, end = edited.split(b"</Context>")
    assert merged.content.startswith(start)
    assert merged.content.endswith(b"</Context>" + end)
    assert [one.id for one in parse_context(merged.content, "a.xml").services] == ["ts_100", "ts_101"]


def test_id_of_another_service_is_refused_with_its_line() -> None:
    """Two services cannot share an id."""
    content = join_context(wanted(service()), None).content
    merged = join_context(wanted(service(task_service="Other")), content)
    line = content.splitlines().index(
        b'  <TaskService id="ts_100" instance="EchoAction" serviceType="Process" topic="process">'
    )
    (fault,) = merged.faults
    assert fault.line == line + 1
    assert "the id ts_100 is taken" in str(fault)


def test_other_ports_are_refused() -> None:
    """A context has one forwarder."""
    content = join_context(wanted(), None).content
    merged = join_context(wanted(sub_port=7000, context_id="context002"), content)
    assert [(fault.element, fault.line) for fault in merged.faults] == [
        ("FrontEndEndpoint", 3),
        ("ContextID", 7),
    ]


def test_context_id_that_nobody_gave_is_that_of_the_file() -> None:
    """A second service needs not repeat what has a default."""
    content = join_context(wanted(context_id="context007"), None).content
    merged = join_context(wanted(service(), service(task_id="ts_101")), content)
    assert parse_context(merged.content, "a.xml").context_id == "context007"


def test_call_of_an_unknown_service_is_refused() -> None:
    """What would not load is not written."""
    (fault,) = join_context(wanted(chain()[0]), None).faults
    assert "ts_101" in str(fault)


def test_call_of_a_service_that_is_there_is_fine() -> None:
    """A list may call what an earlier one brought."""
    first, second = chain()
    content = join_context(wanted(second), None).content
    assert join_context(wanted(first), content).faults == ()


def test_broken_file_is_refused_with_its_line() -> None:
    """Nothing is added to what does not parse."""
    merged = join_context(wanted(), b"<Context>\n<Task></Context>")
    assert merged.faults[0].line == 2
