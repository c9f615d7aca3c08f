"""The command line as users run it: real scripts, real providers, every example of every help text."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from context_bus.bus.node import Bus
from context_bus.cli.lazy import LazyGroup, load
from context_bus.cli.main import COMMANDS, PACKAGE, context_bus
from context_bus.cli.stage import is_taken
from context_bus.client.conversation import Conversation
from context_bus.client.endpoints import Endpoints
from context_bus.testing.wait import wait_until
from tests.e2e.blackbox import Provider
from tests.e2e.project import ROOT, Project, Service, free_ports, run_tool

BIN = Path(sys.executable).parent
#: Seconds between two shouts of the echo in these tests.
PERIOD = "0.2"


@dataclass(frozen=True)
class Checkout:
    """A copy of what a reader of the documents has, on ports of its own."""

    directory: Path
    endpoints: Endpoints

    def text(self, command: str) -> str:
        """A command of the documents, with this copy's ports and directories."""
        listen, publish = (end.rpartition(":")[2] for end in (self.endpoints.listen, self.endpoints.publish))
        command = command.replace("5556", listen).replace("5557", publish)
        return command.replace("/tmp/my", str(self.directory / "my"))

    @property
    def environment(self) -> dict[str, str]:
        """Where a reader's shell finds the programs, and the commands their bus."""
        return os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "CONTEXT_BUS_LISTEN": self.endpoints.listen,
            "CONTEXT_BUS_PUBLISH": self.endpoints.publish,
        }

    def run(self, command: str, timeout: float = 40.0) -> subprocess.CompletedProcess[str]:
        """Run a command line in a shell, as a reader would."""
        return subprocess.run(
            ["bash", "-c", self.text(command)],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, command: str) -> subprocess.Popen[str]:
        """Start a command that goes on until it is ended."""
        return subprocess.Popen(
            shlex.split(self.text(command)),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def wait_provider(self) -> None:
        """Wait until a provider listens."""
        with Conversation(self.endpoints) as conversation:
            conversation.open(15.0)
            conversation.publisher.wait_for_subscriber("context", 15.0)


@contextmanager
def provided(checkout: Checkout, command: str) -> Iterator[subprocess.Popen[str]]:
    """A provider that listens; ended here if the test did not."""
    process = checkout.start(command)
    try:
        checkout.wait_provider()
        yield process
    finally:
        if process.poll() is None:
            finish(process, signal.SIGTERM)


def finish(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
    """End a provider by a signal; exit code and what it printed."""
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh copy, its echo shouting often."""
    return make_checkout(tmp_path)


def make_checkout(directory: Path) -> Checkout:
    """Copy Conf, Services and tools, and give the contexts ports that nobody uses."""
    for name in ("Conf", "Services", "tools"):
        shutil.copytree(
            ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", ".context_bus")
        )
    listen, publish = free_ports()
    for file in (directory / "Conf").glob("*.xml"):
        text = file.read_text().replace("5556", str(listen)).replace("5557", str(publish))
        file.write_text(re.sub(r"<period>.*</period>", f"<period>{PERIOD}</period>", text))
    return Checkout(directory, Endpoints(f"tcp://127.0.0.1:{listen}", f"tcp://127.0.0.1:{publish}"))


# -- the examples of the help texts --------------------------------------------------------------


#: Commands that have commands, each in a module of that name before its own.
GROUPS = ("bus", "monitor", "task")


def examples_of(name: str) -> list[str]:
    """The examples at the end of a help text, as the reader is to type them."""
    command, called = context_bus, "context-bus"
    if name:
        group, mark, rest = name.partition("-")
        called = f"context-bus {f'{group} {rest}' if mark and group in GROUPS else name}"
        command = load(PACKAGE, name, called)  # type: ignore[assignment]  # a group is a command
    text = command.get_help(click.Context(command)).partition("Examples:\n")[2].partition("\n\n")[0]
    return [line.strip() for line in text.splitlines()]


def bus_commands() -> list[str]:
    """The commands of the bus group, as modules."""
    bus = load(PACKAGE, "bus", "")
    assert isinstance(bus, LazyGroup)
    return ["bus", *(f"bus-{name}" for name in bus.table)]


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose echo runs, beside somebody who squares, counts and watches the weather."""
    checkout = make_checkout(tmp_path_factory.mktemp("lively"))
    process = checkout.start("context-bus service-context Conf/Context-EchoAction.xml --start --quiet")
    checkout.wait_provider()
    stop = threading.Event()
    with Bus(checkout.endpoints.listen, checkout.endpoints.publish, service_name="helper") as node:
        node.subscribe("square", lambda number: number * number, type=int)
        node.subscribe("weather", lambda weather: None, type=dict)
        node.keep("weather")
        node.publish("weather", {"celsius": 20.5})

        def count() -> None:
            while not stop.wait(0.02):
                node.publish("numbers", {"number": 1})

        threads = [threading.Thread(target=count), threading.Thread(target=node.serve)]
        for thread in threads:
            thread.start()
        try:
            yield checkout
        finally:
            stop.set()
            node.stop()
            for thread in threads:
                thread.join()
            code, _, err = finish(process, signal.SIGTERM)
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "example", [line for name in ("display", *bus_commands()) for line in examples_of(name)]
)
def test_example_of_a_look_at_the_bus_runs(lively: Checkout, example: str) -> None:
    """Every example of ``display`` and of ``bus`` prints something, ends with 0; Ctrl-C ends a recording."""
    interrupted = "timeout --preserve-status --signal=INT 3 " if " bus record " in example else ""
    ended = lively.run(interrupted + example)
    assert ended.returncode == 0, ended
    assert ended.stdout


#: Commands that need files and no provider.
FILES = ("", "check", "convert", "create-service", "docs", "graph")


@pytest.mark.parametrize("example", [line for name in FILES for line in examples_of(name)])
def test_example_of_work_on_files_runs(checkout: Checkout, example: str) -> None:
    """Every example that needs no provider does what it says."""
    ended = checkout.run(example)
    assert ended.returncode == 0, ended
    assert "Traceback" not in ended.stderr


def test_examples_of_conf_command_tell_a_story(checkout: Checkout) -> None:
    """One after the other, with a provider running: start, ask, restart, stop, exit."""
    with provided(checkout, "context-bus service-context Conf/Context-EchoAction.xml") as process:
        for example in examples_of("conf-command"):
            ended = checkout.run(example)
            assert (ended.returncode, ended.stderr) == (0, ""), ended
        out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")
        assert "ended" in out.splitlines()[-1]


@pytest.mark.parametrize("example", examples_of("service-context"))
def test_example_of_service_context_runs(checkout: Checkout, example: str) -> None:
    """It provides until Ctrl-C, which is 130, and leaves nothing."""
    with provided(checkout, example) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ctrl-C" in line or "ProviderReady" in line:
                break
        code, out, err = finish(process)
    assert (code, err) == (130, "")
    assert out
    assert not is_taken(checkout.endpoints.publish)


#: Commands on a provider that runs, in an order in which each finds what it needs.
TOUCHING = ("ps", "top", "wait", "logs", "events", "restart", "scale", "reload", "context", "stop", "start")


def test_examples_of_looking_and_touching_tell_a_story(checkout: Checkout) -> None:
    """One after the other, with a provider running: look, restart, scale, reload, stop, start."""
    command = "context-bus service-context Conf/Context-EchoAction.xml --start=MORNING --quiet"
    process = checkout.start(command)
    checkout.wait_provider()
    try:
        for example in [line for name in TOUCHING for line in examples_of(name)]:
            ended = checkout.run(example)
            assert (ended.returncode, ended.stderr) == (0, ""), ended
    finally:
        code, _, err = finish(process, signal.SIGTERM)
    assert (code, err) == (0, "")


@pytest.mark.parametrize("example", examples_of("metrics"))
def test_example_of_metrics_runs(lively: Checkout, example: str) -> None:
    """It serves until Ctrl-C, or prints once."""
    if "--once" in example:
        ended = lively.run(example)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert 'context_bus_provider_up{context="Echo' in ended.stdout
        return
    with lively.start(example) as process:
        assert process.stderr is not None
        assert "serving http://127.0.0.1:9" in process.stderr.readline()
        code, out, err = finish(process)
    assert (code, out, err.strip()) == (130, "", "")


_MONITOR = """<TaskService id="ts000" instance="Monitor"><Task><message>
<header><service_name>monitor</service_name></header><content><configuration>
<publisher><endpoint>ipc://monitor.sock</endpoint><frequency_s>0.2</frequency_s></publisher>
<monitor_options><store_records>1</store_records></monitor_options>
</configuration></content></message><state type="on_start"/></Task></TaskService></Context>"""


def test_examples_of_looking_back_run(checkout: Checkout) -> None:
    """With a Monitor that records: list, history, plot."""
    file = checkout.directory / "Conf/Context-EchoAction.xml"
    file.write_text(file.read_text().replace("</Context>", _MONITOR))
    command = "context-bus service-context Conf/Context-EchoAction.xml --start=MORNING --quiet"
    with provided(checkout, command):
        listed = "context-bus monitor list -c Conf/Context-EchoAction.xml"
        wait_until(lambda: "ts_100" in checkout.run(listed).stdout, 30.0, "records of ts_100")
        names = ("monitor", "monitor-list", "monitor-history", "plot")
        for example in [line for name in names for line in examples_of(name)]:
            ended = checkout.run(example)
            assert (ended.returncode, ended.stderr) == (0, ""), ended
            assert ended.stdout


#: Commands of ``task``, in an order in which each finds what it needs.
TASKS = (
    "init", "launch", "list", "wait", "feedback", "logs", "kill", "killall", "history", "stats", "clear",
    "reserve", "update",
)  # fmt: skip


def test_examples_of_watched_tasks_tell_a_story(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, on the database of a user who has none yet: launch, look, wait, end, look back."""
    group = load(PACKAGE, "task", "")
    assert isinstance(group, LazyGroup)
    assert set(TASKS) == set(group.table)
    monkeypatch.setenv("XDG_STATE_HOME", str(checkout.directory / "state"))
    monkeypatch.delenv("CONTEXT_BUS_TASK_DB", raising=False)
    names = ("task", *(f"task-{name}" for name in TASKS))
    for example in [line for name in names for line in examples_of(name)]:
        ended = checkout.run(example)
        assert (ended.returncode, ended.stderr) == (0, ""), ended
        assert ended.stdout or "launch" in example, example
    assert (checkout.directory / "state/context_bus/tasks.db").is_file()
    assert json.loads(checkout.run("context-bus task list --running --json").stdout) == []


@pytest.mark.parametrize("example", examples_of("dashboard"))
def test_example_of_dashboard_runs(checkout: Checkout, example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It serves until Ctrl-C, with or without a provider."""
    monkeypatch.setenv("BROWSER", "true")
    with checkout.start(example) as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        code, _, err = finish(process)
    assert code == 130, err


def test_every_command_has_its_examples_run() -> None:
    """No command is added whose examples nobody runs."""
    run_here = {
        "display",
        "bus",
        *FILES[1:],
        "conf-command",
        "dashboard",
        "monitor",
        "plot",
        "service-context",
        "demo",
        "metrics",
        "task",
        *TOUCHING,
    }
    assert set(COMMANDS) == run_here


_TALKER = '''
"""A task that writes to its log."""

from context_bus import Task, TaskService


class Talking(Task):
    """Says hello once."""

    def run(self) -> None:
        self.logger.info("hello from the task")
        self.notify("updated")
        while not self.wait(3600.0):
            pass


class ServiceTalker(TaskService):
    """The service around it."""

    task_class = Talking
'''

# -- service_context -----------------------------------------------------------------------------


def test_json_events_tell_the_whole_story(project: Project) -> None:
    """With ``--json`` every event is an object, from ready to ended."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tools/service_context.py"),
         str(project.write_context([Service("ts_1", configuration={"behaviour": "update"})])),
         "--json", "--start=TX"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "ServiceReported":
            process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    names = [event["event"] for event in events]
    assert names.index("ProviderReady") < names.index("CommandHeard") < names.index("ServiceReported")
    assert names[-1] == "ProviderEnded"
    states = [event["new"] for event in events if event["event"] == "ServiceChanged"]
    assert states == ["starting", "started", "updated", "stopping", "stopped"]


def test_quiet_prints_nothing_and_log_file_takes_the_records(project: Project, tmp_path: Path) -> None:
    """Records of the services go to the file of the provider; the terminal stays empty."""
    log = tmp_path / "provider.log"
    project.write_service("Talker", _TALKER)
    file = project.write_context([Service("ts_1", "Talker")])
    with Provider(project, file, "--quiet", "--log_level=info", f"--log_file={log}") as provider:
        provider.command("start", "TX")
        provider.wire.report("updated", "ts_1", "TX")
        provider.end(signal.SIGTERM)
        assert provider._out.read_text() == ""
        assert provider.errors == ""
    assert re.search(r"INFO .*\[ts_1\] hello from the task", log.read_text())


def test_second_provider_is_refused_in_one_line(project: Project) -> None:
    """One line, 9 for the state and 3 for the ports, and the first provider goes on."""
    file = project.write_context([Service("ts_1")])
    with Provider(project, file) as provider:
        ended = run_tool("service_context.py", file)
        assert ended.returncode == 9, ended
        assert f"process {provider.process.pid} already provides" in ended.stderr
        ended = run_tool("service_context.py", file, f"--state={project.directory / 'elsewhere'}")
        assert ended.returncode == 3, ended
        (line,) = ended.stderr.splitlines()
        assert line.startswith("error: cannot bind tcp://127.0.0.1:")
        assert provider.ask("exit", "")["verbs"][-1] == "done"
        assert provider.wait_end() == 0


def test_paths_of_the_documents_work_from_any_directory(checkout: Checkout, tmp_path: Path) -> None:
    """From elsewhere, ``Conf/...`` is found below the checkout that the script belongs to."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    script = checkout.directory / "tools"
    command = (
        f"bash -c 'cd {elsewhere} && exec python {script}/service_context.py Conf/Context-EchoAction.xml'"
    )
    with provided(checkout, command) as process:
        ended = checkout.run(
            f"cd {elsewhere} && python {script}/conf_command.py"
            " --context_file=Conf/Context-EchoAction.xml --action=start"
        )
        assert (ended.returncode, ended.stderr) == (0, ""), ended
        assert finish(process)[0] == 130


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ([], 2, "missing argument 'FILE'"),
        (["nowhere.xml"], 2, "no such file: nowhere.xml"),
        (["Conf"], 2, "is a directory"),
        (["Conf/Context-Test.xml", "--colour"], 2, "no such option"),
        (["Conf/Context-Test.xml", "--log_level=loud"], 2, "'loud' is not one of"),
        (["Conf/Context-Test.xml", "--allow_location=/nowhere"], 2, "'/nowhere' does not exist"),
        (["Conf/Context-Test.xml", "--log_file=/nowhere/x.log"], 2, "/nowhere/x.log"),
        (["Conf/Context-Test.xml", "--policy=lose"], 2, "'lose' is not one of"),
        (["Conf/Context-Open.xml"], 3, "--insecure"),
        (["Conf/Context-Foreign.xml"], 3, "refused to bind"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_input_to_service_context_is_one_line(
    project: Project, args: list[str], code: int, words: str
) -> None:
    """Every wrong flag, file and port: one line, its exit code, no traceback."""
    services, port = [Service("ts_1")], project.pub_port
    project.write_context(services)
    project.write_context(services, "Open", FrontBind=f"tcp://*:{port}")
    project.write_context(services, "Foreign", FrontBind=f"tcp://192.0.2.1:{port}")
    ended = run_tool("service_context.py", *args, cwd=project.directory)
    assert ended.returncode == code, ended
    (line,) = ended.stderr.splitlines()
    assert words in line


# -- conf_command and the bus beside a real provider ---------------------------------------------


def test_commands_without_a_file_use_the_provider_s(project: Project) -> None:
    """The provider knows its file: transaction and services need not be described."""
    with Provider(project, project.write_context([Service("ts_1"), Service("ts_2")])) as provider:
        where = f"--endpoint={project.publish_to}", f"--listen={project.listen_on}"

        def command(*args: str) -> dict[str, object]:
            ended = run_tool("conf_command.py", *where, "--json", *args)
            assert ended.returncode == 0, ended
            found: dict[str, object] = json.loads(ended.stdout)
            return found

        transaction = command("--action=start")["transaction"]
        assert command("--action=stop", "--task_id=ts_2")["transaction"] == transaction
        record = command("--action=request", "--service_name=state")
        tasks = record["tasks"]
        assert isinstance(tasks, list)
        assert {task["service_id"]: task["action"] for task in tasks} == {
            "ts_1": "started",
            "ts_2": "stopped",
        }
        assert command("--action=exit")["outcome"] == "done"
        assert provider.wait_end() == 0


def test_failing_service_is_reported_to_the_commander(project: Project) -> None:
    """What a service raised reaches the one who started it, with 5; its sibling runs."""
    services = [Service("good"), Service("bad", configuration={"behaviour": "fail_in_setup"})]
    with Provider(project, project.write_context(services)) as provider:
        ended = provider.conf_command("--action=start", "--transaction=TX")
        assert ended.returncode == 5, ended
        (line,) = ended.stderr.splitlines()
        assert line.startswith("error: start failed: bad: ")
        assert "told to fail in setup" in line
        assert re.search(r"good +started +done", ended.stdout)


def test_service_name_reaches_its_services(project: Project) -> None:
    """``--service_name=NAME --action=stop`` stops the services of that name, and only those."""
    services = [
        Service("a", service_name="x"),
        Service("b", service_name="x"),
        Service("c", service_name="y"),
    ]
    with Provider(project, project.write_context(services)) as provider:
        assert provider.ask("start", "TX")["verbs"][-1] == "done"
        ended = provider.conf_command("--service_name=x", "--action=stop", "--transaction=TX", "--json")
        assert ended.returncode == 0, ended
        rows = json.loads(ended.stdout)["services"]
        assert {row["service_id"]: row["state"] for row in rows} == {"a": "stopped", "b": "stopped"}
        actions = {task["service_id"]: task["action"] for task in provider.record("TX")["tasks"]}
        assert actions == {"a": "stopped", "b": "stopped", "c": "started"}


# -- the demonstration ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("ports", ["free", "busy"])
def test_demo_shows_both_contexts_and_leaves_nothing(checkout: Checkout, ports: str) -> None:
    """Within half a minute, also when the ports of the files are in use."""
    began = time.monotonic()
    (checkout.directory / "tools/demo.py").write_text(
        "from context_bus.cli.main import run_tool; run_tool('demo')"
    )
    with ExitStack() as stack:
        if ports == "busy":
            stack.enter_context(provided(checkout, "context-bus service-context Conf/Context-EchoAction.xml"))
        ended = checkout.run("python tools/demo.py")
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    assert ended.stdout.count("Nothing is left") == 2
    assert ("on others" in ended.stdout) == (ports == "busy")
    for word in ("shout=IT IS", "start ts_103", "30 m", "restart of transaction ECHO: done"):
        assert word in ended.stdout, word
    assert time.monotonic() - began < 35
