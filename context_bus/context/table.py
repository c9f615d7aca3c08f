"""The table of a context: transactions, and the record of each service as the wire shows it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec

from context_bus.config.model import ContextConf, TaskServiceConf
from context_bus.context.events import Key
from context_bus.context.images import Images
from context_bus.context.instances import base_of, ids_of
from context_bus.context.member import Member
from context_bus.context.states import WORDS, State
from context_bus.context.topquery import Subject
from context_bus.supervise.policy import Memory, Restarts


@dataclass(eq=False, slots=True)
class Transaction:
    """One transaction.

    Args:
        name: Its id.
        context_name: ``service_name`` of the command that opened it.
        members: Its services, in the order in which they became known.
        counts: Instances of services that were scaled, by id of the service.
    """

    name: str
    context_name: str = "context"
    members: dict[str, Member] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class Table:
    """Every transaction of a provider.

    Args:
        conf: The provider's context file.
        rng: Gives the numbers in [0, 1) by which delays vary.
        wall: Turns the engine's time into seconds since the epoch.
    """

    def __init__(self, conf: ContextConf, rng: Callable[[], float], wall: Callable[[float], float]) -> None:
        self.conf = conf
        self._rng, self._wall = rng, wall
        self._transactions: dict[str, Transaction] = {}
        #: Images of the services, for whoever writes them on the wire.
        self.images = Images()
        #: Context ids that commands have used with success, the provider's own first.
        self.context_ids: tuple[str, ...] = (conf.context_id,)

    def __contains__(self, transaction: str) -> bool:
        return transaction in self._transactions

    def names(self) -> tuple[str, ...]:
        """Every transaction."""
        return tuple(self._transactions)

    def open(self, transaction: str, context_id: str, context_name: str) -> None:
        """Make sure that a transaction and a context id are known."""
        if transaction not in self._transactions:
            self._transactions[transaction] = Transaction(transaction, context_name)
        if context_id not in self.context_ids:
            self.context_ids = (*self.context_ids, context_id)

    def find(self, key: Key) -> Member | None:
        """The service with this key, or None."""
        found = self._transactions.get(key.transaction)
        return found.members.get(key.service_id) if found else None

    def define(self, key: Key, conf: TaskServiceConf) -> Member:
        """Enter a service, or one instance of it, into a transaction that is open."""
        own = conf if conf.id == key.service_id else replace(conf, id=key.service_id)
        member = Member(key, own, self.new_restarts(own))
        self._transactions[key.transaction].members[key.service_id] = member
        return member

    def new_restarts(
        self, conf: TaskServiceConf, memory: Memory | None = None, now: float = 0.0, wall: float = 0.0
    ) -> Restarts:
        """Counts for the restart policy of a service: from their beginning, or from what was remembered."""
        policy = conf.supervision.restart
        if memory is None:
            return Restarts(policy, self._rng)
        return Restarts.from_memory(policy, self._rng, memory, now, wall)

    def count(self, transaction: str, base: str) -> int:
        """How many instances a service has."""
        return len(self.instance_ids(transaction, base, None))

    def forget(self, key: Key) -> None:
        """Take a service out of its transaction."""
        found = self._transactions.get(key.transaction)
        if found is not None:
            found.members.pop(key.service_id, None)

    def scale(self, transaction: str, base: str, count: int) -> None:
        """Set how many instances a service has."""
        self._transactions[transaction].counts[base] = count

    def instance_ids(
        self, transaction: str, service_id: str, conf: TaskServiceConf | None
    ) -> tuple[str, ...]:
        """Ids that a name stands for: every instance of a service, or the one instance that is named."""
        base = base_of(service_id)
        if base != service_id:
            return (service_id,)
        found = self._transactions.get(transaction)
        conf = conf or self.conf.service(base)
        configured = conf.supervision.instances if conf is not None else 1
        return ids_of(base, found.counts.get(base, configured) if found else configured)

    def find_or_define(self, key: Key) -> list[Member]:
        """Every instance of the service with this key; what only the file knows joins the transaction."""
        found: list[Member] = []
        for service_id in self.instance_ids(key.transaction, key.service_id, None):
            own = Key(key.transaction, service_id)
            member, conf = self.find(own), self.conf.service(base_of(service_id))
            if member is None and conf is not None and key.transaction in self._transactions:
                member = self.define(own, conf)
            if member is not None:
                found.append(member)
        return found

    def members(self, transaction: str | None = None) -> list[Member]:
        """The services of a transaction, or all."""
        if transaction is not None:
            found = self._transactions.get(transaction)
            return list(found.members.values()) if found else []
        return [member for each in self._transactions.values() for member in each.members.values()]

    def record(self, transaction: str) -> dict[str, object] | None:
        """The record of a transaction as a query gets it; None if it is not known."""
        found = self._transactions.get(transaction)
        if found is None:
            return None
        conf = self.conf
        return {
            "configuration": {
                "BackendBind": conf.backend_bind,
                "BackendEndpoint": conf.backend_endpoint,
                "FrontBind": conf.front_bind,
                "FrontEndEndpoint": conf.front_end_endpoint,
            },
            "contextId": conf.context_id,
            "contextLogName": conf.task_log_name,
            "contextName": found.context_name,
            "tasks": [task_record(member, self.images, self._wall) for member in found.members.values()],
        }

    def context_name(self, transaction: str) -> str:
        """``service_name`` of the command that opened a transaction."""
        found = self._transactions.get(transaction)
        return found.context_name if found else "context"

    def brief(self, member: Member) -> dict[str, object]:
        """The record of a service without its definition."""
        action, state = WORDS[member.state]
        record: dict[str, object] = {
            "instance": member.conf.instance,
            "serviceName": member.conf.service_name,
            "action": action,
            "pid": member.pid,
            "service_id": member.key.service_id,
            "state": state,
        }
        if member.reason:
            record["reason"] = member.reason
        return record | _supervised(member, self._wall)

    def subject(self, member: Member) -> Subject:
        """What is told of a service besides the figures of its process."""
        key, conf = member.key, member.conf
        action, state = WORDS[member.state]
        return Subject(*key, member.pid, conf.service_name, conf.instance, str(member.state), action, state)

    def records(self) -> list[object]:
        """The whole table, as the broadcast carries it."""
        return [{name: self.record(name)} for name in self._transactions]


def task_record(member: Member, images: Images, wall: Callable[[float], float]) -> dict[str, object]:
    """The record of one service; its image is JSON text already."""
    action, state = WORDS[member.state]
    record: dict[str, object] = {
        "action": action,
        "pid": member.pid,
        "service_id": member.key.service_id,
        "state": state,
    }
    if member.state is State.DEFINED:
        return record
    conf = member.conf
    verb = "stop" if action in {"stop", "stopped"} else "start"
    record |= {
        "instance": conf.instance,
        "serviceName": conf.service_name,
        "task": msgspec.Raw(images.text(member.key, conf, verb)),
    }
    if member.reason:
        record["reason"] = member.reason
    return record | _supervised(member, wall)


def _supervised(member: Member, wall: Callable[[float], float]) -> dict[str, object]:
    """What readers of old do not know: the exact state, since when, and how it is kept."""
    record: dict[str, object] = {
        "phase": str(member.state),
        "since": wall(member.since),
        "starts": member.incarnation,
        "wanted": member.is_wanted,
    }
    if member.last_end:
        record["last_end"] = member.last_end
    if member.is_frozen:
        record["frozen"] = True
    if member.complaint:
        record["complaint"] = member.complaint
    return record
