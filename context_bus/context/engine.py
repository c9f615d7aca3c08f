"""The context provider's mind: events in, instructions out. Pure.

Knows the file, the transactions and their services; must not know sockets, processes or clocks: time
comes in as ``now`` and whatever is to be done comes out as an instruction. A shell carries them out
and comes back with events. Nothing here waits, and no command is refused for being busy.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from context_bus.config.model import Action, ContextConf
from context_bus.context.commands import ALL, AnswerKind, ServiceAnswer
from context_bus.context.events import (
    ChildExited,
    ChildFrozen,
    ChildSpawned,
    ClockSet,
    CommandReceived,
    DeadlineReached,
    Event,
    Key,
    LeaveAsked,
    LifeLost,
    Order,
    ProbeAnswered,
    ProcessSeen,
    Reported,
    RestartAsked,
    SpawnFailed,
    StateAsked,
)
from context_bus.context.firing import Firing
from context_bus.context.gating import Gates
from context_bus.context.happenings import Happenings
from context_bus.context.instances import base_of
from context_bus.context.instructions import Broadcast, Finish, Instruction, Remember, SendRecord, Trace
from context_bus.context.jobs import Job, Jobs
from context_bus.context.member import Limits, Member
from context_bus.context.states import ALIVE, BROKEN, DOWN, PENDING, State
from context_bus.context.steps import Steps
from context_bus.context.stops import Stops
from context_bus.context.table import Table
from context_bus.context.trace import CommandHeard, ProviderLeaving, ServiceReported
from context_bus.context.validation import refuse_command, refuse_service
from context_bus.context.wishes import Wishes
from context_bus.service.reports import Report

EXIT = "exit"
#: What can happen to one process of a service.
ChildEvent = (
    ChildSpawned | SpawnFailed | ChildExited | ChildFrozen | ProbeAnswered | LifeLost | DeadlineReached
)


class Engine:
    """Decides for one context.

    Args:
        conf: The context file; its services are known to every transaction.
        limits: Deadlines and bounds.
        rng: Gives the numbers in [0, 1) by which delays vary.
        wall: Turns ``now`` into seconds since the epoch.
    """

    def __init__(
        self,
        conf: ContextConf,
        limits: Limits | None = None,
        *,
        rng: Callable[[], float] = random.random,
        wall: Callable[[float], float] = lambda now: now,
    ) -> None:
        self._out: list[Instruction] = []
        self._leaving = ""
        self._finished = False
        self._wall = wall
        self.table = Table(conf, rng, wall)
        limits = limits or Limits()
        self._jobs = Jobs(self._out.append)
        self._firing = Firing(self._out.append, self.table.find_or_define, limits)
        self._steps = Steps(self._out.append, self._jobs, limits)
        self._gates = Gates(self._steps, self.table, wall)
        self._wishes = Wishes(self._steps, self._gates)
        self._stops = Stops(self._wishes)
        self._happenings = Happenings(self._steps, self._gates, self._fire)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take in what happened.

        Args:
            event: What happened.
            now: When, on the clock that also times the deadlines.

        Returns:
            What to do, in order.
        """
        self._steps.now = now
        match event:
            case CommandReceived():
                self._command(event, now)
            case ProcessSeen():
                self._process(event, now)
            case StateAsked():
                self._query(event)
            case RestartAsked():
                self._restart_instances(event, now)
            case LeaveAsked():
                self._leave(event.reason, now)
            case Reported():
                self._report(event, now)
            case ClockSet():
                self._gates.clock_set(now)
            case _:
                self._child(event, now)
        self._let_go(now)
        self._finish_if_empty()
        return self._take_out()

    def _let_go(self, now: float) -> None:
        """See who waited for what has changed; that changes more, until all is said."""
        looked: dict[Key, Member] = {}
        while self._steps.touched:
            looked |= self._steps.touched
            self._steps.touched = {}
            self._stops.release(now)
            self._gates.release(now, self._happenings.blocked)
        self._steps.touched = looked

    def _take_out(self) -> list[Instruction]:
        """What to do: first what is to be remembered, so that nothing is done that would be forgotten."""
        now, wall = self._steps.now, self._wall(self._steps.now)
        remembered = [
            Remember(
                member.key,
                member.conf,
                member.is_wanted,
                str(member.state),
                member.restarts.to_memory(now, wall),
                member.reason,
            )
            for member in self._steps.touched.values()
        ]
        instructions = [*remembered, *self._out]
        self._steps.touched.clear()
        self._out.clear()
        return instructions

    @property
    def is_leaving(self) -> bool:
        """Whether the end has begun."""
        return bool(self._leaving)

    # -- commands ------------------------------------------------------------------------------

    def _command(self, command: CommandReceived, now: float) -> None:
        named = tuple(order.service_id for order in command.orders)
        self._out.append(Trace(CommandHeard(command.action, command.transaction, named)))
        job = Job(command.action, command.transaction, command.reply)
        if command.action == EXIT:
            self._exit(job, now)
            return
        refusal = self._refuse(command)
        if refusal:
            self._jobs.refuse(job, refusal)
            return
        action = Action(command.action)
        orders = self._orders(action, command)
        if not orders and action is not Action.STOP:
            self._jobs.refuse(job, f"nothing to {action}: neither the command nor the file names a service")
            return
        targets = [(Key(command.transaction, order.service_id), order) for order in orders]
        rows = [(key, self._verdict(action, key, order)) for key, order in targets]
        if action is not Action.STOP and any(row.result == AnswerKind.ACCEPTED for _, row in rows):
            self.table.open(command.transaction, command.context_id, command.service_name)
            self._out.append(Broadcast(command.transaction))
        self._jobs.accept(job, rows)
        self._carry_out(action, job, targets, now)

    def _refuse(self, command: CommandReceived) -> str:
        if command.action not in set(Action):
            return f"unknown action '{command.action}'; expected start, stop, restart or exit"
        if self._leaving:
            return f"the provider is leaving: {self._leaving}"
        return refuse_command(
            Action(command.action),
            transaction=command.transaction,
            is_known=command.transaction in self.table,
            context_id=command.context_id,
            known_ids=self.table.context_ids,
        )

    def _orders(self, action: Action, command: CommandReceived) -> tuple[Order, ...]:
        """The services a command is for, each once; those it names, or every one that is meant."""
        known = [Order(member.key.service_id) for member in self.table.members(command.transaction)]
        everyone = command.service_name == ALL and action is not Action.START
        if command.orders and not (everyone and known):
            return self._instances(command.transaction, command.orders)
        in_file = [Order(conf.id) for conf in self.table.conf.services]
        if action is Action.START or not known:
            known += in_file if action is not Action.STOP else []
        return self._instances(command.transaction, known)

    def _instances(self, transaction: str, orders: Iterable[Order]) -> tuple[Order, ...]:
        """One order for each instance of the services that are named."""
        found: dict[str, Order] = {}
        for order in orders:
            for service_id in self.table.instance_ids(transaction, order.service_id, order.conf):
                found[service_id] = replace(order, service_id=service_id)
        return tuple(found.values())

    def _verdict(self, action: Action, key: Key, order: Order) -> ServiceAnswer:
        member = self.table.find(key)
        state = member.state if member else None
        # What cannot be taken as a definition can still be stopped by its id.
        reason = order.refusal if action is not Action.STOP else ""
        reason = reason or refuse_service(action, order.service_id, state)
        if (
            not reason
            and member is None
            and order.conf is None
            and self.table.conf.service(base_of(order.service_id)) is None
        ):
            reason = f"service {order.service_id} is in neither the command nor the file"
        kind = AnswerKind.REJECTED if reason else AnswerKind.ACCEPTED
        pid = member.pid if member else None
        return ServiceAnswer(order.service_id, str(state or ""), str(kind), reason, pid)

    def _carry_out(
        self,
        action: Action,
        job: Job,
        targets: Iterable[tuple[Key, Order]],
        now: float,
        *,
        is_seen: bool = False,
    ) -> None:
        stopped: list[Member] = []
        for key, order in targets:
            if key not in job.pending:
                continue
            conf = order.conf
            member = self.table.find(key)
            if member is None:
                conf = conf or self.table.conf.service(base_of(order.service_id))
                assert conf is not None  # the verdict saw to it
                member = self.table.define(key, conf)
            conf = conf and replace(conf, id=key.service_id)
            member.uncut()
            self._stops.call_off(member)
            if action is Action.START:
                # Who speaks to the service itself wants it to run, whatever its state type.
                run = True if is_seen else None
                self._wishes.start(member, now, run=run, conf=conf, job=job, announce=not is_seen)
            elif action is Action.STOP:
                stopped.append(member)
            else:
                self._wishes.restart(member, now, conf=conf, job=job)
            if action is not Action.STOP:
                self._start_needed(member, now)
        self._stops.stop(stopped, now, job, announce=not is_seen)

    def _start_needed(self, member: Member, now: float) -> None:
        """Start what a service requires and nobody has started."""
        if member.state is State.WAITING:
            for needed in self._gates.needed(member):
                needed.uncut()
                self._wishes.start(needed, now, run=True)
                self._start_needed(needed, now)

    def _process(self, event: ProcessSeen, now: float) -> None:
        """Obey a message to a service; it was on the bus already, so it is not announced again."""
        name = event.service_id or event.service_name
        self._out.append(Trace(CommandHeard(event.action, event.transaction, (name,), "process")))
        job = Job(event.action, event.transaction, event.reply)
        members = [member for member in self.table.members(event.transaction) if _is_meant(event, member)]
        if event.action not in set(Action):
            self._jobs.refuse(job, f"unknown action '{event.action}'; expected start, stop or restart")
        elif self._leaving:
            self._jobs.refuse(job, f"the provider is leaving: {self._leaving}")
        elif not members:
            self._jobs.refuse(job, f"service {name} is not known in transaction {event.transaction}")
        else:
            action = Action(event.action)
            targets = [(member.key, Order(member.key.service_id)) for member in members]
            self._jobs.accept(job, [(key, self._verdict(action, key, order)) for key, order in targets])
            self._carry_out(action, job, targets, now, is_seen=True)

    def _restart_instances(self, event: RestartAsked, now: float) -> None:
        for member in self.table.members():
            if member.conf.instance in event.instances and member.state in ALIVE | BROKEN | {State.BACKOFF}:
                member.uncut()
                self._wishes.restart(member, now)

    def _query(self, event: StateAsked) -> None:
        names = self.table.names()
        # Who names none means the only one; so a commander need not remember a generated name.
        transaction = event.transaction or (names[0] if len(names) == 1 else "")
        record = self.table.record(transaction)
        if event.action == "request" and record is not None:
            self._out.append(SendRecord(event.reply, transaction, record))
            return
        if event.action == "request":
            known = ", ".join(names) or "none yet"
            reason = f"transaction {event.transaction or '(none given)'} is not known here; known: {known}"
        else:
            reason = f"'{event.action}' is not answered by this provider; expected request"
        self._jobs.refuse(Job(event.action, event.transaction, event.reply), reason)

    # -- the end -------------------------------------------------------------------------------

    def _exit(self, job: Job, now: float) -> None:
        alive = [member for member in self.table.members() if member.state in ALIVE | PENDING]
        accepted = [(member.key, self._steps.row(member, AnswerKind.ACCEPTED)) for member in alive]
        self._jobs.accept(job, accepted)
        self._leave("exit", now, job)

    def _leave(self, reason: str, now: float, job: Job | None = None) -> None:
        if not self._leaving:
            self._leaving = reason
            self._firing.is_off = True
            self._out.append(Trace(ProviderLeaving(reason)))
        up = [member for member in self.table.members() if member.state not in DOWN - PENDING]
        self._stops.stop(up, now, job)

    def _finish_if_empty(self) -> None:
        if not self._leaving or self._finished:
            return
        if all(member.state in DOWN for member in self.table.members()):
            self._finished = True
            self._out.append(Finish(self._leaving))

    # -- what happens to services --------------------------------------------------------------

    def _report(self, report: Reported, now: float) -> None:
        member = self.table.find(Key(report.transaction, report.service_id))
        if member is None or member.state in DOWN:
            return
        if report.sender and not member.recognises(report):
            return
        if report.action not in {Report.CREATED, Report.STARTED, Report.STOPPED}:
            self._out.append(Trace(_shown(member, report)))
        if report.sender:
            self._happenings.reported(member, report, now)
        elif report.action == Report.UPDATED:
            # Made by hand, as older clients do: it may let transitions fire, but says nothing of the process.
            self._happenings.updated(member, report, now)

    def _child(self, event: ChildEvent, now: float) -> None:
        member = self.table.find(event.key)
        if member is None or member.incarnation != event.incarnation:
            return
        if isinstance(event, DeadlineReached):
            self._happenings.late(member, event.timer, now)
        elif member.state not in DOWN:
            self._process_event(member, event, now)

    def _process_event(self, member: Member, event: ChildEvent, now: float) -> None:
        match event:
            case ChildSpawned():
                self._happenings.spawned(member, event.pid, now)
            case SpawnFailed():
                self._happenings.unspawned(member, event.reason, now)
            case ChildExited():
                self._happenings.exited(member, event, now)
            case ChildFrozen():
                self._happenings.frozen(member, event.is_frozen)
            case ProbeAnswered():
                self._happenings.warming.answered(member, event.reason, now)
            case LifeLost():
                self._happenings.condemn(member, event.reason, now)

    def _fire(self, member: Member, action: str, result: str, commanded: bool, now: float) -> None:
        self._firing.fire(self._wishes, member, (action, result, commanded), now)


def _is_meant(event: ProcessSeen, member: Member) -> bool:
    """Whether a message to a service is for this one: by id, else by name; ``all`` is everybody's name."""
    if event.service_name == ALL:
        return True
    if event.service_id:
        return member.key.service_id == event.service_id
    return member.conf.service_name == event.service_name


def _shown(member: Member, report: Reported) -> ServiceReported:
    transaction, service_id = member.key
    name = member.conf.service_name
    return ServiceReported(transaction, service_id, name, report.action, report.result, report.status)
