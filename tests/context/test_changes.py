"""More or fewer instances, an edited file, and what a killed provider had running: without a process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from context_bus.config.model import TaskServiceConf
from context_bus.context.events import (
    CommandReceived,
    FileRead,
    Found,
    Key,
    Order,
    ReplyTo,
    Resumed,
)
from context_bus.context.instructions import Forget, ReadFile, SpawnChild
from context_bus.context.planning import Change, plan_reload
from context_bus.context.states import State
from tests.context.sim import TX, Child, Sim, context, kept, program, restarting, service


def _scale(sim: Sim, service_id: str, count: int, tx: str = TX) -> None:
    reply = ReplyTo("r", "r")
    sim.send(CommandReceived("scale", tx, "context001", (Order(service_id),), reply=reply, instances=count))


def _reload(sim: Sim, *services: TaskServiceConf, dry_run: bool = False) -> None:
    sim.send(FileRead(ReplyTo("r", "r"), dry_run, context(*services)))


def _plan(sim: Sim) -> dict[str, str]:
    _, answer = sim.answers("r")[-1]
    return {row.service_id: row.change for row in answer.plan}


def test_scale_up_starts_more() -> None:
    """Those that run are left alone."""
    sim = Sim(service("a"))
    sim.start("a")
    _scale(sim, "a", 3)
    for each in ("a#2", "a#3"):
        sim.up(each)
    assert sim.kinds("r") == ["accepted", "done"]
    assert sim.member("a").incarnation == 1


def test_scale_down_stops_the_last_and_forgets_them() -> None:
    """Highest numbers first; a later command does not find them."""
    sim = Sim(kept(service("a"), instances=3))
    sim.start("a", "a#2", "a#3")
    _scale(sim, "a", 1)
    assert [sim.child(each).told for each in ("a", "a#2", "a#3")] == [[], ["stop"], ["stop"]]
    for each in ("a#2", "a#3"):
        sim.ends(each)
    assert sim.kinds("r") == ["accepted", "done"]
    assert [each.key.service_id for each in sim.every(Forget)] == ["a#2", "a#3"]
    sim.command("stop", "a")
    assert [member.key.service_id for member in sim.engine.table.members(TX)] == ["a"]


def test_scale_up_again_while_it_goes_down() -> None:
    """Whatever is asked last is what is wanted."""
    sim = Sim(kept(service("a"), instances=2))
    sim.start("a", "a#2")
    _scale(sim, "a", 1)
    _scale(sim, "a", 2)
    sim.ends("a#2")
    assert not sim.every(Forget)


def test_scale_of_the_impossible_is_refused_in_words() -> None:
    """None, too many, nobody, nowhere."""
    sim = Sim(service("a"))
    sim.start("a")
    for service_id, count, tx, expected in (
        ("a", 0, TX, "expected 1 to 1000"),
        ("a", 1001, TX, "expected 1 to 1000"),
        ("z", 2, TX, "service z is not known"),
        ("a", 2, "T9", "transaction T9 is not known"),
    ):
        _scale(sim, service_id, count, tx)
        assert sim.kinds("r")[-1] == "rejected"
        assert expected in sim.answers("r")[-1][1].reason


def test_plan_tells_what_differs() -> None:
    """Each service once, with the reason."""
    a, b, c = service("a"), service("b"), program("c")
    old = context(a, b, c, service("gone"))
    new = context(
        a,
        replace(b, configuration={"device_action": "other"}),
        kept(c, instances=4),
        service("new"),
    )
    plan = plan_reload(old, new)
    assert {row.service_id: row.change for row in plan.rows} == {
        "a": Change.KEEP,
        "b": Change.RESTART,
        "c": Change.SCALE,
        "new": Change.ADD,
        "gone": Change.REMOVE,
    }
    assert [row.reason for row in plan.rows if row.service_id == "b"] == [
        "configuration differs in device_action"
    ]


def test_plan_refuses_other_endpoints() -> None:
    """They are the provider's own."""
    old = context(service("a"))
    plan = plan_reload(old, replace(old, front_bind="tcp://127.0.0.1:9"))
    assert "restart the provider" in plan.refusal


def test_dry_run_only_shows() -> None:
    """Nothing is touched."""
    sim = Sim(service("a"), service("b"))
    sim.start("a", "b")
    _reload(sim, service("a"), service("c"), dry_run=True)
    assert sim.kinds("r") == ["accepted", "done"]
    assert _plan(sim) == {"a": "keep", "c": "add", "b": "remove"}
    assert sorted(key.service_id for key in sim.children) == ["a", "b"]
    assert sim.child("b").told == []
    _reload(sim, service("a"), dry_run=True)
    assert _plan(sim) == {"a": "keep", "b": "remove"}


def test_reload_adds_removes_restarts_and_keeps() -> None:
    """The command waits for all of it."""
    sim = Sim(service("a"), service("b"), service("c"))
    sim.start("a", "b", "c")
    changed = replace(service("b"), configuration={"device_action": "other"})
    _reload(sim, service("a"), changed, service("d"))
    assert sim.child("a").told == []
    assert sim.child("b").told == ["stop"]
    assert sim.child("c").told == ["stop"]
    sim.up("d")
    sim.ends("b")
    assert sim.child("b").spawn.conf.configuration == {"device_action": "other"}
    sim.up("b")
    assert sim.kinds("r") == ["accepted"]
    sim.ends("c")
    assert sim.kinds("r") == ["accepted", "done"]
    assert [each.key.service_id for each in sim.every(Forget)] == ["c"]
    assert sim.member("a").incarnation == 1


def test_reload_leaves_what_was_stopped_stopped() -> None:
    """A changed definition is taken up at the next start, not by starting."""
    sim = Sim(service("a"), service("b"))
    sim.start("a", "b")
    sim.command("stop", "b")
    sim.ends("b")
    changed = kept(service("b"), restart=restarting("always"))
    _reload(sim, service("a"), changed)
    assert sim.kinds("r") == ["accepted", "done"]
    assert sim.state("b") is State.STOPPED
    sim.command("start", "b")
    assert sim.child("b").spawn.conf == changed


def test_reload_of_a_faulty_file_changes_nothing() -> None:
    """The faults are the answer."""
    sim = Sim(service("a"))
    sim.start("a")
    sim.send(FileRead(ReplyTo("r", "r"), False, None, "X.xml:3: broken"))
    assert sim.kinds("r") == ["rejected"]
    assert sim.answers("r")[-1][1].reason == "X.xml:3: broken"


def test_reload_command_asks_for_the_file() -> None:
    """Reading is not for a mind to do."""
    sim = Sim(service("a"))
    reply = ReplyTo("r", "r")
    sim.send(CommandReceived("reload", "", "", reply=reply, dry_run=True))
    assert sim.every(ReadFile) == [ReadFile(reply, True)]


def test_resume_brings_back_what_was_wanted_and_nothing_else() -> None:
    """A manual stop is remembered; what only waited waits again."""
    sim = Sim(service("a"), service("b"), service("c", "deferred"), service("d", "deferred"))
    sim.send(
        Resumed(
            ((TX, "context001", "context"),),
            (
                Found(Key(TX, "a"), True, "started"),
                Found(Key(TX, "b"), False, "stopped"),
                Found(Key(TX, "c"), True, "created"),
                Found(Key(TX, "d"), True, "updated"),
                Found(Key(TX, "ghost"), True, "started"),
            ),
        )
    )
    assert {key.service_id: child.spawn.run_now for key, child in sim.children.items()} == {
        "a": True,
        "c": False,
        "d": True,
    }
    assert sim.state("b") is State.DEFINED


@pytest.mark.parametrize("is_wanted", [False, True])
@pytest.mark.parametrize("state", ["stopping", "ending"])
def test_resume_ends_what_was_about_to_end(state: str, is_wanted: bool) -> None:
    """Who would have killed it after its grace is gone, so it is told again, and killed in the end."""
    sim, key = Sim(service("a")), Key(TX, "a")
    left = sim.children[key] = Child(SpawnChild(key, 3, service("a"), run_now=True), 4711)
    found = Found(key, is_wanted, state, None, None, "", 3, left.pid)
    sim.send(Resumed(((TX, "context001", "context"),), (found,)))
    assert left.told == ["stop"]
    sim.pass_time(10.0)
    assert left.killed


def test_resume_goes_on_counting_restarts() -> None:
    """A provider that is killed over and over does not give a hopeless service new chances for ever."""
    conf = kept(service("a"), restart=restarting(max_restarts=1))
    sim = Sim(conf)
    memory = {"number": 1, "streak": 1, "starts": [sim.wall(sim.now)], "fatal": ""}
    found = Found(Key(TX, "a"), True, "started", None, memory)  # type: ignore[arg-type]
    sim.send(Resumed(((TX, "context001", "context"),), (found,)))
    sim.gone("a", code=1)
    assert sim.state("a") is State.FATAL


def test_resume_brings_back_instances_and_what_a_command_defined() -> None:
    """Neither stands in the file."""
    sim = Sim(service("a"))
    other = service("z")
    sim.send(
        Resumed(
            ((TX, "context001", "context"),),
            (
                Found(Key(TX, "a"), True, "started"),
                Found(Key(TX, "a#2"), True, "started"),
                Found(Key(TX, "z"), True, "started", other),
            ),
        )
    )
    assert sorted(key.service_id for key in sim.children) == ["a", "a#2", "z"]
    sim.command("stop", "a")
    assert sim.child("a#2").told == ["stop"]
