"""A world for the engine without processes: children are rows, time is a number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from context_bus.config.model import (
    Action,
    ContextConf,
    ServiceType,
    TaskServiceConf,
    Transition,
    Trigger,
)
from context_bus.config.supervision import Condition, Requirement, Restart, RestartWhen, Supervision
from context_bus.context.commands import Answer, AnswerKind
from context_bus.context.engine import Engine
from context_bus.context.events import (
    ChildExited,
    ChildSpawned,
    CommandReceived,
    DeadlineReached,
    Ending,
    Event,
    Key,
    Order,
    ReplyTo,
    Reported,
)
from context_bus.context.instructions import (
    EndChild,
    Finish,
    Instruction,
    PublishProcess,
    PublishReport,
    SendAnswer,
    SetTimer,
    SpawnChild,
    TellService,
    Trace,
)
from context_bus.context.member import Limits, Member
from context_bus.context.states import State
from context_bus.context.trace import TransitionFired

TX = "T1"
T = TypeVar("T")


def service(service_id: str, state_type: str = "on_start", **transitions: tuple[str, str]) -> TaskServiceConf:
    """A service whose transitions are given as ``on_exit=("start", "b,c")``."""
    return TaskServiceConf(
        id=service_id,
        instance=service_id.title(),
        service_name=f"name_{service_id}",
        state_type=state_type,
        transitions=tuple(
            Transition(Trigger(trigger), Action(action), tuple(call.split(",")))
            for trigger, (action, call) in transitions.items()
        ),
        configuration={"device_action": f"does_{service_id}"},
    )


def kept(
    conf: TaskServiceConf,
    *,
    requires: str = "",
    condition: str = "ready",
    **changes: object,
) -> TaskServiceConf:
    """The same service with a supervision: fields of `Supervision`, and the ids it requires."""
    needs = tuple(Requirement(each, Condition(condition)) for each in requires.split(",") if each)
    return replace(conf, supervision=replace(Supervision(), requires=needs, **changes))  # type: ignore[arg-type]


def restarting(policy: str = "on_failure", **changes: float) -> Restart:
    """A restart policy without jitter."""
    return Restart(RestartWhen(policy), jitter=0.0, **changes)  # type: ignore[arg-type]


def program(service_id: str) -> TaskServiceConf:
    """A service that is any program."""
    return TaskServiceConf(
        service_id, "", service_id, service_type=ServiceType.COMMAND, command=("sleep", "300")
    )


def context(*services: TaskServiceConf) -> ContextConf:
    """A context of these services."""
    return ContextConf(
        front_end_endpoint="tcp://127.0.0.1:5556",
        backend_endpoint="tcp://127.0.0.1:5557",
        front_bind="tcp://127.0.0.1:5557",
        backend_bind="tcp://127.0.0.1:5556",
        task_log_name="Sim",
        services=services,
    )


@dataclass
class Child:
    """A process that exists as long as it is listed."""

    spawn: SpawnChild
    pid: int
    told: list[str] = field(default_factory=list)
    killed: bool = False
    is_known: bool = False

    @property
    def sender(self) -> str:
        return f"sender.{self.pid}"


class Sim:
    """Runs an engine and keeps the children it asks for."""

    def __init__(self, *services: TaskServiceConf, limits: Limits | None = None) -> None:
        self.engine = Engine(context(*services), limits, rng=lambda: 0.5, wall=self.wall)
        self.wall_offset = 1_700_000_000.0 - 1000.0
        self.now = 1000.0
        self.children: dict[Key, Child] = {}
        self.log: list[Instruction] = []
        self.timers: list[SetTimer] = []
        self._pid = 100

    def wall(self, now: float) -> float:
        """The clock on the wall, which somebody may set."""
        return now + self.wall_offset

    # -- driving -------------------------------------------------------------------------------

    def send(self, event: Event) -> list[Instruction]:
        """Feed an event and do what comes of it."""
        out = self.engine.handle(event, self.now)
        self.log += out
        for instruction in out:
            match instruction:
                case SpawnChild(key=key):
                    assert key not in self.children, f"{key} has two processes"
                    self._pid += 1
                    self.children[key] = Child(instruction, self._pid)
                case TellService(key=key, action=action):
                    if self._is_there(key):
                        self.children[key].told.append(action)
                case EndChild(key=key):
                    if self._is_there(key):
                        self.children[key].killed = True
                case SetTimer():
                    self.timers.append(instruction)
        return out

    def _is_there(self, key: Key) -> bool:
        """A process may be gone while its last report is awaited; otherwise it must be there."""
        assert key in self.children or self.member(key.service_id, key.transaction).gone is not None
        return key in self.children

    def command(
        self,
        action: str,
        *ids: str,
        tx: str = TX,
        confs: Iterable[TaskServiceConf] = (),
        context_id: str = "context001",
        name: str = "context",
        reply: str = "",
    ) -> list[Instruction]:
        """A command naming services by id, by definition, or none."""
        orders = tuple(Order(each) for each in ids) + tuple(Order(conf.id, conf) for conf in confs)
        return self.send(CommandReceived(action, tx, context_id, orders, name, ReplyTo(reply, reply)))

    def child(self, service_id: str, tx: str = TX) -> Child:
        return self.children[Key(tx, service_id)]

    def spawned(self, service_id: str, tx: str = TX) -> None:
        child = self.child(service_id, tx)
        child.is_known = True
        self.send(ChildSpawned(child.spawn.key, child.spawn.incarnation, child.pid))

    def report(
        self, service_id: str, action: str, result: str = "success", tx: str = TX, reason: str = ""
    ) -> None:
        """The present process of a service reports."""
        child = self.child(service_id, tx)
        self.send(Reported(tx, service_id, action, result, child.pid, child.sender, reason))

    def up(self, *ids: str, tx: str = TX) -> None:
        """Processes come up and report what they were told to."""
        for each in ids:
            self.spawned(each, tx)
            run = self.child(each, tx).spawn.run_now or "start" in self.child(each, tx).told
            self.report(each, "started" if run else "created", tx=tx)

    def start(self, *ids: str, tx: str = TX) -> None:
        """Start services and bring them up."""
        self.command("start", *ids, tx=tx)
        self.up(*(ids or [key.service_id for key in self.children if key.transaction == tx]), tx=tx)

    def gone(
        self,
        service_id: str,
        ending: str = "",
        *,
        tx: str = TX,
        commanded: bool = False,
        reason: str = "",
        code: int | None = None,
        signal: int = 0,
    ) -> None:
        """A process is gone, without another word on the bus."""
        if not self.child(service_id, tx).is_known:
            self.spawned(service_id, tx)  # as a shell does, which cannot lose what it has not made
        child = self.children.pop(Key(tx, service_id))
        key, number = child.spawn.key, child.spawn.incarnation
        self.send(ChildExited(key, number, Ending(ending), commanded, reason, "", code, signal))

    def ends(self, service_id: str, action: str = "stopped", *, tx: str = TX, reason: str = "") -> None:
        """A process says its last word and is gone."""
        result = "failure" if action == "failed" else "success"
        commanded = "stop" in self.child(service_id, tx).told
        self.report(service_id, action, result, tx=tx, reason=reason)
        self.gone(
            service_id, action, tx=tx, commanded=commanded, reason=reason, code=1 if action == "failed" else 0
        )

    def pass_time(self, seconds: float) -> None:
        """Let time pass and deadlines with it."""
        until = self.now + seconds
        while due := [timer for timer in self.timers if timer.at <= until]:
            timer = min(due, key=lambda each: each.at)
            self.timers.remove(timer)
            self.now = max(self.now, timer.at)
            self.send(DeadlineReached(timer.key, timer.incarnation, timer.timer))
        self.now = until

    # -- looking -------------------------------------------------------------------------------

    def member(self, service_id: str, tx: str = TX) -> Member:
        found = self.engine.table.find(Key(tx, service_id))
        assert found is not None
        return found

    def state(self, service_id: str, tx: str = TX) -> State:
        return self.member(service_id, tx).state

    def every(self, kind: type[T]) -> list[T]:
        return [each for each in self.log if isinstance(each, kind)]

    def traces(self, kind: type[T]) -> list[T]:
        return [each.event for each in self.every(Trace) if isinstance(each.event, kind)]

    def fired(self) -> list[tuple[str, str, str, str]]:
        """Transitions that had an effect."""
        return [
            (each.source, str(each.trigger), str(each.action), each.target)
            for each in self.traces(TransitionFired)
            if not each.note
        ]

    def frames(self) -> list[tuple[str, str, str]]:
        """What the provider published of its services: topic, verb, id."""
        found = []
        for each in self.log:
            if isinstance(each, PublishProcess):
                found.append(("process", each.action, each.key.service_id))
            if isinstance(each, PublishReport):
                found.append(("control", each.action, each.key.service_id))
        return found

    def answers(self, request: str) -> list[tuple[AnswerKind, Answer]]:
        return [
            (each.kind, each.answer) for each in self.every(SendAnswer) if each.reply.request_id == request
        ]

    def kinds(self, request: str) -> list[str]:
        """Kinds of the answers to a request, progress left out."""
        return [str(kind) for kind, _ in self.answers(request) if kind is not AnswerKind.PROGRESS]

    def final(self, request: str) -> dict[str, tuple[str, str]]:
        """Result and reason for each service in the last answer."""
        kind, answer = self.answers(request)[-1]
        assert kind.is_final
        return {row.service_id: (row.result, row.reason) for row in answer.services}

    def is_finished(self) -> bool:
        return bool(self.every(Finish))


def quick(**changes: float) -> Limits:
    """The usual limits but for some."""
    return replace(Limits(), **changes)  # type: ignore[arg-type]
