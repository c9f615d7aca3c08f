"""``monitor history``, ``monitor list`` and ``plot`` on records that are there: prints and refusals."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from context_bus.monitor.ledger import Ledger
from context_bus.monitor.place import address_for
from context_bus.store import migrations
from context_bus.store.address import address_of
from context_bus.store.engine import make_engine
from context_bus.store.place import Place, place_of, prepare
from context_bus.store.schema import core, events
from tests.cli.conftest import Call
from tests.monitor.samples import sample

#: Where the records begin, and how long they are, in seconds.
LENGTH = 1200


@pytest.fixture
def began() -> float:
    """Twenty minutes ago, at a full minute."""
    return math.floor((time.time() - LENGTH) / 60) * 60.0


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, began: float) -> Place:
    """A project with records of two services, and one event; the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("main.xml").touch()
    place = place_of("main.xml")
    prepare(place)
    ledger = Ledger(address_for(place.file, place.directory))
    ledger.write("T1", [sample("ts_1", began + at, cpu=at * 10, rss=1024 * 50) for at in range(LENGTH)])
    ledger.write("T1", [sample("ts_2", began + 60.0 + at) for at in range(60)])
    ledger.write("T0", [sample("ts_1", began - 86400 + at) for at in range(10)])
    ledger.close()
    store = address_of(place)
    engine = make_engine(store)
    with engine.begin() as connection:
        migrations.migrate(connection, (core(),), str(store))
        row = {"sequence": 1, "at": began + 600, "kind": "service_changed", "transaction": "T1"}
        data = json.dumps({"old": "started", "new": "failed"})
        connection.execute(sa.insert(events), [row | {"service_id": "ts_1", "data": data}])
    engine.dispose()
    return place


def test_history_as_json(place: Place, call: Call, began: float) -> None:
    """All that the records say of each interval."""
    ended = call("monitor", "history", "ts_1", "--since", f"@{began}", "--bucket", "1m", "--json")
    assert (ended.code, ended.err) == (0, "")
    document = json.loads(ended.out)
    assert (document["service_id"], document["transaction"], document["bucket"]) == ("ts_1", "T1", 60.0)
    assert len(document["buckets"]) == LENGTH / 60
    assert document["buckets"][1] == {
        "at": began + 60,
        "samples": 60,
        "gone": 0,
        "cpu": {"min": 6.0, "avg": 8.95, "p95": 11.6, "max": 11.9},
        "rss": {"min": 50.0, "avg": 50.0, "p95": 50.0, "max": 50.0},
        "threads": {"min": 3.0, "avg": 3.0, "p95": 3.0, "max": 3.0},
        "descriptors": {"min": 12.0, "avg": 12.0, "p95": 12.0, "max": 12.0},
        "processes": {"min": 1.0, "avg": 1.0, "p95": 1.0, "max": 1.0},
    }


def test_history_as_csv(place: Place, call: Call, began: float) -> None:
    """One line for each interval below one with the names."""
    ended = call(
        "monitor",
        "history",
        "ts_2",
        "--since",
        f"@{began}",
        "--until",
        f"@{began + 90}",
        "--bucket",
        "10s",
        "--csv",
    )
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [float(row["at"]) for row in rows] == [began + 60, began + 70, began + 80]
    assert rows[0]["samples"] == "10"
    assert (rows[0]["cpu_max"], rows[0]["rss_avg"], rows[0]["descriptors_p95"]) == ("1.0", "1.0", "12.0")


def test_history_for_people_fits_the_time(place: Place, call: Call, began: float) -> None:
    """A drawing with both ends, then a table of at most sixty rows."""
    ended = call("monitor", "history", "ts_1", "--since", f"@{began}")
    lines = ended.out.splitlines()
    assert lines[0].startswith("ts_1 of T1, ")
    assert lines[1].startswith("CPU %    ▁")
    assert lines[1].endswith("█  0.0 to 119.9")
    assert lines[2].startswith("RSS MiB  ")
    assert lines[3] == "by 30s:"
    assert " ".join(lines[4].split()) == "TIME N CPU MIN AVG P95 MAX RSS MIN AVG P95 MAX THREADS FDS"
    assert len(lines) == 5 + LENGTH / 30


def test_list_names_what_is_recorded(place: Place, call: Call, began: float) -> None:
    """The youngest transaction first."""
    found = json.loads(call("monitor", "list", "--json").out)
    assert [(each["transaction"], each["service_id"], each["samples"]) for each in found] == [
        ("T1", "ts_1", LENGTH),
        ("T1", "ts_2", 60),
        ("T0", "ts_1", 10),
    ]
    assert (found[1]["first"], found[1]["last"]) == (began + 60, began + 119)
    assert call("monitor", "list").out.splitlines()[1].split()[:3] == ["ts_1", "T1", str(LENGTH)]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["history", "ts_11"], 9, "no service 'ts_11' is recorded; did you mean \"ts_1\"? known: ts_1, ts_2"),
        (
            ["history", "ts_2", "--since", "9h", "--until", "8h"],
            9,
            "nothing is recorded of ts_2 in this time; there are",
        ),
        (["history", "ts_1", "-t", "T9"], 9, "no transaction 'T9' is recorded; known: T1, T0"),
        (
            ["history", "ts_1", "--since", "3d"],
            5,
            "which transaction? add -t ID; records in this time are of T1, T0",
        ),
        (["history", "ts_1", "--since", "1h", "--until", "2h"], 2, "--since must be before --until"),
        (["history", "ts_1", "--bucket", "long"], 2, "'--bucket': \"long\" is no duration"),
        (["history", "ts_1", "--bucket", "1ms"], 2, "more than 100000 intervals; choose a longer --bucket"),
        (["history", "ts_1", "--csv", "--json"], 2, "choose one of --csv and --json"),
        (["list", "--state", "nowhere"], 2, "no context has run here; name the file of one by -c FILE"),
    ],
)
def test_refusal_is_one_line_with_the_remedy(
    place: Place, call: Call, args: list[str], code: int, words: str
) -> None:
    """Each in its own words."""
    ended = call("monitor", *args)
    assert ended.code == code, ended
    assert words in ended.error


def test_no_records_yet_says_how_to_have_some(tmp_path: Path, call: Call) -> None:
    """A context that has no monitor, or one that keeps nothing."""
    file = tmp_path / "main.xml"
    file.touch()
    ended = call("monitor", "history", "ts_1", "-c", str(file))
    assert ended.code == 9
    assert "nothing is recorded yet at" in ended.error
    assert "put <store_records>1</store_records> into the monitor_options of its Monitor" in ended.error


def test_of_several_contexts_one_must_be_named(place: Place, call: Call) -> None:
    """The error names them."""
    prepare(place_of("other.xml"))
    assert (
        call("monitor", "list").error
        == "several contexts have run here; name one by -c FILE: main.xml, other.xml"
    )
    assert call("monitor", "list", "-c", "main.xml").code == 0


@pytest.mark.parametrize(
    ("name", "begins"), [("use.png", b"\x89PNG"), ("use.svg", b"<?xml"), ("use.pdf", b"%PDF")]
)
def test_plot_is_drawn_into_a_file(place: Place, call: Call, name: str, begins: bytes) -> None:
    """As what its name ends in."""
    ended = call("plot", "--since", "30m", "-o", name)
    assert (ended.code, ended.out, ended.err) == (0, f"{name}\n", "")
    assert Path(name).read_bytes().startswith(begins)


def test_plot_says_what_it_shows(place: Place, call: Call) -> None:
    """Title, units, services and what happened are words in it."""
    call("plot", "--since", "30m", "-o", "use.svg")
    text = Path("use.svg").read_text()
    for words in (
        "CPU and memory of main.xml, transaction T1",
        "(% of one core)",
        "(MiB)",
        "ts_1",
        "ts_2",
        "failure",
    ):
        assert words in text
    assert "restart" not in text
    call("plot", "ts_2", "--since", "30m", "-o", "one.svg")
    text = Path("one.svg").read_text()
    assert "ts_1" not in text
    assert "failure" not in text


def test_plot_without_a_store_of_the_provider_has_no_marks(place: Place, call: Call) -> None:
    """A provider that has just begun has none yet: the picture is drawn all the same, without a word."""
    place.store.unlink()
    ended = call("plot", "--since", "30m", "-o", "use.png")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["-o", "use.gif"], 2, "use.gif: no such kind of picture; expected .png, .svg, .pdf"),
        (["ts_3", "-o", "use.png"], 9, "no service 'ts_3' is recorded"),
        (["-o", "no/use.png"], 2, "no/use.png: No such file or directory"),
        ([], 2, "missing option '-o' / '--output'"),
    ],
)
def test_plot_that_cannot_be_drawn_is_one_line(
    place: Place, call: Call, args: list[str], code: int, words: str
) -> None:
    """With the remedy where there is one."""
    ended = call("plot", *args)
    assert ended.code == code
    assert words in ended.error


def test_plot_without_its_extra_is_one_line(
    place: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names what to install."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    ended = call("plot", "-o", "use.png")
    assert (ended.code, ended.error) == (2, "a plot needs matplotlib; pip install 'context-bus[plot]'")
