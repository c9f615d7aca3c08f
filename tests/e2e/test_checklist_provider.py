"""Rows of the checklist about the provider itself: what it loads, refuses, and how it ends."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.blackbox import Provider
from tests.e2e.project import Project, Service, is_free, new_transaction, run_tool, the_error

RUNNING = Service("ts_1")
DEFERRED = Service("ts_2", state="on_update")


def test_row_04_loading_a_file_starts_no_service(project: Project, transaction: str) -> None:
    """The provider of a file with services runs none of them until it is told."""
    with Provider(project, project.write_context([RUNNING, DEFERRED])) as provider:
        idle = provider.processes()
        assert provider.ask("stop", transaction)["verbs"][-1] == "rejected"
        assert [seen for seen in provider.wire.seen if seen.is_report or seen.topic == "process"] == []
        provider.command("start", transaction, [RUNNING, DEFERRED])
        pids = {
            provider.wire.report("started", "ts_1", transaction).status["pid"],
            provider.wire.report("created", "ts_2", transaction).status["pid"],
        }
        assert len(pids) == 2
        assert not pids & idle.keys()
        assert pids < provider.processes().keys()


#: What the old scaffold wrote, with its odd white space, empty elements and elements nobody reads.
_GENERATED = """<?xml version='1.0' encoding='utf8'?>
<Context>
  <FrontEndEndpoint>{listen}</FrontEndEndpoint>
  <BackendEndpoint>{publish}</BackendEndpoint>
  <FrontBind>{publish}</FrontBind>
  <BackendBind> {listen} </BackendBind>
  <ContextID>context001</ContextID>
  <TaskLogName>SampleServices</TaskLogName>
  <Unheard of="this">nobody reads it</Unheard>
{services}
</Context>"""

_SERVICE = """
  <!-- a service -->
  <TaskService id="{id}" instance="Actor" serviceType="Process" topic="process">
    <Task>
      <description>
      Tabs and & line breaks
      </description>
      <message>
      <header>
        <action>start</action>
        <service_name>{id}_name</service_name>
      </header>
      <content>
        <configuration>
          <device_action>standing_up</device_action>
          <location>{location}</location>
        </configuration>
      </content>
      </message>
      <state type="on_start">
      <on_start>
        <action />
        <call />
      </on_start>
      <on_exit>
        <action>stop</action>
        <call>ts001</call>
      </on_exit>
      </state>
    </Task>
  </TaskService>"""


@pytest.mark.parametrize("ids", [["ts001"], ["ts001", "ts002", "ts003"]], ids=["one", "three"])
def test_row_05_generated_file_loads_and_its_services_run(project: Project, ids: list[str]) -> None:
    """A file as the old scaffold wrote it loads, with one service or with several."""
    services = [_SERVICE.replace("&", "&amp;").format(id=one, location=project.services) for one in ids]
    file = project.conf / "Context-Generated.xml"
    file.write_text(
        _GENERATED.format(listen=project.listen_on, publish=project.publish_to, services="".join(services))
    )
    with Provider(project, file) as provider:
        assert (
            provider.conf_command("--transaction=T1", "--action=start", "--service_name=context").returncode
            == 0
        )
        for one in ids:
            provider.wire.report("started", one, "T1")


_Break = Callable[[Project], Path]


def _without(tag: str) -> _Break:
    return lambda project: project.write_context([RUNNING], **{tag: ""})


def _text(text: str) -> _Break:
    def write(project: Project) -> Path:
        file = project.conf / "Context-Broken.xml"
        file.write_text(text)
        return file

    return write


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (_without("FrontBind"), ["FrontBind"]),
        (_without("BackendBind"), ["BackendBind"]),
        (_without("FrontEndEndpoint"), ["FrontEndEndpoint"]),
        (_without("BackendEndpoint"), ["BackendEndpoint"]),
        (_without("TaskLogName"), ["TaskLogName"]),
        (lambda project: project.write_context(FrontBind="udp:nowhere"), ["FrontBind", "udp:nowhere"]),
        (
            lambda project: project.write_context([Service("a"), Service("a")]),
            ["'?a'?", "twice|duplicate|already|unique"],
        ),
        (lambda project: project.write_context([Service("a", service_type="Fibre")]), ["Fibre", "Process"]),
        (lambda project: project.write_context([Service("a", instance="../a")]), ["instance|\\.\\./a"]),
        (
            lambda project: project.write_context(
                [Service("a", transitions={"on_exit": ("start", "nobody")})]
            ),
            ["nobody", "on_exit"],
        ),
        (
            lambda project: project.write_context([Service("a", transitions={"on_fail": ("burn", "a")})]),
            ["burn", "on_fail"],
        ),
        (_text("<Context><FrontBind></Context>"), [":1"]),
        (_text("<Contents/>"), ["Contents", "Context"]),
        (_text(""), ["empty|no element"]),
        (lambda project: project.conf / "Context-Absent.xml", ["[Nn]o such file|does not exist|not found"]),
    ],
    ids=[
        "no_front_bind",
        "no_backend_bind",
        "no_front_end_endpoint",
        "no_backend_endpoint",
        "no_log_name",
        "bad_endpoint",
        "same_id_twice",
        "unknown_type",
        "instance_is_a_path",
        "unknown_call",
        "unknown_action",
        "malformed",
        "other_root",
        "empty_file",
        "no_file",
    ],
)
def test_row_05_fault_is_one_line_naming_file_and_element(
    project: Project, break_it: _Break, words: list[str]
) -> None:
    """A file that cannot be used gives one clear line and a non-zero exit, and nothing is started."""
    file = break_it(project)
    ended = run_tool("service_context.py", file)
    line = the_error(ended)
    assert file.name in line
    for word in words:
        assert re.search(word, line), (word, line)


def test_row_05_all_faults_come_at_once_with_their_lines(project: Project) -> None:
    """Two faults give two lines, each with the line number of its element."""
    file = project.write_context([Service("a", service_type="Fibre")], TaskLogName="")
    ended = run_tool("service_context.py", file)
    assert ended.returncode == 2
    assert "Fibre" in ended.stderr
    assert "TaskLogName" in ended.stderr
    number = next(number for number, line in enumerate(file.read_text().splitlines(), 1) if "Fibre" in line)
    assert f"{file.name}:{number}" in ended.stderr


@pytest.mark.parametrize("way", ["exit", "SIGTERM", "SIGINT"])
def test_row_30_orderly_end_leaves_nothing(project: Project, transaction: str, way: str) -> None:
    """By command or by signal: every service says ``stopped``, no process and no port is left."""
    services = [RUNNING, DEFERRED, Service("ts_3", service_type="Thread")]
    other = new_transaction()
    with Provider(project, project.write_context()) as provider:
        for name in (transaction, other):
            provider.command("start", name, services)
        for name in (transaction, other):
            provider.wire.report("started", "ts_1", name)
            provider.wire.report("created", "ts_2", name)
            provider.wire.report("started", "ts_3", name)
        if way == "exit":
            provider.command("exit", transaction)
            assert provider.wait_end() == 0
        else:
            provider.end(signal.Signals[way])
        for name in (transaction, other):
            for service in services:
                provider.wire.report("stopped", service.id, name, timeout=1.0)


def test_row_31_busy_port_is_an_error(project: Project, transaction: str) -> None:
    """A second provider on the same ports ends with one line; the first does not notice."""
    file = project.write_context()
    with Provider(project, file) as provider:
        provider.command("start", transaction, [RUNNING])
        pid = provider.wire.report("started", "ts_1", transaction).status["pid"]
        second = run_tool("service_context.py", file, f"--state={project.directory / 'elsewhere'}")
        assert re.search(rf"{project.pub_port}|{project.sub_port}", the_error(second))
        since = provider.wire.now
        provider.command("restart", transaction, [RUNNING])
        provider.wire.report("stopped", "ts_1", transaction, since)
        assert provider.wire.report("started", "ts_1", transaction, since).status["pid"] != pid
        asked = [seen.action for seen in provider.wire.seen[since:] if seen.topic == "process"]
        assert asked == ["stop", "start"], "both providers acted"


def test_row_32_bind_to_every_address_is_refused(project: Project) -> None:
    """A ``*`` bind ends with one line that names the remedy; nothing listens meanwhile."""
    file = project.write_context(FrontBind=f"tcp://*:{project.pub_port}")
    ended = run_tool("service_context.py", file)
    line = the_error(ended)
    assert "FrontBind" in line or f"*:{project.pub_port}" in line
    assert "--insecure" in line
    assert is_free(project.pub_port)


def test_row_32_insecure_bind_warns(project: Project, transaction: str) -> None:
    """With ``--insecure`` the same file runs, with a warning."""
    file = project.write_context(
        FrontBind=f"tcp://*:{project.pub_port}", BackendBind=f"tcp://*:{project.sub_port}"
    )
    with Provider(project, file, "--insecure") as provider:
        provider.command("start", transaction, [RUNNING])
        provider.wire.report("started", "ts_1", transaction)
        assert re.search(r"(?i)warn|insecure|anyone|every", provider.errors), provider.output
