from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from context_bus.process import tree
from context_bus.process.tree import Identity


def test_table_holds_this_process_and_its_parent() -> None:
    """One walk finds everybody, with the right parents."""
    table = tree.read_table()
    assert table[os.getpid()].parent == os.getppid()
    assert os.getpid() in {row.pid for row in tree.descendants([os.getppid()], table)}


def test_row_survives_a_name_with_brackets() -> None:
    """A process may call itself anything; what counts stands after the last bracket."""
    name = Path("/proc/self/comm")
    before = name.read_text()
    name.write_text("a) R 1 (b")
    try:
        row = tree.read_row(os.getpid())
    finally:
        name.write_text(before)
    assert row is not None
    assert (row.pid, row.parent, row.session) == (os.getpid(), os.getppid(), os.getsid(0))


def test_signal_does_not_reach_a_later_process_with_the_same_pid() -> None:
    """A pid with another start time is another process."""
    with subprocess.Popen(["sleep", "300"]) as process:
        true = tree.identify(process.pid)
        assert true is not None
        assert not tree.send_signal(Identity(true.pid, true.ticks - 1), signal.SIGKILL)
        assert tree.is_alive(true)
        assert tree.send_signal(true, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not tree.send_signal(true, signal.SIGKILL)
    assert not tree.is_alive(true)


def test_descendants_are_found_at_any_depth() -> None:
    """Grandchildren count, the process itself does not."""
    with subprocess.Popen(
        ["sh", "-c", "sleep 300 & echo $!; wait"], stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdout is not None
        grandchild = int(shell.stdout.readline())
        found = [row.pid for row in tree.descendants([shell.pid], tree.read_table())]
        os.kill(grandchild, signal.SIGTERM)
    assert found == [grandchild]


def test_process_that_is_not_there_has_no_row() -> None:
    """Nobody has the highest pid there is plus one."""
    nobody = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    assert tree.read_row(nobody) is None
    assert tree.identify(nobody) is None


def test_waiting_for_the_end_counts_a_zombie_as_gone() -> None:
    """Nobody has to reap a process for it to be gone; one that runs on is named when the time is up."""
    with subprocess.Popen(["sleep", "300"]) as lasting, subprocess.Popen(["sleep", "300"]) as ended:
        os.kill(ended.pid, signal.SIGKILL)
        identities = [tree.identify(lasting.pid), tree.identify(ended.pid)]
        known = [one for one in identities if one is not None]
        assert tree.wait_gone(known[1:], 5.0) == []
        assert [one.pid for one in tree.wait_gone(known, 0.05)] == [lasting.pid]
        assert "sleep 300" in tree.command_line(lasting.pid)
        os.kill(lasting.pid, signal.SIGKILL)
    assert tree.command_line(lasting.pid) == ""
