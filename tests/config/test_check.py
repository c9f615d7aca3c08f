"""A file is looked at before it is started: by the function, and by the two commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from context_bus.cli.commands import check, convert
from context_bus.config.check import check_file
from context_bus.config.load import parse_context, read_context, read_meta
from context_bus.errors import ConfigurationError

from .samples import MONITOR, SURPLUS, THREE, line_of

SAFE = THREE.replace("tcp://*", "tcp://127.0.0.1").replace("/opt/morning/Services", "../Services")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A context whose services are there."""
    for instance in ("WakeUp", "CheckEmails", "DrinkCoffee"):
        directory = tmp_path / "Services" / instance
        directory.mkdir(parents=True)
        (directory / f"Service{instance}.py").write_text("")
    (tmp_path / "Conf").mkdir()
    file = tmp_path / "Conf" / "Context-Morning.xml"
    file.write_text(SAFE)
    return file


def warnings(path: Path, text: str) -> list[str]:
    path.write_text(text)
    report = check_file(path)
    assert report.is_usable
    return [str(warning).removeprefix(f"{path}:") for warning in report.warnings]


def test_summary_says_what_the_file_defines(path):
    """Start order, deferred services, transitions."""
    report = check_file(path)
    assert (report.kind, report.name, report.faults, report.warnings) == ("context", "Morning", (), ())
    assert list(report.summary()) == [
        f'{path}: context "Morning", 3 services',
        "  runs at start, in this order:",
        "    ts001  WakeUp (wakeup)",
        "    ts003  DrinkCoffee (drinkcoffee)",
        "  deferred, until a transition or a command starts them:",
        "    ts002  CheckEmails (checkemails)",
        "  transitions:",
        "    ts001 on_exit -> start ts002",
    ]


def test_wildcard_binds_are_a_warning(path):
    """Old files have them; the provider asks for --insecure."""
    found = warnings(path, SAFE.replace("<FrontBind>tcp://127.0.0.1", "<FrontBind>tcp://*"))
    assert found == [
        '5: FrontBind: "tcp://*:22221" lets every machine that reaches this one command this context, which '
        "names code to run; write tcp://127.0.0.1:22221, or start the provider with --insecure"
    ]
    assert "lets other machines" in warnings(path, SAFE.replace(">tcp://127.0.0.1", ">tcp://10.0.0.1"))[0]


def test_missing_code_is_a_warning(path):
    """The directory, or the file in it."""
    found = warnings(path, SAFE.replace("../Services", "../Elsewhere", 1))
    where = "9: TaskService[ts001]/Task/message/content/configuration/location: "
    assert found == [f"{where}no directory {path.parents[1]}/Elsewhere; the service cannot be loaded"]
    (path.parents[1] / "Services" / "WakeUp" / "ServiceWakeUp.py").unlink()
    assert "no file" in warnings(path, SAFE)[0]
    without = SAFE.replace("            <location>../Services</location>\n", "", 1)
    assert warnings(path, without) == [f"{where}no location; the service cannot be loaded"]


def test_deferred_service_that_nothing_starts_is_a_warning(path):
    """It may be meant for a command; or a transition was forgotten."""
    found = warnings(path, SAFE.replace("<action>start</action><call>ts002</call>", "<action/><call/>"))
    assert found == [
        f'{line_of(SAFE, "CheckEmails")}: TaskService[ts002]/Task/state: deferred (type "on_update"), and no '
        "transition starts it; only a command will"
    ]


def test_circle_of_restarts_is_a_warning(path):
    """A restarts B on its start, and B restarts A."""
    empty = "<on_start><action /><call /></on_start>"
    circle = SAFE
    for target in ("ts003", "ts001", "ts001"):
        circle = circle.replace(
            empty, f"<on_start><action>restart</action><call>{target}</call></on_start>", 1
        )
    found = [text for text in warnings(path, circle) if "for ever" in text]
    assert [text.split(": ")[1] for text in found] == [
        "TaskService[ts001]/Task/state/on_start",
        "TaskService[ts003]/Task/state/on_start",
    ]


def test_monitor_needs_no_code(path):
    """It is built in."""
    assert warnings(path, SAFE.replace("</Context>", MONITOR + "</Context>")) == []


def test_service_list_is_told_by_its_root(tmp_path):
    """The same command for both kinds."""
    file = tmp_path / "l.xml"
    lines = SURPLUS.splitlines()
    file.write_text("\n".join(line for number, line in enumerate(lines, 1) if number not in {71, 104, 137}))
    report = check_file(file)
    assert (report.kind, report.name, len(report.services)) == ("service list", "StateMachineSample", 4)


@pytest.mark.parametrize("text", ["<html/>", "", "junk", "<Context>"])
def test_anything_else_is_a_fault(tmp_path, text):
    """Never an exception."""
    file = tmp_path / "x.xml"
    file.write_text(text)
    report = check_file(file)
    assert len(report.faults) == 1
    assert report.faults[0].file == str(file)
    assert list(report.summary()) == []


def run(command, *arguments: object):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_check_command_prints_a_line_for_each_fault(path, tmp_path):
    """And exits with 2 if there is one, in whichever file."""
    bad = tmp_path / "bad.xml"
    bad.write_text(SURPLUS)
    result = run(check.command, path, bad, tmp_path / "none.xml")
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert f'{path}: context "Morning", 3 services' in lines
    assert [line for line in lines if line.startswith("fault: ")] == [
        f"fault: {fault}" for file in (bad, tmp_path / "none.xml") for fault in check_file(file).faults
    ]
    assert len([line for line in lines if line.startswith("fault: ")]) == 4


def test_check_command_accepts_a_good_file(path):
    """Warnings alone do not fail."""
    path.write_text(SAFE.replace("tcp://127.0.0.1:22221</FrontBind>", "tcp://*:22221</FrontBind>"))
    result = run(check.command, path)
    assert result.exit_code == 0
    assert "warning: " in result.stdout


def test_check_command_speaks_json(path, tmp_path):
    """Everything of the report, for programs."""
    result = run(check.command, "--json", path, tmp_path / "none.xml")
    assert result.exit_code == 2
    good, bad = json.loads(result.stdout)
    assert (good["usable"], good["name"], bad["usable"]) == (True, "Morning", False)
    assert good["services"][0]["transitions"] == ["on_exit -> start ts002"]
    assert bad["faults"][0]["message"] == "no such file"


def test_convert_goes_both_ways(path, tmp_path):
    """XML to YAML and back is the same context, and the same bytes from then on."""
    twin, back = path.with_suffix(".yaml"), path.with_name("Back.xml")
    assert run(convert.command, path, twin).exit_code == 0
    assert run(convert.command, twin, back).exit_code == 0
    assert read_context(twin) == read_context(path) == read_context(back)
    first = back.read_bytes()
    assert run(convert.command, back, back, "--force").exit_code == 0
    assert back.read_bytes() == first
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "Back.xml", "Context-Morning.xml", "Context-Morning.yaml"]  # fmt: skip


def test_convert_prints_without_an_output(path):
    """For a look, or a pipe."""
    result = run(convert.command, path, "--to", "yaml")
    assert result.exit_code == 0
    assert parse_context(result.stdout.encode(), "c.yaml") == read_context(path)


def test_convert_does_not_overwrite(path):
    """Unless told to."""
    target = path.with_name("there.yaml")
    target.write_text("mine")
    result = run(convert.command, path, target)
    assert isinstance(result.exception, ConfigurationError)
    assert str(result.exception) == f"{target}: exists already; use --force to overwrite it"
    assert target.read_text() == "mine"
    assert run(convert.command, path, target, "--force").exit_code == 0
    assert read_context(target) == read_context(path)


def test_convert_needs_a_syntax(path):
    """A suffix or an option."""
    result = run(convert.command, path)
    assert result.exit_code == 2
    assert "--to yaml or --to xml" in result.stderr


def test_convert_refuses_what_does_not_load(tmp_path):
    """With the faults of the file, writing nothing."""
    bad = tmp_path / "bad.xml"
    bad.write_text(SURPLUS)
    result = run(convert.command, bad, tmp_path / "out.yaml")
    assert isinstance(result.exception, ConfigurationError)
    assert len(result.exception.faults) == 3
    assert not (tmp_path / "out.yaml").exists()


def test_convert_into_nowhere_is_one_line(path, tmp_path):
    """A directory that is not there."""
    result = run(convert.command, path, tmp_path / "no" / "out.yaml")
    assert str(result.exception) == f"{tmp_path}/no/out.yaml: cannot be written: No such file or directory"


def test_convert_warns_of_moved_locations(path, tmp_path):
    """A relative location means another directory there."""
    result = run(convert.command, path, tmp_path / "moved.yaml")
    assert result.exit_code == 0
    assert 'relative paths such as "../Services"' in result.stderr


def test_convert_takes_service_lists(tmp_path):
    """Both kinds of files have a twin."""
    source = Path(__file__).parents[2] / "Conf" / "Services-StateMachine.xml"
    target = tmp_path / "list.yaml"
    assert run(convert.command, source, target).exit_code == 0
    assert read_meta(target) == read_meta(source)
