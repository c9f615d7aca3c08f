"""How a service is kept is said in plain words, and silence about it is not mentioned."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from context_bus.cli.commands import check
from context_bus.config.check import check_file
from context_bus.config.explain import explain, next_times
from context_bus.config.load import parse_context
from context_bus.config.report import Report
from context_bus.errors import Fault

from .samples import THREE, kept, kept_context

NOW = datetime(2026, 11, 24, 20, 20, tzinfo=ZoneInfo("UTC")).timestamp()


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time zone for the times that are shown."""
    with monkeypatch.context() as inner:
        inner.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def words(inner: str, service_type: str = "Process") -> str:
    others = (kept("", "ts_2"), kept("", "ts_3"))
    text = kept_context(kept(inner, service_type=service_type), *others)
    return explain(parse_context(text.encode(), "c.xml").services[0])


def test_silence_is_not_explained():
    """Nor what never comes to bear."""
    assert [explain(service) for service in parse_context(THREE.encode(), "c.xml").services] == ["", "", ""]
    assert words('<restart policy="never" delay="3"/><readiness every="1"/>') == ""


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ('<restart policy="on_failure"/>',
         "restarts on failure: at once, after failed boots in 0.1 s doubling to 30 s; fatal after 5 in 10 s"),
        ('<restart policy="always" delay="1" factor="1.5" max_restarts="3" window="60"/>',
         "restarts always: at once, after failed boots in 1 s growing by 1.5 to 30 s; fatal after 3 in 60 s"),
        ('<restart policy="always" delay="1" factor="1"/>',
         "restarts always: at once, after failed boots in 1 s; fatal after 5 in 10 s"),
        ('<restart policy="always" delay="0" max_delay="0"/>',
         "restarts always: at once; fatal after 5 in 10 s"),
        ('<readiness deadline="10"/>', "ready: says so within 10 s"),
        ('<readiness type="tcp" target="127.0.0.1:80" deadline="10"/>',
         "ready: tcp 127.0.0.1:80 within 10 s"),
        ('<readiness type="http" target="http://a/"/>', "ready: http http://a/"),
        ('<readiness type="log" target="up"/>', 'ready: a line like "up"'),
        ('<readiness type="time" after="2"/>', "ready: after 2 s"),
        ('<readiness type="command" command="test -f \'a b\'"/>', "ready: \"test -f 'a b'\" succeeds"),
        ('<liveness type="heartbeat"/>', "alive: heartbeat every 2 s"),
        ('<liveness type="tcp" target="a:1"/>', "alive: tcp a:1 every 2 s, hung after 3 failures"),
        ('<liveness type="tcp" target="a:1" failures="1"/>',
         "alive: tcp a:1 every 2 s, hung after a failure"),
        ('<requires service="ts_2"/><requires service="ts_3" condition="started"/>',
         "requires ts_2 ready, ts_3 started"),
        ('<stop grace="3"/>', "stops on SIGTERM, killed after 3 s"),
        ("<instances>3</instances>", "3 instances"),
        ("<schedule>*/5 * * * *</schedule>", "starts at */5 * * * *"),
        ('<process cwd="data" user="u" group="g" umask="022" nice="5" cpus="2,3"><env name="A"/>'
         '<limit name="nofile" soft="4" hard="9"/><limit name="core" hard="unlimited"/></process>',
         "runs in data, as u:g, with umask 022, at niceness +5, on processors 2-3, with A set, "
         "4 to 9 of nofile, at most unlimited of core"),
        ('<process group="g"/>', "runs with group g"),
        ('<output stdout="a.log" stderr="null" max_bytes="0" show="0"/>',
         "output to a.log, errors to null; output rotated never; output not shown"),
        ('<output backups="2"/>', "output rotated at 10MB, 2 kept"),
    ],
)  # fmt: skip
def test_each_part_has_its_words(inner, expected):
    """With units, and nothing about the other parts."""
    assert words(inner) == expected


def test_commands_have_words_of_their_own():
    """Their exit codes, their signal, and that they do not report themselves."""
    inner = '<restart success_codes="0,3"/><stop signal="INT"/><readiness deadline="5"/>'
    assert (
        words(inner, "Command") == "exit code 0 or 3 is success; ready: executed within 5 s; stops on SIGINT"
    )
    assert words("<feedback/>", "Command") == "feedback told at most every 0.25 s"
    inner = '<feedback timeout="30" every="1" file="f.log"/>'
    assert words(inner, "Command") == "feedback in f.log told at most every 1 s, hung after 30 s without"


def test_next_times_are_three():
    """In local time; without a schedule there are none."""
    assert next_times("*/5 * * * *", NOW) == (
        "2026-11-24 20:25:00",
        "2026-11-24 20:30:00",
        "2026-11-24 20:35:00",
    )
    assert next_times("", NOW) == ()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of three commands, one of which waits and one of which is due now and then."""
    file = tmp_path / "Context-Kept.xml"
    file.write_text(
        kept_context(
            kept('<requires service="db"/>', "web", "Command"),
            kept('<stop grace="3"/>', "db", "Command"),
            kept("<schedule>0 3 * * *</schedule>", "nightly", "Command").replace(
                "<supervision>", '<Task><state type="on_exit"/></Task><supervision>'
            ),
        )
    )
    return file


def test_summary_explains_order_and_times(path):
    """A scheduled service is not one that nobody starts; a command needs no location."""
    report = check_file(path, now=NOW)
    assert (report.faults, report.warnings) == ((), ())
    assert list(report.summary()) == [
        f'{path}: context "Morning", 3 services',
        "  runs at start, in this order:",
        "    db  sleep 5 (db)",
        "    web  sleep 5 (web)",
        "  deferred, until a transition, a command or their schedule starts them:",
        "    nightly  sleep 5 (nightly)",
        "  order of starts, those of one line at the same time:",
        "    db",
        "    web",
        "  kept:",
        "    web  requires db ready",
        "    db  stops on SIGTERM, killed after 3 s",
        "    nightly  starts at 0 3 * * *",
        "  next times:",
        "    nightly  2026-11-25 03:00:00, 2026-11-26 03:00:00, 2026-11-27 03:00:00",
    ]


def test_summary_lets_a_schedule_wait_whatever_its_type(path):
    """A scheduled service of type on_start does not run at context start."""
    path.write_text(path.read_text().replace('<state type="on_exit"/>', '<state type="on_start"/>'))
    lines = list(check_file(path, now=NOW).summary())
    begin = lines.index("  deferred, until a transition, a command or their schedule starts them:")
    assert lines[begin + 1] == "    nightly  sleep 5 (nightly)"
    assert "    nightly  sleep 5 (nightly)" not in lines[:begin]


def test_json_has_the_same_as_data(path):
    """Words, values, levels and times."""
    (report,) = json.loads(CliRunner().invoke(check.command, ["--json", str(path)]).stdout)
    assert report["levels"] == [["db", "nightly"], ["web"]]
    web, db, nightly = report["services"]
    assert (web["command"], web["policy"]) == ("sleep 5", "requires db ready")
    assert db["supervision"]["stop"] == {"signal": "SIGTERM", "grace": 3.0}
    assert [len(each["next_times"]) for each in (web, nightly)] == [0, 3]
    assert "context" not in report


def test_further_faults_are_part_of_the_report(path):
    """What only this machine knows makes a file as unusable as what it says itself."""

    def look(context, service):
        if service.id == "db":
            yield Fault(f"of {len(context.services)}", "", str(path), service.line, service.id)

    report = check.look_further(check_file(path), [look])
    assert [str(fault) for fault in report.faults] == [f"{path}:11: db: of 3"]
    assert not report.is_usable
    unusable = Report("x", faults=(Fault("bad"),))
    assert check.look_further(unusable, [look]) is unusable


def test_double_restarts_are_a_warning(tmp_path):
    """A policy and a transition would both start it again."""
    file = tmp_path / "c.xml"
    own = "<Task><message><header><service_name>n</service_name></header></message></Task>"
    again = own.replace(
        "</Task>",
        '<state type="on_start"><on_fail><action>restart</action><call>a</call></on_fail></state></Task>',
    )
    for policy, expected in (("on_failure", 1), ("never", 0)):
        service = kept(f'<restart policy="{policy}"/>', "a").replace(own, again)
        file.write_text(kept_context(service))
        found = [each.message for each in check_file(file).warnings if "policy" in each.message]
        assert found == ['starts it again, and so does its policy "on_failure"'][:expected]


def test_waiting_for_a_deferred_service_is_a_warning(path):
    """It may be meant so, or a state type is wrong."""
    path.write_text(path.read_text().replace('service="db"', 'service="nightly"'))
    (warning,) = check_file(path).warnings
    assert (warning.line, warning.message) == (10, 'waits for "nightly", which is deferred')
