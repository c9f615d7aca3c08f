"""The table of a context: transactions, and the record of each service as the wire shows it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from context_bus.config.model import ContextConf, TaskServiceConf
from context_bus.context.events import Key
from context_bus.context.images import Images
from context_bus.context.member import Member
from context_bus.context.states import WORDS, State


@dataclass(eq=False, slots=True)
class Transaction:
    """One transaction.

    Args:
        name: Its id.
        context_name: ``service_name`` of the command that opened it.
        members: Its services, in the order in which they became known.
    """

    name: str
    context_name: str = "context"
    members: dict[str, Member] = field(default_factory=dict)


class Table:
    """Every transaction of a provider.

    Args:
        conf: The provider's context file.
    """

    def __init__(self, conf: ContextConf) -> None:
        self._conf = conf
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
        """Enter a service into a transaction that is open."""
        member = Member(key, conf)
        self._transactions[key.transaction].members[key.service_id] = member
        return member

    def find_or_define(self, key: Key) -> Member | None:
        """The service with this key; one that only the file knows joins the transaction."""
        member, conf = self.find(key), self._conf.service(key.service_id)
        return self.define(key, conf) if member is None and conf is not None else member

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
        conf = self._conf
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
            "tasks": [task_record(member, self.images) for member in found.members.values()],
        }

    def records(self) -> list[object]:
        """The whole table, as the broadcast carries it."""
        return [{name: self.record(name)} for name in self._transactions]


def task_record(member: Member, images: Images) -> dict[str, object]:
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
    return record
