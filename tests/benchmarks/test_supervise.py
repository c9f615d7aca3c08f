"""The harness of the supervision benchmark works on the smallest system there is, so that it cannot rot."""

from __future__ import annotations

import os

import pytest

from context_bus.testing.wait import wait_until
from tests.benchmarks import supervise_looks as looks
from tests.benchmarks.supervise import GROUPS, OWN, chosen, measure
from tests.benchmarks.supervise_findings import QUICK, Finding, ratio, table
from tests.benchmarks.supervise_rows_speed import kill_and_await
from tests.benchmarks.supervise_systems import BareSystem
from tests.benchmarks.supervise_trial import sleeping

PATIENCE = 30.0


def test_a_killed_sleeper_is_seen_to_be_replaced() -> None:
    """One ``sleep`` under the bare floor: found, killed, found again with another pid, asked for, ended."""
    with sleeping(BareSystem, 1) as life:
        (first,) = life.finder.all_living()
        assert looks.parent(first) == life.daemon.pid
        assert life.daemons() == {life.daemon.pid}
        assert kill_and_await(life, 0, PATIENCE) > 0
        (second,) = life.finder.all_living()
        assert second != first
        assert life.raw.ask("status_all", count=3)
        life.run("stop", 0, lambda: not looks.is_alive(second))
        assert life.ask_state() == "False"
        life.run("start", 0, life.finder.all_living)
        (third,) = life.finder.all_living()
        taken, left = life.down()
        assert taken is not None
        assert not left
        wait_until(lambda: not looks.is_alive(third), PATIENCE, "the sleeper is gone")


def test_a_trial_leaves_nothing_behind() -> None:
    """A killed system's programs are found and killed at the end of the trial."""
    with sleeping(BareSystem, 2) as life:
        orphans = life.finder.all_living()
        life.kill_daemon()
        assert all(map(looks.is_alive, orphans))
    assert not any(map(looks.is_alive, orphans))
    assert not life.work.exists()


def test_what_a_process_costs_is_read_from_the_kernel() -> None:
    """Our own time on a processor grows, and our memory is some."""
    before = looks.cost({os.getpid()})
    sum(number * number for number in range(200_000))
    after = looks.cost({os.getpid()})
    assert after.cpu > before.cpu
    assert after.rss >= after.pss > 1
    assert after.descriptors > 2


def test_a_row_that_cannot_be_measured_says_why() -> None:
    """A command that fails does not end the run."""

    class Mute(BareSystem):
        """Cannot be launched."""

        def launch(self) -> list[str]:
            return ["false"]

    (group,) = (group for group in GROUPS if group.key == "idle")
    (finding,) = measure(group, Mute, QUICK)
    assert "0 of 200 came up" in finding.word


def test_a_table_compares_ours_with_the_best_peer() -> None:
    """Less is better unless the finding says otherwise; words are not compared, the floor is no peer."""
    found = {
        "bare": [Finding("s", (1.0,))],
        "a": [Finding("s", (4.0, 6.0, 9.0)), Finding("rate", (10.0,), more_is_better=True)],
        "b": [Finding("s", (12.0,)), Finding("rate", (40.0,), more_is_better=True)],
        "c": [Finding("s", word="never")],
        "ours": [Finding("s", (3.0,)), Finding("rate", (20.0,), more_is_better=True)],
    }
    assert table(found, ["ours"]) == [
        "|  | bare | a | b | c | ours | ours / best peer |",
        "|---|---:|---:|---:|---:|---:|---:|",
        "| s | 1.00 | 6.00 / 9.00 | 12.00 | never | 3.00 | 0.50 |",
        "| rate |  | 10.00 | 40.00 |  | 20.00 | 0.50 |",
    ]
    assert ratio(Finding("s", word="never"), [Finding("s", (1.0,))]) == ""


def test_names_on_the_command_line_are_checked() -> None:
    """An unknown row or system is named together with those that exist."""
    assert chosen("ours, bare", [kind.name for kind in OWN], "system") == ["bare", "ours"]
    with pytest.raises(SystemExit, match="no row nope; there are launch, idle"):
        chosen("nope", ["launch", "idle"], "row")
