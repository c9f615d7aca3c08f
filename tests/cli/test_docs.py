"""``context-bus docs``: what it writes and how it ends, on contexts of this repository and a broken one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Call

ROOT = Path(__file__).resolve().parents[2]
ACCESS_LOG = str(ROOT / "Conf" / "Context-AccessLog.xml")


def test_page_is_printed(call: Call) -> None:
    """Markdown, without a trace of this machine; nothing of the user's is imported here."""
    before = set(sys.modules)
    ended = call("docs", ACCESS_LOG)
    assert (ended.code, ended.err) == (0, "")
    assert (
        "| `access.rates` | [ts_203 Aggregate](#ts_203-aggregate) | [Aggregate.Rates](#aggregaterates) |"
        in ended.out
    )
    assert str(ROOT) not in ended.out
    assert not {"Tail", "Parse"} & (set(sys.modules) - before)


def test_directory_gets_all_of_it(call: Call, tmp_path: Path) -> None:
    """Three files of the context's name; the document has every topic and type."""
    ended = call("docs", ACCESS_LOG, "-o", str(tmp_path / "new"))
    assert ended.code == 0
    names = [f"Context-AccessLog{end}" for end in (".asyncapi.json", ".md", ".html")]
    assert ended.out.splitlines() == [str(tmp_path / "new" / name) for name in names]
    document = json.loads((tmp_path / "new" / names[0]).read_text())
    assert {"access.line", "access.record", "access.rates"} <= document["channels"].keys()
    assert {"Line", "Record", "Hit", "Aggregate.Rates", "Alert.Rates"} <= document["components"][
        "schemas"
    ].keys()
    assert str(ROOT) not in json.dumps(document)
    assert yaml.safe_load(call("docs", ACCESS_LOG, "--format=yaml").out) == document


def test_state_machine_has_transitions_and_reports(call: Call) -> None:
    """A context without topics of its own."""
    ended = call("docs", str(ROOT / "Conf" / "Context-StateMachine.xml"))
    assert ended.code == 0
    assert "publish on no topic of their own" in ended.out
    assert "| reports | `updated` | `says: str` |" in ended.out
    assert "| on_exit | start | ts_101 |" in ended.out


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """The access log's context, in which Parse cannot be imported."""
    import shutil

    for name in ("Conf", "Services"):
        shutil.copytree(ROOT / name, tmp_path / name)
    parse = tmp_path / "Services" / "Parse" / "Parse.py"
    parse.write_text("import nothing_of_this_name\n" + parse.read_text())
    return str(tmp_path / "Conf" / "Context-AccessLog.xml")


def test_service_that_cannot_be_read_is_named_and_the_rest_is_written(call: Call, broken: str) -> None:
    """File, line, exit code 4; what it would have published is missed."""
    ended = call("docs", broken)
    assert ended.code == 4
    assert "[ts_201 Tail](#ts_201-tail)" in ended.out
    last = ended.err.splitlines()[-1]
    assert last.startswith("error: ts_202: ../Services/Parse/Parse.py:1: ModuleNotFoundError")
    assert "note: topic 'access.record': ts_203 hears it, but nobody here publishes it" in ended.err
    lenient = call("docs", broken, "--lenient")
    assert lenient.code == 0
    assert "note: ts_202: ../Services/Parse/Parse.py:1: ModuleNotFoundError" in lenient.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nowhere.xml"], "no such file"),
        ([str(ROOT / "setup.cfg")], "setup.cfg"),
        ([ACCESS_LOG, "--format=all"], "need a directory: -o DIRECTORY"),
        ([ACCESS_LOG, "--format=pdf"], "'--format'"),
        ([ACCESS_LOG, "--timeout=0"], "'--timeout'"),
    ],
)
def test_wrong_input_is_told(call: Call, args: list[str], words: str) -> None:
    """One line and 2."""
    ended = call("docs", *args)
    assert ended.code == 2
    assert words in ended.err
