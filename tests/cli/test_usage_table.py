"""How it looks what services use: one line each, also on a narrow terminal."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from context_bus.cli.usage_table import print_figures
from context_bus.context.topquery import TopRow
from context_bus.process.usage import FORBIDDEN, GONE, Row, Total, Usage, nothing

THREAD = Row("sleeping", 7, 1.0, 12.0, 300.0, 0.5, 1.0, "python", "thread")
USAGE = msgspec.structs.replace(
    nothing("a", 7, "sleeping", "", 1.0),
    rss=12.0,
    vms=1300.25,
    percent=0.5,
    cpu_percent=12.34,
    threads=3,
    processes=2,
    total=Total(1.5, 32.0, 2600.0, 50.0),
    children=(THREAD, msgspec.structs.replace(THREAD, kind="process", pid=8)),
)


def row(service_id: str, usage: Usage | None, pid: int = 7) -> TopRow:
    """One service."""
    return TopRow(
        service_id=service_id,
        transaction="T1",
        pid=pid,
        serviceName=f"name_of_{service_id}",
        instance="I",
        state="started",
        memory=usage,
    )


def test_table_has_a_line_for_each_service(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures with one digit, and what they use together below."""
    print_figures([row("a", USAGE), row("down", None, 0)])
    head, first, second, last = capsys.readouterr().out.splitlines()
    assert head.split() == [
        "ID", "NAME", "STATE", "PID", "CPU%", "RSS", "VMS", "MEM%", "CHILDREN", "THREADS"
    ]  # fmt: skip
    assert first.split() == ["a", "name_of_a", "started", "7", "12.3", "12.0", "1300.2", "0.50", "1", "3"]
    assert second.split()[4:] == ["-"] * 6
    assert last == "together 3 processes, 32.0 MiB, cpu 50.0 %"


def test_what_has_no_figures_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """Ended, forbidden, frozen, shared: a word in the last column."""
    print_figures(
        [
            row("gone", nothing("gone", 5, GONE, "there is no process 5 any more", 1.0), 5),
            row("other", nothing("other", 6, FORBIDDEN, "process 6 may not be looked at", 1.0), 6),
            row("frozen", msgspec.structs.replace(USAGE, status="stopped", denied=("descriptors",))),
            row("one", msgspec.structs.replace(USAGE, sharers=2), 9),
            row("two", msgspec.structs.replace(USAGE, sharers=2), 9),
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip().rpartition("  ")[2] for line in lines[1:6]] == [
        "there is no process 5 any more",
        "process 6 may not be looked at",
        "stopped; may not see descriptors",
        "process shared by 2 services",
        "process shared by 2 services",
    ]
    assert lines[6] == "together 6 processes, 64.0 MiB, cpu 100.0 %"  # the shared one once


def test_lists_stand_below(capsys: pytest.CaptureFixture[str]) -> None:
    """Files, connections and maps, each with what matters of it; and how many there are."""
    files = (({"path": "/f"}, {"fd": 4}, {"position": 9}, {"mode": "w"}, {"flags": 1}),)
    listening = (
        {"fd": 5}, {"family": 2}, {"type": 1}, {"laddr": ["127.0.0.1", 80]}, {"raddr": []},
        {"status": "LISTEN"},
    )  # fmt: skip
    maps = (({"path": "[heap]"}, {"rss": 8192}, {"size": 16384}, {"private_dirty": 4096}),)
    print_figures(
        [
            row(
                "a",
                msgspec.structs.replace(USAGE, opened_files=files, connections=(listening,), memory_map=maps),
            ),
            row("b", msgspec.structs.replace(USAGE, opened_files=()), 8),
        ]
    )
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "4 w 9 /f" in lines[lines.index("open files of a: 1") :]
    assert "5 tcp 127.0.0.1:80 - LISTEN" in lines
    assert "16 8 0 4 0 [heap]" in lines
    assert lines[-1] == "open files of b: none"


def test_narrow_terminal_cuts_names_and_no_figures() -> None:
    """At 80 columns every service is one line of at most 80, and every figure is whole."""
    code = (
        "import sys\n"
        "from tests.cli.test_usage_table import USAGE, row\n"
        "from context_bus.cli.usage_table import print_figures\n"
        "sys.stdout.isatty = lambda: True\n"
        "print_figures([row('a_service_with_quite_a_long_id', USAGE), row('b', USAGE)])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "80", "PYTHONPATH": ":".join(sys.path), "TERM": "dumb"},
    )
    head, _, first, *_ = lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [word for word in head.split() if "…" in word] == []
    assert first.split()[2:] == ["started", "7", "12.3", "12.0", "1300.2", "0.50", "1", "3"]
    assert first.count("…") >= 1
