"""Figures of real processes, held against what /proc says of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from context_bus.process import figures
from context_bus.process.family import Family
from context_bus.process.look import Look, Surroundings
from context_bus.process.pace import Pace
from context_bus.process.probe import Probe
from context_bus.process.usage import Options, Usage
from context_bus.testing.wait import wait_until
from tests.process import subjects
from tests.process.subjects import running

BRIEF = Options(details=False)
#: Asks for everything.
ALL = Options(True, True, True, True)


def look(pid: int, options: Options = BRIEF) -> Usage:
    """One look at one process."""
    return Probe().sample({"one": pid}, options)["one"]


def spend(pid: int, ticks: int) -> None:
    """Wait until a process has spent so much more CPU time."""
    until = subjects.cpu_ticks(pid) + ticks
    wait_until(lambda: subjects.cpu_ticks(pid) >= until, 30.0, "the process to spend CPU time")


def test_memory_is_what_the_kernel_says() -> None:
    """A program that holds 100 MiB is shown with that, and with what /proc says, in MiB."""
    with running("big") as (pid, _):
        usage = look(pid)
        told = subjects.status(pid)
    assert usage.rss >= subjects.HELD
    assert usage.rss == pytest.approx(int(told["VmRSS"].split()[0]) / 1024, rel=0.05)
    assert usage.vms == pytest.approx(int(told["VmSize"].split()[0]) / 1024, rel=0.05)
    memory = int(Path("/proc/meminfo").read_text().split()[1])
    assert usage.percent == pytest.approx(100 * int(told["VmRSS"].split()[0]) / memory, rel=0.05)
    assert usage.total.rss == usage.rss


def test_descriptors_and_open_files_are_counted_and_listed(tmp_path: Path) -> None:
    """50 files more than the three of everybody; the list names each, as readers of old expect it."""
    with running("open_files", str(tmp_path)) as (pid, _):
        usage = look(pid, Options(opened_files=True))
        assert usage.descriptors == len(os.listdir(f"/proc/{pid}/fd")) >= subjects.OPENED + 3
    assert isinstance(usage.opened_files, tuple)
    names = {Path(str(entry[0]["path"])).name for entry in usage.opened_files}
    assert names >= {f"file-{number}" for number in range(subjects.OPENED)}
    assert [next(iter(field)) for field in usage.opened_files[0]] == [
        "path", "fd", "position", "mode", "flags"
    ]  # fmt: skip


def test_cpu_is_what_was_spent_since_the_sample_before() -> None:
    """A program that spins: 0 at first, then what /proc says was spent, within 5 %."""
    probe = Probe()
    with running("spin") as (pid, _):
        first = probe.sample({"one": pid}, BRIEF)["one"]
        before, began = subjects.cpu_ticks(pid), time.monotonic()
        spend(pid, subjects.TICKS)
        usage = probe.sample({"one": pid}, BRIEF)["one"]
        spent, span = subjects.cpu_ticks(pid) - before, time.monotonic() - began
    assert first.cpu_percent == 0.0
    assert usage.cpu_percent == pytest.approx(100 * spent / subjects.TICKS / span, rel=0.05)
    assert usage.cpu_seconds >= 1.0
    assert usage.status == "running"


def test_two_who_sample_in_turn_see_what_one_alone_would() -> None:
    """With a least span, whoever looks in between does not make the figures of others rough."""
    probe = Probe(apart=0.5, keep=10.0)
    with running("spin") as (pid, _):
        probe.sample({"one": pid}, BRIEF)
        spend(pid, subjects.TICKS // 2)
        wait_until(lambda: probe.knows("one"), 5.0)
        between = probe.sample({"one": pid}, BRIEF)["one"]
        at_once = probe.sample({"one": pid}, BRIEF)["one"]
    assert between.cpu_percent > 10.0
    assert at_once.cpu_percent == pytest.approx(between.cpu_percent, rel=0.2)


def test_children_are_rows_and_grandchildren_are_counted() -> None:
    """A row for the direct child alone; totals and the count are about all."""
    with running("family") as (pid, told):
        child, grandchild = map(int, told.split())
        usage = look(pid, Options())
        rss = [int(subjects.status(each)["VmRSS"].split()[0]) / 1024 for each in (pid, child, grandchild)]
    rows = [row for row in usage.children if row.kind == "process"]
    assert [(row.pid, row.name) for row in rows] == [(child, "sh")]
    assert usage.processes == 2
    assert usage.total.rss == pytest.approx(sum(rss), rel=0.05)
    assert rows[0].create_time == pytest.approx(time.time(), abs=10.0)


def test_cpu_of_a_child_that_came_since_the_sample_before_counts() -> None:
    """What it has spent, it has spent since then."""
    probe = Probe()
    with running("threads") as (pid, _):
        probe.sample({"one": pid}, BRIEF)
    script = f"import subprocess\nsubprocess.run([{sys.executable!r}, {subjects.__file__!r}, 'spin'])"
    with subprocess.Popen([sys.executable, "-c", script], process_group=0) as parent:
        try:
            family = Family()
            wait_until(lambda: family.look(figures.now()) or family.children(parent.pid), 10.0)
            (child,) = family.children(parent.pid)
            wait_until(lambda: subjects.cpu_ticks(child) > subjects.TICKS // 2, 30.0)
            usage = probe.sample({"one": parent.pid}, BRIEF)["one"]
        finally:
            os.killpg(parent.pid, 9)
    assert usage.total.cpu_percent - usage.cpu_percent > 10.0


def test_threads_are_rows_with_the_memory_of_their_process() -> None:
    """The main thread too; their names and CPU times are their own."""
    with running("threads") as (pid, _):
        usage = look(pid, Options())
        told = sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    rows = [row for row in usage.children if row.kind == "thread"]
    assert [row.pid for row in rows] == told
    assert len(rows) == usage.threads == 3
    assert {row.rss for row in rows} == {usage.rss}
    assert usage.total.rss == usage.rss


def test_start_time_stays_the_same_and_is_that_of_the_clock() -> None:
    """With its pid it tells who a process is."""
    probe, began = Probe(), time.time()
    with running("threads") as (pid, _):
        told = {probe.sample({"one": pid}, BRIEF)["one"].create_time for _ in range(200)}
    assert len(told) == 1
    assert began - 0.1 <= told.pop() <= time.time()


def test_brief_leaves_out_the_rows_and_nothing_else() -> None:
    """Counts and totals are there all the same."""
    with running("family") as (pid, _):
        usage = look(pid, BRIEF)
    assert usage.children == ()
    assert (usage.processes, usage.threads) == (2, 1)


def test_zombie_is_shown_as_one() -> None:
    """As a child and as a service, with every list empty and nothing raised."""
    with running("zombie") as (pid, told):
        parent, dead = Probe().sample({"parent": pid, "dead": int(told)}, ALL).values()
    assert [row.status for row in parent.children if row.kind == "process"] == ["zombie"]
    assert (dead.status, dead.rss, dead.descriptors, dead.gone) == ("zombie", 0.0, 0, "")
    assert dead.opened_files == dead.connections == ()


def test_process_that_ended_is_a_row_that_says_so() -> None:
    """Its neighbours are measured."""
    with subprocess.Popen(["true"]) as ended:
        pass
    probe = Probe()
    for options in (BRIEF, ALL):
        gone, here = probe.sample({"gone": ended.pid, "here": os.getpid()}, options).values()
        assert (gone.status, gone.rss, gone.pid) == ("gone", 0.0, ended.pid)
        assert str(ended.pid) in gone.gone
        assert here.rss > 1.0
        assert here.gone == ""


def test_child_that_ends_during_the_pass_is_left_out() -> None:
    """Between the walk through the process table and the look at the child."""
    family = Family()
    around = Surroundings(Pace(), family, ALL, figures.boot_time())
    with subprocess.Popen(["sleep", "300"]) as child:
        family.look(figures.now())
        assert (child.pid, os.getpid()) in family.descendants(os.getpid())
        child.kill()
    usage = Look(around, os.getpid(), None).usage("me")
    assert child.pid not in {row.pid for row in usage.children}
    assert usage.gone == ""


def test_child_that_has_another_parent_by_now_is_left_out() -> None:
    """Whose parent has ended during the pass is another's, and known as such at the next."""
    probe = Probe()
    with running("family") as (pid, told):
        child, grandchild = map(int, told.split())
        family = Family()
        family.look(figures.now())
        os.kill(child, 9)
        wait_until(lambda: subjects.status(grandchild)["PPid"] != str(child), 5.0)
        around = Surroundings(Pace(), family, BRIEF, figures.boot_time())
        assert Look(around, pid, None).usage("one").processes == 1  # the child, dead and not reaped
        assert probe.sample({"one": pid}, BRIEF)["one"].processes == 1
        family.look(figures.now())
        assert [each for each, _ in family.descendants(pid)] == [child]


def test_samples_taken_while_processes_end_raise_nothing() -> None:
    """Whatever moment each chooses."""
    probe = Probe()
    for _ in range(10):
        ending = [subprocess.Popen(["sh", "-c", "sleep 0.01 & exit"]) for _ in range(10)]
        pids = {f"s{each.pid}": each.pid for each in ending}
        while any(each.poll() is None for each in ending):
            assert probe.sample(pids, ALL).keys() == pids.keys()
        assert all(each.gone for each in probe.sample(pids, BRIEF).values())


@pytest.fixture
def next_pid() -> Path:
    """The file that says which pid comes next; only root may write it."""
    file = Path("/proc/sys/kernel/ns_last_pid")
    if os.geteuid() or not os.access(file, os.W_OK):
        pytest.skip("only root chooses pids")
    return file


def test_pid_that_came_again_gets_nothing_of_its_predecessor(next_pid: Path) -> None:
    """Another service in a process with the same pid has spent nothing yet, as far as anybody knows."""
    probe = Probe()
    with running("threads") as (pid, _):
        before = probe.sample({"one": pid}, BRIEF)["one"]

    def again() -> subprocess.Popen[str] | None:
        next_pid.write_text(str(pid - 1))
        command = [sys.executable, subjects.__file__, "spin"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if process.pid == pid:
            return process
        process.kill()
        process.communicate()
        return None

    process = wait_until(again, 20.0, "the same pid")
    with process:
        try:
            spend(pid, subjects.TICKS // 4)
            other = probe.sample({"two": pid, "one": pid}, BRIEF)["two"]
        finally:
            process.kill()
    assert other.create_time > before.create_time
    assert other.cpu_seconds > before.cpu_seconds
    assert other.cpu_percent == 0.0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_what_may_not_be_read_is_named() -> None:
    """Another user's process: memory and CPU are everybody's business, its files are not."""
    code = (
        "import sys, os\n"
        "sys.path[:0] = {path!r}\n"
        "import msgspec, psutil\n"
        "from context_bus.process.probe import Probe\n"
        "from context_bus.process import lists\n"
        "from context_bus.process.usage import Options\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "usage = Probe().sample({{'one': {pid}}}, Options(True, True, True, True))['one']\n"
        "sys.stdout.buffer.write(msgspec.json.encode(usage))\n"
    )
    with running("threads") as (pid, _):
        script = code.format(path=[each for each in sys.path if each], pid=pid)
        told = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    usage = msgspec.json.decode(told, type=Usage)
    assert usage.gone == ""
    assert usage.rss > 1.0
    assert {"opened_files", "memory_map"} <= set(usage.denied)
    assert usage.opened_files == ()


def test_services_of_one_process_say_that_they_share_it() -> None:
    """Each is shown with the figures of all."""
    probe = Probe()
    me = os.getpid()
    for _ in range(2):
        one, two = probe.sample({"one": me, "two": me}, BRIEF).values()
        assert (one.serviceId, two.serviceId) == ("one", "two")
        assert (one.sharers, two.sharers) == (2, 2)
        assert one.rss == two.rss
        assert one.cpu_percent == two.cpu_percent


def test_nothing_stays_open_or_remembered_of_processes_that_end() -> None:
    """Thousands of services later there are as many descriptors and readings as before."""
    probe, held = Probe(), len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with subprocess.Popen(["sleep", "300"]) as process:
            probe.sample({"one": process.pid, "me": os.getpid()}, ALL)
            process.kill()
        probe.sample({"one": process.pid}, ALL)
    assert len(os.listdir("/proc/self/fd")) == held
    assert len(probe._pace) <= 2


def test_lists_are_there_only_if_asked_for() -> None:
    """Names, order and units of old; and a JSON without them where nobody wants them."""
    usage = look(os.getpid(), ALL)
    assert isinstance(usage.memory_map, tuple)
    assert [next(iter(field)) for field in usage.memory_map[0]][:4] == ["path", "rss", "size", "pss"]
    encoded = msgspec.json.decode(msgspec.json.encode(look(os.getpid(), BRIEF)))
    assert encoded.keys().isdisjoint({"memory_map", "connections", "opened_files", "gone", "denied"})
    assert encoded.keys() >= {
        "serviceId", "status", "rss", "vms", "percent", "children", "total", "elapsed", "timestamp",
        "cpu_percent", "threads", "descriptors",
    }  # fmt: skip
