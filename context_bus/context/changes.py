"""Changes to what a context consists of while it runs: more or fewer instances, an edited file. Pure.

Knows the table and the wishes; must not know where an edited file came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from context_bus.config.model import ContextConf, TaskServiceConf
from context_bus.context.commands import AnswerKind, PlanRow, ServiceAnswer
from context_bus.context.events import CommandReceived, FileRead, Key, ReplyTo
from context_bus.context.instances import base_of, number_of
from context_bus.context.instructions import Forget, Instruction, ReadFile
from context_bus.context.jobs import Job, Jobs
from context_bus.context.member import Member
from context_bus.context.planning import Change, Plan, plan_reload
from context_bus.context.states import ALIVE, DOWN, PENDING
from context_bus.context.steps import Steps
from context_bus.context.stops import Stops
from context_bus.context.table import Table
from context_bus.context.wishes import Wishes

SCALE = "scale"
RELOAD = "reload"
#: Most instances of one service; more is a slip of the keyboard.
MAX_INSTANCES = 1000


class Changes:
    """Changes a context.

    Args:
        table: The context.
        steps: Takes the steps.
        wishes: Starts, restarts.
        stops: Stops.
        jobs: The commands in progress.
    """

    def __init__(self, table: Table, steps: Steps, wishes: Wishes, stops: Stops, jobs: Jobs) -> None:
        self._table, self._steps, self._wishes = table, steps, wishes
        self._stops, self._jobs = stops, jobs
        self._removed: list[Member] = []

    # -- instances -----------------------------------------------------------------------------

    def scale(self, command: CommandReceived, now: float) -> None:
        """Have so many instances of the services that a command names."""
        job = Job(SCALE, command.transaction, command.reply)
        bases = tuple(dict.fromkeys(base_of(order.service_id) for order in command.orders))
        if refusal := self._refuse_scale(command, bases):
            self._jobs.refuse(job, refusal)
            return
        added: list[Member] = []
        removed: list[Member] = []
        for base in bases:
            more, fewer = self._set_count(command.transaction, base, command.instances)
            added, removed = added + more, removed + fewer
        self._accept(job, [*added, *removed])
        self._start(added, now, job)
        self._remove(removed, now, job)

    def _refuse_scale(self, command: CommandReceived, bases: tuple[str, ...]) -> str:
        transaction = command.transaction
        if transaction not in self._table:
            return f"transaction {transaction or '(none given)'} is not known here; start it first"
        if not bases:
            return "scale names no service; give one, e.g. ts_100=3"
        if not 1 <= command.instances <= MAX_INSTANCES:
            remedy = f"expected 1 to {MAX_INSTANCES}; to have none, stop the service"
            return f"{command.instances} instances; {remedy}"
        unknown = [base for base in bases if self._conf_of(transaction, base) is None]
        return f"service {', '.join(unknown)} is not known in transaction {transaction}" if unknown else ""

    def _conf_of(self, transaction: str, base: str) -> TaskServiceConf | None:
        member = self._table.find(Key(transaction, base))
        return member.conf if member is not None else self._table.conf.service(base)

    def _set_count(self, transaction: str, base: str, count: int) -> tuple[list[Member], list[Member]]:
        """Change the number of instances; returns those that are new and those that are too many."""
        conf = self._conf_of(transaction, base)
        assert conf is not None
        was = [
            member for member in self._table.members(transaction) if base_of(member.key.service_id) == base
        ]
        self._table.scale(transaction, base, count)
        known = {member.key.service_id: member for member in was}
        new = []
        for service_id in self._table.instance_ids(transaction, base, conf):
            if service_id not in known:
                new.append(self._table.define(Key(transaction, service_id), conf))
            else:
                known[service_id].is_removed = False
        return new, [member for member in was if number_of(member.key.service_id) > count]

    # -- an edited file ------------------------------------------------------------------------

    def reload(self, reply: ReplyTo, dry_run: bool) -> None:
        """Ask for the file; what comes of it follows as an event."""
        self._steps.put(ReadFile(reply, dry_run))

    def file_read(self, event: FileRead, now: float) -> None:
        """Apply an edited file, or show what would be done."""
        job = Job(RELOAD, "", event.reply)
        if event.conf is None:
            self._jobs.refuse(job, event.faults)
            return
        plan = plan_reload(self._table.conf, event.conf)
        if plan.refusal:
            self._jobs.refuse(job, plan.refusal)
            return
        job.plan = tuple(PlanRow(row.service_id, str(row.change), row.reason) for row in plan.rows)
        if event.dry_run:
            self._jobs.accept(job, [])
            return
        self._apply(plan, event.conf, job, now)

    def _apply(self, plan: Plan, conf: ContextConf, job: Job, now: float) -> None:
        old, self._table.conf = self._table.conf, conf
        added: list[Member] = []
        restarted: list[tuple[Member, TaskServiceConf]] = []
        removed: list[Member] = []
        for row in plan.rows:
            service = conf.service(row.service_id)
            for transaction in self._table.names():
                found = self._from_file(transaction, row.service_id, old)
                if row.change is Change.ADD and service is not None:
                    added += self._define(transaction, service)
                elif row.change is Change.REMOVE:
                    removed += found
                elif row.change is Change.RESTART and service is not None:
                    restarted += [(member, service) for member in found]
                if row.change in {Change.SCALE, Change.RESTART} and found and service is not None:
                    more, fewer = self._set_count(transaction, service.id, service.supervision.instances)
                    added, removed = added + more, removed + fewer
        restarted = [(member, service) for member, service in restarted if member not in removed]
        up = [member for member, _ in restarted if member.state in ALIVE | PENDING]
        self._accept(job, [*added, *removed, *up])
        self._remove(removed, now, job)
        for member, service in restarted:
            self._redefine(member, service, now, job if member in up else None)
        self._start(added, now, job)

    def _from_file(self, transaction: str, base: str, old: ContextConf) -> list[Member]:
        """Instances of a service that are as the old file had them; what a command defined is not ours."""
        conf = old.service(base)
        if conf is None:
            return []
        return [
            member
            for member in self._table.members(transaction)
            if base_of(member.key.service_id) == base and replace(member.conf, id=base) == conf
        ]

    def _define(self, transaction: str, conf: TaskServiceConf) -> list[Member]:
        ids = self._table.instance_ids(transaction, conf.id, conf)
        keys = [Key(transaction, service_id) for service_id in ids]
        return [self._table.define(key, conf) for key in keys if self._table.find(key) is None]

    def _redefine(self, member: Member, conf: TaskServiceConf, now: float, job: Job | None) -> None:
        own = replace(conf, id=member.key.service_id)
        member.uncut()
        if job is not None:
            self._wishes.restart(member, now, conf=own, job=job)
        else:
            member.conf = own
            self._steps.touch(member)
        member.restarts = self._table.new_restarts(own)

    # -- both ----------------------------------------------------------------------------------

    def forget_removed(self, put: Callable[[Instruction], None]) -> None:
        """Forget those that were removed and have ended."""
        for member in list(self._removed):
            if member.is_removed and (member.state not in DOWN or member.waiting):
                continue
            self._removed.remove(member)
            if member.is_removed:
                self._table.forget(member.key)
                put(Forget(member.key))

    def _accept(self, job: Job, members: Iterable[Member]) -> None:
        rows: list[tuple[Key, ServiceAnswer]] = [
            (member.key, self._steps.row(member, AnswerKind.ACCEPTED)) for member in members
        ]
        self._jobs.accept(job, rows)

    def _start(self, members: Iterable[Member], now: float, job: Job) -> None:
        for member in members:
            self._wishes.start(member, now, job=job)

    def _remove(self, members: list[Member], now: float, job: Job) -> None:
        for member in members:
            member.is_removed = True
        self._removed += [member for member in members if member not in self._removed]
        self._stops.stop(members, now, job)
