"""Rows of the checklist about create_service: a list of services, flags, and the document's sample."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.e2e.blackbox import Provider
from tests.e2e.lists import create, list_xml, morning_xml, service_xml
from tests.e2e.project import ROOT, Project, run_tool, the_error


def tree(directory: Path) -> dict[str, str]:
    """Every file below a directory with a digest of its content."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    """A project without services."""
    project = Project(tmp_path)
    for path in sorted((project.services / "Actor").iterdir()):
        path.unlink()
    (project.services / "Actor").rmdir()
    return project


def test_row_24_list_yields_nine_files_and_a_context(empty: Project) -> None:
    """Three services become three times three files and one context file, which loads."""
    file = list_xml(empty, "SampleServices", morning_xml())
    ended = create(file)
    assert ended.returncode == 0, ended
    wanted = {
        f"Services/{name}/{part}"
        for name in ("WakeUp", "CheckEmails", "DrinkCoffee")
        for part in ("__init__.py", f"Service{name}.py", f"{name}.py")
    }
    made = set(tree(empty.directory)) - {"Conf/Services-SampleServices.xml"}
    assert made == wanted | {"Conf/Context-SampleServices.xml"}


def test_row_24_second_run_changes_nothing(empty: Project) -> None:
    """Running the same list again leaves every byte, and every edit of the user, as it was."""
    file = list_xml(empty, "SampleServices", morning_xml())
    assert create(file).returncode == 0
    task = empty.services / "WakeUp" / "WakeUp.py"
    task.write_text(task.read_text() + "\n# mine\n")
    context = empty.conf / "Context-SampleServices.xml"
    context.write_text(context.read_text().replace("</Context>", "<!-- mine, too -->\n</Context>"))
    before = tree(empty.directory)
    ended = create(file)
    assert ended.returncode == 0, ended
    assert tree(empty.directory) == before


def test_row_24_new_service_is_merged_into_an_existing_context(empty: Project) -> None:
    """A longer list adds its service; comments, order and what was there stay."""
    assert create(list_xml(empty, "SampleServices", morning_xml())).returncode == 0
    context = empty.conf / "Context-SampleServices.xml"
    old = context.read_text().replace("<ContextID>", "<!-- keep me -->\n  <ContextID>")
    context.write_text(old)
    extra = service_xml("WashUp", "ts004", "clean_cup", description='Cups & <saucers> "clean" \'em')
    assert create(list_xml(empty, "SampleServices", morning_xml() + extra)).returncode == 0
    new = context.read_text()
    assert "<!-- keep me -->" in new
    ids = re.findall(r'<TaskService[^>]*\bid="([^"]+)"', new)
    assert ids == ["ts001", "ts002", "ts003", "ts004"]
    without = "".join(new.split())
    assert "".join(old.split()).removesuffix("</Context>") in without
    assert "Cups&amp;&lt;saucers&gt;" in without


def test_row_24_single_ends_looped_goes_on(empty: Project, transaction: str) -> None:
    """Generated as Single a task ends by itself; as Looped, the default, it reports until stopped."""
    services = service_xml("Once", "ts_1", "once", task_type="Single") + service_xml("Over", "ts_2", "over")
    assert create(list_xml(empty, "Types", services)).returncode == 0
    context = empty.conf / "Context-Types.xml"
    head, mark, tail = context.read_text().partition('id="ts_2"')
    tail = tail.replace("</configuration>", "<period>0.1</period></configuration>")
    context.write_text(head + mark + tail)
    with Provider(empty, context) as provider:
        provider.command("start", transaction)
        provider.wire.report("stopped", "ts_1", transaction)
        provider.wire.report("started", "ts_2", transaction)
        provider.wire.report("updated", "ts_2", transaction)
        said = [seen.action for seen in provider.wire.reports(transaction, "ts_2")]
        assert said[0] == "started"
        assert "stopped" not in said


def test_row_24_wrong_task_type_writes_nothing(empty: Project) -> None:
    """A task type that is none is an error before the first file."""
    services = service_xml("Good", "ts_1", "good") + service_xml("Bad", "ts_2", "bad", task_type="Spiral")
    file = list_xml(empty, "Types", services)
    before = tree(empty.directory)
    ended = create(file)
    assert ended.returncode not in (0, 70)
    assert "Spiral" in ended.stderr
    assert tree(empty.directory) == before


def test_row_25_readme_flags_make_a_service_that_runs(empty: Project, transaction: str) -> None:
    """The README's first command, from its directory, makes a service that reports ``started``."""
    ended = run_tool(
        "create_service.py",
        f"--service_path={empty.directory}",
        "--task_service=EchoAction",
        "--task_class=EchoShouting",
        "--task_desc=An echo action is for shouting the time after counting 10s",
        "--context_name=EchoAction",
        "--service_name=echo_action",
        "--server_ip=127.0.0.1",
        f"--sub_port={empty.sub_port}",
        f"--pub_port={empty.pub_port}",
        "--task_id=ts_100",
        "--device_action=shout",
        cwd=empty.directory,
    )
    assert ended.returncode == 0, ended
    home = empty.services / "EchoAction"
    assert {path.name for path in home.iterdir()} >= {"__init__.py", "ServiceEchoAction.py"}
    assert "class EchoShouting" in "".join(path.read_text() for path in home.iterdir())
    with Provider(empty, empty.conf / "Context-EchoAction.xml") as provider:
        ended = provider.conf_command(
            "--service_name=context",
            "--service_id=context001",
            f"--transaction={transaction}",
            "--action=start",
        )
        assert ended.returncode == 0, ended
        assert provider.wire.report("started", "ts_100", transaction).status["device_action"] == "shout"


def test_row_26_corrected_sample_generates_and_runs(empty: Project, transaction: str) -> None:
    """The state machine of the document, as mended in Conf/, is generated and its first state runs."""
    sample = (ROOT / "Conf" / "Services-StateMachine.xml").read_text()
    changes = {
        "service_path": str(empty.directory),
        "home_path": str(empty.directory),
        "sub_port": str(empty.sub_port),
        "pub_port": str(empty.pub_port),
        "location": str(empty.services),
    }
    for tag, text in changes.items():
        sample = re.sub(rf"<{tag}>[^<]*</{tag}>", f"<{tag}>{text}</{tag}>", sample)
    file = empty.conf / "Services-StateMachine.xml"
    file.write_text(sample)
    ended = create(file)
    assert ended.returncode == 0, ended
    assert {path.name for path in empty.services.iterdir()} >= {"Stand", "Walk", "DrinkCoffee", "Run"}
    name = re.search(r"<context_name>\s*([^<\s]+)", sample)
    assert name is not None
    with Provider(empty, empty.conf / f"Context-{name[1]}.xml") as provider:
        provider.command("start", transaction)
        provider.wire.wait_for(
            lambda seen: seen.is_report and seen.action == "started", "a first state that started"
        )
        assert not [seen for seen in provider.wire.reports(transaction) if seen.action == "failed"]


def test_row_26_malformed_sample_names_line_and_remedy(empty: Project) -> None:
    """The sample as the document prints it, with ``</Service>`` twice, is one error with its line."""
    good = list_xml(empty, "StateMachineSample", morning_xml(), context_id="").read_text()
    first = good.index("</Service>") + len("</Service>")
    bad = good[:first] + "\n  </Service>" + good[first:]
    file = empty.conf / "Services-Bad.xml"
    file.write_text(bad)
    line = bad[:first].count("\n") + 2
    before = tree(empty.directory)
    ended = create(file)
    assert f"{file.name}:{line}" in the_error(ended)
    assert "</Service>" in the_error(ended)
    assert tree(empty.directory) == before


def test_row_26_context_id_has_a_default(empty: Project) -> None:
    """A list without ``context_id``, like the document's sample, gets the default one."""
    assert create(list_xml(empty, "NoIdentity", morning_xml(), context_id="")).returncode == 0
    assert "<ContextID>context001</ContextID>" in (empty.conf / "Context-NoIdentity.xml").read_text()


def test_row_32_generated_context_binds_to_the_server_address(empty: Project) -> None:
    """The scaffold writes the server's address into both binds, never ``*``."""
    assert create(list_xml(empty, "SampleServices", morning_xml())).returncode == 0
    text = (empty.conf / "Context-SampleServices.xml").read_text()
    assert f"<FrontBind>{empty.publish_to}</FrontBind>" in text
    assert f"<BackendBind>{empty.listen_on}</BackendBind>" in text
    assert "*" not in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
