"""``context-bus graph``: what it prints, what it writes, how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Call

FILE = "Conf/Context-StateMachine.xml"


def test_graph_prints_mermaid(call: Call) -> None:
    """Without a file to write, what comes out can be pasted into a Markdown page."""
    ended = call("graph", FILE, "--no-live")
    assert ended.code == 0
    assert ended.out.startswith("flowchart LR\n")
    assert ended.out.count('-->|"on_exit: start"|') == 3


def test_graph_writes_a_picture_and_says_so(call: Call, tmp_path: Path) -> None:
    """The picture goes to the file, nothing to standard output."""
    file = tmp_path / "x.svg"
    ended = call("graph", FILE, "-o", str(file))
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == f"{file}: 4 services, 3 edges\n"
    assert file.read_text().startswith("<svg")


def test_graph_as_json_has_nodes_and_edges(call: Call) -> None:
    """For programs that draw by themselves."""
    (graph,) = json.loads(call("graph", FILE, "--json").out)
    assert [node["service_id"] for node in graph["nodes"]] == ["ts_100", "ts_101", "ts_102", "ts_103"]
    assert graph["edges"][0] == {
        "source": "ts_100",
        "target": "ts_101",
        "tie": "start",
        "label": "on_exit: start",
    }


def test_graph_refuses_in_one_line(call: Call, tmp_path: Path) -> None:
    """An unknown kind of picture, a directory that is not there, states of a provider that is not there."""
    assert "expected .svg, .png or .mmd" in call("graph", FILE, "-o", "x.pdf").error
    assert "No such file" in call("graph", FILE, "-o", str(tmp_path / "no" / "x.svg")).error
    file = tmp_path / "Context.xml"
    file.write_text(Path(FILE).read_text().replace("5556", "45561").replace("5557", "45562"))
    ended = call("graph", str(file), "--live")
    assert ended.code == 3
    assert "no context provider listens" in ended.error
