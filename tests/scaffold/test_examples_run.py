"""The examples under a real provider: what makes them examples is how their services follow each other."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

from tests.e2e.blackbox import Provider
from tests.e2e.project import ROOT, Project

TRANSACTION = "EXAMPLE"


def example(directory: Path, name: str, **configuration: str) -> tuple[Project, Path]:
    """Copy an example of the checkout; its ports are free ones, some of its configuration another."""
    project = Project(directory)
    shutil.copytree(ROOT / "Services", project.services, dirs_exist_ok=True)
    text = (ROOT / "Conf" / f"Context-{name}.xml").read_text()
    ports = re.findall(r"<(?:FrontEnd|Backend)Endpoint>tcp://127\.0\.0\.1:(\d+)", text)
    for old, new in zip(ports, (project.sub_port, project.pub_port), strict=True):
        text = text.replace(f":{old}<", f":{new}<")
    for word, values in configuration.items():
        mark = f"<device_action>{word}</device_action>"
        assert mark in text
        text = text.replace(mark, mark + values)
    file = project.conf / f"Context-{name}.xml"
    file.write_text(text)
    return project, file


def test_four_states_follow_each_other(tmp_path: Path) -> None:
    """Standing ends and walking starts, and so on to the end of the run, by transitions alone."""
    project, file = example(
        tmp_path,
        "StateMachine",
        pass_state1="<seconds>0.1</seconds>",
        pass_state2="<pace>0.02</pace>",
        pass_state3="<pause>0.02</pause>",
        pass_state4="<speed>1000</speed>",
    )
    with Provider(project, file) as provider:
        provider.command("start", TRANSACTION)
        provider.wire.report("stopped", "ts_103", TRANSACTION)
        life = [
            (seen.action, seen.service_id)
            for seen in provider.wire.reports(TRANSACTION)
            if seen.action in {"started", "stopped"}
        ]
    ids = ("ts_100", "ts_101", "ts_102", "ts_103")
    assert life == [(action, one) for one in ids for action in ("started", "stopped")]


def test_pipeline_recovers_from_a_garbled_line(tmp_path: Path) -> None:
    """The parser fails, its on_fail starts it again, and what it missed is told with the next rates."""
    project, file = example(tmp_path, "AccessLog", serve="<garbled_every>20</garbled_every>")
    file.write_text(file.read_text().replace("/tmp/access.log", str(tmp_path / "access.log")))
    with Provider(project, file) as provider:
        wire = provider.wire
        provider.command("start", TRANSACTION)
        failed = wire.report("failed", "ts_202", TRANSACTION)
        assert "is no line of an access log" in failed.status["reason"]
        wire.wait_until(
            lambda record: (
                sum((seen.action, seen.service_id) == ("started", "ts_202") for seen in record) > 1
            ),
            "the parser started again",
        )
        wire.wait_for(
            lambda seen: seen.is_report and seen.service_id == "ts_203" and seen.status.get("missed", 0) > 0,
            "rates that tell of the garbled line",
        )


def test_backup_tells_its_progress_by_its_feedback(tmp_path: Path) -> None:
    """A script of a few lines: the meter shows what the bus carries, from the first report to the last."""
    project, file = example(tmp_path, "Backup")
    ours = f"{shlex.quote(sys.executable)} -m context_bus bus"
    file.write_text(file.read_text().replace("context-bus bus", ours))
    with Provider(project, file) as provider:
        provider.command("start", TRANSACTION)
        provider.wire.report("stopped", "meter", TRANSACTION)
        reports = [each for each in provider.wire.reports(TRANSACTION) if each.service_id == "backup"]
    assert [each.action for each in (reports[0], *reports[-2:])] == ["started", "updated", "stopped"]
    told = [each.status for each in reports if each.action == "updated"]
    progress = [int(each["progress"]) for each in told if "progress" in each]
    assert progress == sorted(progress)
    assert len(progress) > 4
    last = told[-1]
    assert (last["progress"], "file" in last) == ("100", False)
    copied = list((project.directory / "Conf" / ".context_bus" / "backup").rglob("*.*"))
    assert last["report"] == f"{len(copied)} files in Conf/.context_bus/backup"
