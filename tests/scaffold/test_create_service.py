"""The command, as people type it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from context_bus.cli.border import Invocation, run
from context_bus.cli.commands.create_service import command
from context_bus.config.load import parse_context
from tests.scaffold.lists import morning

ROOT = Path(__file__).resolve().parents[2]

#: The command of the tutorial, but for the path.
TUTORIAL = """
        --service_path='{path}'
		--task_service='EchoAction'
		--task_class='EchoShouting'
		--task_desc='An echo action is for shouting the time after counting 10s'
		--context_name='EchoAction'
		--service_name='echo_action'
		--server_ip='127.0.0.1'
		--sub_port='5556'
		--pub_port='5557'
		--task_id='ts_100'
		--device_action='shout'
"""


def call(*args: str) -> int:
    """Run the command in this process and return its exit code."""
    return run(command, "create-service", args, Invocation())


def tutorial(path: Path, *more: str) -> int:
    """Run the tutorial's command."""
    return call(*shlex.split(TUTORIAL.format(path=path)), *more)


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_script_runs_the_tutorial_from_tools(tmp_path: Path) -> None:
    """``python create_service.py`` with the documented options makes the documented files."""
    args = shlex.split(TUTORIAL.format(path=tmp_path))
    done = subprocess.run(
        [sys.executable, "create_service.py", *args],
        cwd=ROOT / "tools",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(snapshot(tmp_path)) == [
        "Conf/Context-EchoAction.xml",
        "Services/EchoAction/EchoAction.py",
        "Services/EchoAction/ServiceEchoAction.py",
        "Services/EchoAction/__init__.py",
    ]
    assert f"Run it:   python service_context.py {tmp_path}/Conf/Context-EchoAction.xml" in done.stdout


def test_flags_make_the_context_they_say(tmp_path: Path) -> None:
    """What is typed stands in the file."""
    assert tutorial(tmp_path, "--entry_action=on_exit", "--context_id=context007") == 0
    conf = parse_context((tmp_path / "Conf/Context-EchoAction.xml").read_bytes(), "a.xml")
    (service,) = conf.services
    assert (conf.context_id, conf.task_log_name, conf.front_bind) == (
        "context007",
        "EchoAction",
        "tcp://127.0.0.1:5557",
    )
    assert (service.id, service.instance, service.service_name, service.state_type) == (
        "ts_100",
        "EchoAction",
        "echo_action",
        "on_exit",
    )
    assert service.configuration == {"device_action": "shout", "location": f"{tmp_path}/Services"}


def test_missing_options_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """One line names them all."""
    assert call("--task_service=A", "--server_ip=127.0.0.1", "--sub_port=1") == 2
    assert capsys.readouterr().err == (
        "error: missing --service_path, --task_desc, --context_name, --service_name, --pub_port, --task_id"
        " (or --xml_file); see 'create-service --help'\n"
    )


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--task_service=../x", "'../x' is no"),
        ("--task_service=/etc", "'/etc' is no"),
        ("--task_class=lambda", "not a Python name"),
        ("--context_name=../x", "cannot name a file"),
        ("--service_name=all", "is reserved"),
        ("--sub_port=0", "is not a port"),
        ("--sub_port=x", "not a valid integer"),
        ("--pub_port=5556", "is that of sub_port"),
        ("--server_ip=*", "not an address"),
        ("--task_id=a,b", "a,b"),
        ("--task_type=Simply", "Looped"),
    ],
)
def test_bad_value_is_one_line(
    tmp_path: Path, option: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the option, and nothing is written."""
    assert tutorial(tmp_path, option) == 2
    (line,) = capsys.readouterr().err.replace('"', "'").splitlines()
    assert words in line
    assert option.partition("=")[0].removeprefix("--") in line
    assert snapshot(tmp_path) == {}


def test_list_makes_nine_files_and_a_context(tmp_path: Path) -> None:
    """Three services as the original package's own test had them."""
    file = tmp_path / "list.xml"
    home = tmp_path / "home"
    file.write_text(morning(home))
    assert call(f"--xml_file={file}") == 0
    assert sorted(snapshot(home)) == [
        "Conf/Context-Morning.xml",
        "Services/Breakfast/Cornflakes.py",
        "Services/Breakfast/ServiceBreakfast.py",
        "Services/Breakfast/__init__.py",
        "Services/GetUp/GetUp.py",
        "Services/GetUp/ServiceGetUp.py",
        "Services/GetUp/__init__.py",
        "Services/ReadMail/ReadMail.py",
        "Services/ReadMail/ServiceReadMail.py",
        "Services/ReadMail/__init__.py",
    ]
    services = parse_context((home / "Conf/Context-Morning.xml").read_bytes(), "a.xml").services
    assert [one.state_type for one in services] == ["on_start", "on_update", "on_start"]
    assert services[0].transitions[0].call == ("ts002",)


def test_second_run_changes_nothing_and_keeps_edits(tmp_path: Path) -> None:
    """Code and context of the user stay, byte for byte; what is lost is made again."""
    file = tmp_path / "list.xml"
    home = tmp_path / "home"
    file.write_text(morning(home))
    assert call(f"--xml_file={file}") == 0
    first = snapshot(home)
    assert call(f"--xml_file={file}") == 0
    assert snapshot(home) == first
    (home / "Services/GetUp/GetUp.py").write_text("# mine\n")
    context = home / "Conf/Context-Morning.xml"
    context.write_text(context.read_text().replace("<Context>", "<Context><!-- mine -->"))
    edited = snapshot(home)
    (home / "Services/GetUp/__init__.py").unlink()
    assert call(f"--xml_file={file}") == 0
    assert snapshot(home) == edited


def test_force_writes_code_anew_but_not_the_context(tmp_path: Path) -> None:
    """The context file is common ground: even forced it is only added to."""
    assert tutorial(tmp_path) == 0
    first = snapshot(tmp_path)
    (tmp_path / "Services/EchoAction/EchoAction.py").write_text("# mine\n")
    assert tutorial(tmp_path, "--force") == 0
    assert snapshot(tmp_path) == first


def test_conflict_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that is taken refuses the whole run, with file and line."""
    assert tutorial(tmp_path) == 0
    first = snapshot(tmp_path)
    capsys.readouterr()
    assert tutorial(tmp_path, "--task_service=Other") == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {tmp_path}/Conf/Context-EchoAction.xml:9: TaskService[ts_100]: ")
    assert captured.out == ""
    assert snapshot(tmp_path) == first


def test_dry_run_shows_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tree and diffs; the disk stays empty."""
    assert tutorial(tmp_path, "--dry_run") == 0
    out = capsys.readouterr().out
    assert "ServiceEchoAction.py" in out
    assert "+class EchoShouting(Task):\n" in out
    assert "Run it" not in out
    assert list(tmp_path.iterdir()) == []


def test_json_is_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs."""
    assert tutorial(tmp_path, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["written"]) == 4
    assert {file["step"] for file in plan["files"]} == {"create"}


def test_list_moves_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is meant from here, and makes a tree that can be moved."""
    file = tmp_path / "list.xml"
    file.write_text(morning(Path("/nowhere/at/all")))
    monkeypatch.chdir(tmp_path)
    assert call(f"--xml_file={file}", "--service_path=moved") == 0
    text = (tmp_path / "moved/Conf/Context-Morning.xml").read_text()
    assert text.count("<location>../Services</location>") == 3


def test_list_and_service_options_exclude_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in the list is not given twice."""
    file = tmp_path / "list.xml"
    file.write_text(morning(tmp_path))
    assert call(f"--xml_file={file}", "--task_id=x", "--task_class=Y") == 2
    assert "--task_class, --task_id" in capsys.readouterr().err


def test_broken_list_is_refused_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A doubled end tag, as the first document had it."""
    file = tmp_path / "list.xml"
    file.write_text(morning(tmp_path).replace("  </Service>", "  </Service>\n  </Service>", 1))
    assert call(f"--xml_file={file}") == 2
    assert f"error: {file}:27: " in capsys.readouterr().err


def test_location_elsewhere_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files may be written here and run there, but nobody should be surprised."""
    assert tutorial(tmp_path, "--location=/opt/there") == 0
    assert "note: location /opt/there" in capsys.readouterr().err
