"""Commands: who may be commanded, who is meant, and what is wanted of each. Pure.

Knows the table, the wishes and the validation; must not know how a command travels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import msgspec

from context_bus.config.model import Action
from context_bus.context.changes import RELOAD, SCALE, Changes
from context_bus.context.commands import ALL, AnswerKind, ServiceAnswer
from context_bus.context.events import CommandReceived, Key, Order, ProcessSeen, RestartAsked
from context_bus.context.instances import base_of
from context_bus.context.instructions import Broadcast, Instruction, Trace
from context_bus.context.jobs import Job, Jobs
from context_bus.context.member import Member
from context_bus.context.states import ALIVE, BROKEN, State
from context_bus.context.stops import Stops
from context_bus.context.table import Table
from context_bus.context.trace import CommandHeard
from context_bus.context.validation import refuse_command, refuse_service
from context_bus.context.wishes import Wishes


@dataclass(frozen=True, slots=True)
class Means:
    """What commands are carried out with."""

    put: Callable[[Instruction], None]
    table: Table
    jobs: Jobs
    wishes: Wishes
    stops: Stops
    changes: Changes


class Commanding:
    """Obeys commands, or says why not.

    Args:
        means: What they are carried out with.
    """

    def __init__(self, means: Means) -> None:
        self._put, self._table, self._jobs = means.put, means.table, means.jobs
        self._wishes, self._stops, self._changes = means.wishes, means.stops, means.changes
        #: Why the provider ends; empty while it does not.
        self.leaving = ""

    def command(self, command: CommandReceived, now: float) -> None:
        """Obey a command on topic ``context``."""
        named = tuple(order.service_id for order in command.orders)
        self._put(Trace(CommandHeard(command.action, command.transaction, named)))
        job = Job(command.action, command.transaction, command.reply)
        if command.action in {SCALE, RELOAD} and not self.leaving:
            self._change(command, now)
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
            self._table.open(command.transaction, command.context_id, command.service_name)
            self._put(Broadcast(command.transaction))
        self._jobs.accept(job, rows)
        self._carry_out(action, job, targets, now)

    def _change(self, command: CommandReceived, now: float) -> None:
        if command.action == SCALE:
            self._changes.scale(command, now)
        else:
            self._changes.reload(command.reply, command.dry_run)

    def _refuse(self, command: CommandReceived) -> str:
        if command.action not in set(Action):
            return f"unknown action '{command.action}'; expected start, stop, restart, scale, reload or exit"
        if self.leaving:
            return f"the provider is leaving: {self.leaving}"
        return refuse_command(
            Action(command.action),
            transaction=command.transaction,
            is_known=command.transaction in self._table,
            context_id=command.context_id,
            known_ids=self._table.context_ids,
        )

    def _orders(self, action: Action, command: CommandReceived) -> tuple[Order, ...]:
        """The services a command is for, each once; those it names, or every one that is meant."""
        known = [Order(member.key.service_id) for member in self._table.members(command.transaction)]
        everyone = command.service_name == ALL and action is not Action.START
        if command.orders and not (everyone and known):
            return self._instances(command.transaction, command.orders)
        in_file = [Order(conf.id) for conf in self._table.conf.services]
        if action is Action.START or not known:
            known += in_file if action is not Action.STOP else []
        return self._instances(command.transaction, known)

    def _instances(self, transaction: str, orders: Iterable[Order]) -> tuple[Order, ...]:
        """One order for each instance of the services that are named."""
        found: dict[str, Order] = {}
        for order in orders:
            for service_id in self._table.instance_ids(transaction, order.service_id, order.conf):
                found[service_id] = msgspec.structs.replace(order, service_id=service_id)
        return tuple(found.values())

    def _verdict(self, action: Action, key: Key, order: Order) -> ServiceAnswer:
        member = self._table.find(key)
        state = member.state if member else None
        # What cannot be taken as a definition can still be stopped by its id.
        reason = order.refusal if action is not Action.STOP else ""
        reason = reason or refuse_service(action, order.service_id, state)
        if (
            not reason
            and member is None
            and order.conf is None
            and self._table.conf.service(base_of(order.service_id)) is None
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
            member = self._table.find(key)
            if member is None:
                conf = conf or self._table.conf.service(base_of(order.service_id))
                assert conf is not None  # the verdict saw to it
                member = self._table.define(key, conf)
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
        self._stops.stop(stopped, now, job, announce=not is_seen)

    def process(self, event: ProcessSeen, now: float) -> None:
        """Obey a message to a service; it was on the bus already, so it is not announced again."""
        name = event.service_id or event.service_name
        self._put(Trace(CommandHeard(event.action, event.transaction, (name,), "process")))
        job = Job(event.action, event.transaction, event.reply)
        members = [member for member in self._table.members(event.transaction) if _is_meant(event, member)]
        if event.action not in set(Action):
            self._jobs.refuse(job, f"unknown action '{event.action}'; expected start, stop or restart")
        elif self.leaving:
            self._jobs.refuse(job, f"the provider is leaving: {self.leaving}")
        elif not members:
            self._jobs.refuse(job, f"service {name} is not known in transaction {event.transaction}")
        else:
            action = Action(event.action)
            targets = [(member.key, Order(member.key.service_id)) for member in members]
            self._jobs.accept(job, [(key, self._verdict(action, key, order)) for key, order in targets])
            self._carry_out(action, job, targets, now, is_seen=True)

    def restart_instances(self, event: RestartAsked, now: float) -> None:
        """Restart what stems from directories whose code was edited."""
        for member in self._table.members():
            if member.conf.instance in event.instances and member.state in ALIVE | BROKEN | {State.BACKOFF}:
                member.uncut()
                self._wishes.restart(member, now)


def _is_meant(event: ProcessSeen, member: Member) -> bool:
    """Whether a message to a service is for this one: by id, else by name; ``all`` is everybody's name."""
    if event.service_name == ALL:
        return True
    if event.service_id:
        return member.key.service_id == event.service_id
    return member.conf.service_name == event.service_name
