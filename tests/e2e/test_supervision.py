"""Supervision with real processes: restarts, readiness, hangs, and what survives the provider."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.e2e.project import Project, Service, free_ports
from tests.e2e.shells import Supervise, Supervised, service

STAY = '<command>sh -c "sleep 300 &amp; setsid sleep 300 &amp; exec sleep 300"</command>'


def gone(mark: str) -> bool:
    """Whether nothing that carries a mark is left."""
    return not procs.marked(mark)


def test_killed_service_is_replaced_and_its_children_are_gone(supervise: Supervise) -> None:
    """Its successor finds none of them, in whatever session they were."""
    provider = supervise(service("a", STAY, '<restart policy="on_failure"/>'))
    provider.start("--start=T1")
    first = provider.shell.until("a", "started")
    before = procs.marked(provider.mark)
    os.kill(first["pid"], signal.SIGKILL)
    second = wait_until(
        lambda: (each := provider.shell.services().get("a", {})).get("starts") == 2 and each,
        20,
        "a second start",
    )
    assert second["pid"] != first["pid"]
    assert "SIGKILL" in second["last_end"]
    sleepers = [pid for pid in before if pid in procs.marked(provider.mark) and _is_sleep(pid)]
    assert sleepers == []


def _is_sleep(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep\0")
    except OSError:
        return False


def test_killed_provider_leaves_nothing_and_the_next_brings_it_back(supervise: Supervise) -> None:
    """Within a second nothing is left; then exactly what was wanted comes back, once."""
    provider = supervise(
        service("a", STAY, "<instances>2</instances>"), service("b", "<command>sleep 300</command>")
    )
    provider.start("--start=T1")
    for each in ("a", "a#2", "b"):
        provider.shell.until(each, "started")
    assert provider.shell("stop", "b").returncode == 0
    assert provider.shell("scale", "a=3").returncode == 0
    provider.kill()
    began = time.monotonic()
    wait_until(lambda: gone(provider.mark), 10, lambda: procs.marked(provider.mark))
    assert time.monotonic() - began < 1.0
    provider.start()
    for each in ("a", "a#2", "a#3"):
        assert provider.shell.until(each, "started")["starts"] == 1
    assert provider.shell.services()["b"]["pid"] is None
    assert len([pid for pid in procs.marked(provider.mark) if _is_sleep(pid)]) == 9


def test_fresh_and_orderly_ends_bring_nothing_back(supervise: Supervise) -> None:
    """Whoever ended it meant it; whoever says so wants to begin anew."""
    provider = supervise(service("a", "<command>sleep 300</command>"))
    provider.start("--start=T1")
    provider.shell.until("a", "started")
    provider.kill()
    provider.start("--fresh")
    wait_until(lambda: provider.shell("ps").returncode == 0, 20, "a provider")
    assert provider.shell.services() == {}
    assert provider.shell("start", "-t", "T2").returncode == 0
    provider.end()
    provider.start()
    wait_until(lambda: provider.shell("ps").returncode == 0, 20, "a provider")
    assert provider.shell.services() == {}


def test_services_outlive_a_provider_that_keeps_them(supervise: Supervise) -> None:
    """Same processes, same forwarder; what died meanwhile is replaced by its policy."""
    provider = supervise(
        service("a", "<command>sleep 300</command>"),
        service("b", "<command>sleep 300</command>", '<restart policy="always"/>'),
    )
    provider.start("--start=T1", "--keep_services")
    a, b = provider.shell.until("a", "started"), provider.shell.until("b", "started")
    provider.kill()
    assert os.path.exists(f"/proc/{a['pid']}")
    os.kill(b["pid"], signal.SIGKILL)
    provider.start("--keep_services")
    again = provider.shell.until("a", "started")
    assert (again["pid"], again["starts"]) == (a["pid"], a["starts"])
    wait_until(
        lambda: provider.shell.services()["b"]["pid"] not in {None, b["pid"]},
        20,
        lambda: f"{b['pid']} to be replaced: {provider.shell('events').stdout}",
    )
    provider.end()
    assert gone(provider.mark)


def test_python_services_are_adopted_too(project: Project) -> None:
    """They never notice that their provider was replaced, and obey the next one."""
    file = project.write_context([Service("ts_1")])
    provider = Supervised(file, secrets.token_hex(8))
    try:
        provider.start("--start=T1", "--keep_services")
        first = provider.shell.until("ts_1", "started")
        provider.kill()
        provider.start("--keep_services")
        wait_until(lambda: provider.shell.services(), 20, "a provider")
        assert provider.shell.services()["ts_1"]["pid"] == first["pid"]
        assert provider.shell("stop", "ts_1").returncode == 0
        assert not os.path.exists(f"/proc/{first['pid']}")
        provider.end()
        assert gone(provider.mark)
    finally:
        provider.clean_up()


def test_hung_python_service_is_replaced(project: Project) -> None:
    """SIGSTOP: shown at once, condemned when its heartbeat has been silent for two and a half periods."""
    file = project.write_context([Service("ts_1")])
    kept = '<supervision><restart policy="on_failure"/><liveness type="heartbeat" every="0.4"/></supervision>'
    file.write_text(file.read_text().replace("</TaskService>", f"{kept}</TaskService>"))
    provider = Supervised(file, secrets.token_hex(8))
    try:
        provider.start("--start=T1")
        first = provider.shell.until("ts_1", "started")
        os.kill(first["pid"], signal.SIGSTOP)
        second = provider.shell.started_again("ts_1", 2)
        assert second["last_end"] == "no heartbeat for 1 s"
        kinds = [
            line for line in provider.shell("events", "-n", "100").stdout.splitlines() if "frozen" in line
        ]
        assert len(kinds) == 1
    finally:
        provider.clean_up()


def test_frozen_service_without_liveness_is_shown_and_left(supervise: Supervise) -> None:
    """Somebody may have stopped it on purpose."""
    provider = supervise(service("a", "<command>sleep 300</command>"))
    provider.start("--start=T1")
    pid = provider.shell.until("a", "started")["pid"]
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: provider.shell.services()["a"]["frozen"], 10, "frozen")
    assert "frozen" in provider.shell("ps").stdout
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not provider.shell.services()["a"]["frozen"], 10, "thawed")


def test_readiness_by_log_line_and_by_command(supervise: Supervise, tmp_path: Path) -> None:
    """Ready when it says so; the requirement waits for that."""
    flag = tmp_path / "flag"
    provider = supervise(
        service(
            "says",
            f"<command>sh -c 'until [ -e {flag} ]; do sleep 0.1; done; echo now open; sleep 9'</command>",
            '<readiness type="log" target="now o.en" deadline="30"/>',
        ),
        service(
            "asked",
            "<command>sleep 300</command>",
            '<readiness type="command" every="0.1" deadline="30">'
            f"<command>test -e {flag}</command></readiness>",
        ),
        service("after", "<command>sleep 300</command>", '<requires service="says,asked"/>'),
    )
    provider.start("--start=T1")
    provider.shell.until("says", "warming")
    provider.shell.until("asked", "warming")
    assert provider.shell.services()["after"]["phase"] == "waiting"
    flag.touch()
    provider.shell.until("after", "started")


def test_not_ready_in_time_is_told_with_the_last_complaint(supervise: Supervise) -> None:
    """And it is a boot failure, so that it ends fatal."""
    target = f"127.0.0.1:{free_ports(1)[0]}"
    provider = supervise(
        service(
            "a",
            "<command>sleep 300</command>",
            f'<readiness type="tcp" target="{target}" deadline="0.5" every="0.1"/>'
            '<restart policy="on_failure" max_restarts="1"/>',
        )
    )
    provider.start("--start=T1")
    reason = str(provider.shell.until("a", "fatal")["reason"])
    complaint = f"not ready within 0.5 s: {target}: Connection refused"
    assert reason.startswith(f"fatal: restarted 1 times within 10 s, last: {complaint} after ")


def test_killed_forwarder_comes_back_without_a_restart(supervise: Supervise) -> None:
    """The bus is back, and nobody had to start again."""
    provider = supervise(service("a", "<command>sleep 300</command>"))
    provider.start("--start=T1")
    before = provider.shell.until("a", "started")
    found = provider.shell.json("ps")
    assert isinstance(found, dict)
    forwarder = found["provider"]["forwarder_pid"]
    os.kill(forwarder, signal.SIGKILL)

    def replaced() -> bool:
        ended = provider.shell("ps", "--json")
        if ended.returncode:
            return False
        return json.loads(ended.stdout)["provider"]["forwarder_pid"] not in {None, 0, forwarder}

    wait_until(replaced, 20, lambda: provider.shell("events").stdout)
    after = provider.shell.until("a", "started")
    assert (after["pid"], after["starts"]) == (before["pid"], 1)


def test_killed_guardian_takes_all_along_and_all_is_replaced(supervise: Supervise) -> None:
    """Nobody is left who could reap them, so they end, and their policy starts them with a new one."""
    provider = supervise(service("a", STAY, '<restart policy="always"/>'))
    process = provider.start("--start=T1")
    first = provider.shell.until("a", "started")
    (guardian,) = (pid for pid in procs.marked(provider.mark) if procs.parent(pid) == process.pid)
    os.kill(guardian, signal.SIGKILL)
    wait_until(lambda: provider.shell.services().get("a", {}).get("starts") == 2, 20, "a second start")
    wait_until(lambda: first["pid"] not in procs.marked(provider.mark), 10, "the first is gone")
    wait_until(lambda: sum(map(_is_sleep, procs.marked(provider.mark))) == 3, 10, "three sleepers, not six")


def test_second_provider_is_refused_by_the_lock(supervise: Supervise) -> None:
    """One line that names the first; the lock dies with its holder."""
    provider = supervise(service("a", "<command>sleep 300</command>"))
    first = provider.start("--start=T1")
    provider.shell.until("a", "started")
    command = [sys.executable, "-m", "context_bus", "service-context", str(provider.shell.file)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 9
    (line,) = second.stderr.splitlines()
    assert f"process {first.pid} already provides this context" in line
    provider.kill()
    provider.start()
    provider.shell.until("a", "started")


def test_what_the_machine_lacks_is_told_before_anything_starts(supervise: Supervise) -> None:
    """All of it at once, a line each, and nothing runs."""
    provider = supervise(
        service("good", "<command>sleep 300</command>"),
        service("a", "<command>no-such-program</command>"),
        service("b", "<command>/etc/passwd</command>", '<process user="nobody-here"/>'),
        service("c", "<command>sleep 1</command>", '<process cwd="nowhere"/>'),
    )
    for command in ("check", "service-context"):
        ended = subprocess.run(
            [sys.executable, "-m", "context_bus", command, str(provider.shell.file)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=os.environ | {procs.MARK: provider.mark},
        )
        assert ended.returncode == 2
        lines = [line for line in (ended.stdout + ended.stderr).splitlines() if "TaskService[" in line]
        for words in (
            "program no-such-program is not",
            "no user 'nobody-here'",
            "may not be executed",
            "nowhere",
        ):
            assert any(words in line for line in lines), lines
        assert gone(provider.mark)
