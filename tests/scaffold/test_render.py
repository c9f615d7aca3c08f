"""Texts of the generated files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from context_bus.config.model import TaskType
from context_bus.scaffold.layout import layout_of
from context_bus.scaffold.names import faults_of
from context_bus.scaffold.render import WIDTH, docstring, render
from tests.scaffold.lists import TEXTS, service, service_list

HOME = Path("/home/me")


def texts_of(*services: object, asynchronous: bool = False) -> dict[str, str]:
    """The rendered files by their names."""
    conf = service_list(HOME, *services)  # type: ignore[arg-type]
    return {
        draft.path.name: draft.content
        for draft in render(conf, layout_of(conf, HOME), asynchronous=asynchronous)
    }


def test_looped_task_is_this_text() -> None:
    """What a user meets first, as a whole."""
    assert texts_of(service(task_desc="An echo action is for shouting"))["EchoAction.py"] == (
        '"""The task of service EchoAction."""\n'
        "\n"
        "from context_bus import Task\n"
        "\n"
        "\n"
        "class EchoShouting(Task):\n"
        '    """An echo action is for shouting"""\n'
        "\n"
        "    #: Seconds between two rounds; a <period> in the service's <configuration> changes it.\n"
        "    period: float = 5.0\n"
        "\n"
        "    def run(self) -> None:\n"
        '        """Work once every period until the service is stopped."""\n'
        "        rounds = 0\n"
        "        while not self.wait(self.period):\n"
        "            rounds += 1\n"
        '            self.logger.info("round %d", rounds)\n'
        '            self.notify("updated", items={"rounds": rounds})\n'
    )


def test_single_task_runs_once() -> None:
    """A Single task has no loop and no period."""
    text = texts_of(service(task_type=TaskType.SINGLE))["EchoAction.py"]
    assert "while" not in text
    assert "period" not in text


def test_asynchronous_task_awaits() -> None:
    """The coroutine rests without blocking its loop."""
    text = texts_of(service(), asynchronous=True)["EchoAction.py"]
    assert "async def run(self)" in text
    assert "while not await self.wait_async(self.period):" in text


def test_configuration_becomes_typed_attributes() -> None:
    """A task gets what it declares, so it declares what the list configures, as narrowly as it can."""
    values = {
        "period": "3",
        "page_limit": "3",
        "ratio": "0.5",
        "site": "a",
        "words": ["a", "b"],
        "device_action": "x",
    }
    text = texts_of(service(configuration=values))["EchoAction.py"]
    for line in ("page_limit: int", "ratio: float", "site: str", "words: list[str]"):
        assert f"    {line}\n" in text
    assert text.count("period: ") == 1
    assert "device_action" not in text


def test_configuration_of_some_instances_is_optional() -> None:
    """One class serves instances that are configured differently."""
    one = service(configuration={"site": "a", "limit": "1", "word": "x"})
    two = service(configuration={"limit": "1.5", "word": ["x", "y"]}, task_id="ts_101")
    text = texts_of(one, two)["EchoAction.py"]
    for line in ("site: str | None = None", "limit: float", "word: list[str]"):
        assert f"    {line}\n" in text


@given(TEXTS)
@example('"')
@example('a"')
@example('""""')
@example("\\")
@example('\\"')
@example("\\N{it} \\x \\u")
@example('word """ ' * 30)
@example("{{ x }} {% raw %} {#")
def test_docstring_compiles_whatever_it_holds(text: str) -> None:
    """The text, its white space folded, is what Python reads; nothing of it becomes code."""
    source = f"class A:\n    {docstring(text, indent=4)}\n"
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.ClassDef)
    assert len(node.body) == 1
    assert " ".join((ast.get_docstring(node) or "").split()) == " ".join(text.split())
    assert all(line == line.rstrip() for line in source.splitlines())


@pytest.mark.parametrize(
    "text", ["ab " * 200, '"' * 200, "\\ " * 99, "x" * 84, "x" * 83 + '"', "ä\u202e" * 9]
)
def test_docstring_keeps_its_width(text: str) -> None:
    """Lines stay within the width if their words do."""
    lines = docstring(text, indent=4).splitlines()
    assert all(len(line) <= WIDTH or " " not in line.strip() for line in ("    " + lines[0], *lines[1:]))


def test_docstring_shows_invisible_characters() -> None:
    """A direction mark that makes code look like other code is written as its code."""
    assert docstring("a\u202eb") == '"""a\\u202eb"""'


@given(st.text(max_size=60), TEXTS, st.booleans(), st.sampled_from(TaskType))
def test_files_compile_or_are_refused(name: str, text: str, asynchronous: bool, kind: TaskType) -> None:
    """Whatever the names and descriptions, there is a fault, or all files compile."""
    entry = service(task_service=name, task_class="", task_desc=text, task_type=kind)
    if faults_of(service_list(HOME, entry)):
        return
    for path, content in texts_of(entry, asynchronous=asynchronous).items():
        compile(content, path, "exec")


@given(
    st.from_regex(r"[A-Za-zäß][\w]{0,12}", fullmatch=True), st.from_regex(r"[A-Z]\w{0,30}", fullmatch=True)
)
def test_names_lead_where_they_say(name: str, task_class: str) -> None:
    """The file that the context loads has the class that the context asks for."""
    entry = service(task_service=name, task_class=task_class, task_file="Work")
    if faults_of(service_list(HOME, entry)):
        return
    tree = ast.parse(texts_of(entry)[f"Service{name}.py"])
    assert [node.name for node in tree.body if isinstance(node, ast.ClassDef)] == [f"Service{name}"]
