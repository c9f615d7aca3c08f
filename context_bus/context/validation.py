"""Which commands are acceptable, service by service. Pure: a table, and nothing that acts on it.

The table is the documented one (30 cells, and ``exit``, which is always accepted):

=============================  =======  ======  =========
it is the case that            start    stop    restart
=============================  =======  ======  =========
transaction exists             yes      yes     yes
transaction does not exist     yes      no      yes
context id exists              yes      yes     yes
context id does not exist      yes      no      yes
service id exists              yes      yes     yes
service id does not exist      yes      no      yes
service is stopped             yes      yes     yes
service has failed             no       yes     yes
service is started             no       yes     yes
service is updated             no       yes     yes
=============================  =======  ======  =========

One unacceptable service does not hold up its siblings. Rows about transaction and context id speak of
the command as a whole.
"""

from __future__ import annotations

from enum import StrEnum

from context_bus.config.model import Action
from context_bus.context.states import State

#: A context id longer than this is taken for an accident.
LONGEST_ID = 200


class Fact(StrEnum):
    """Rows of the table."""

    TRANSACTION_EXISTS = "transaction exists"
    TRANSACTION_UNKNOWN = "transaction does not exist"
    CONTEXT_EXISTS = "context id exists"
    CONTEXT_UNKNOWN = "context id does not exist"
    SERVICE_EXISTS = "service id exists"
    SERVICE_UNKNOWN = "service id does not exist"
    SERVICE_STOPPED = "service is stopped"
    SERVICE_FAILED = "service has failed"
    SERVICE_STARTED = "service is started"
    SERVICE_UPDATED = "service is updated"


_NEVER_STOPPED = frozenset({Fact.TRANSACTION_UNKNOWN, Fact.CONTEXT_UNKNOWN, Fact.SERVICE_UNKNOWN})
_NEVER_STARTED = frozenset({Fact.SERVICE_FAILED, Fact.SERVICE_STARTED, Fact.SERVICE_UPDATED})

#: The 30 cells.
CELLS: dict[tuple[Fact, Action], bool] = {
    (fact, action): not (
        (action is Action.STOP and fact in _NEVER_STOPPED)
        or (action is Action.START and fact in _NEVER_STARTED)
    )
    for fact in Fact
    for action in Action
}

#: Rows for the states that have one; any other state forbids nothing.
FACTS: dict[State, Fact] = {
    State.STOPPED: Fact.SERVICE_STOPPED,
    State.EXITED: Fact.SERVICE_STOPPED,
    State.FAILED: Fact.SERVICE_FAILED,
    State.BACKOFF: Fact.SERVICE_FAILED,
    State.FATAL: Fact.SERVICE_FAILED,
    State.STARTED: Fact.SERVICE_STARTED,
    State.UPDATED: Fact.SERVICE_UPDATED,
}

_REMEDIES: dict[Fact, str] = {
    Fact.TRANSACTION_UNKNOWN: "transaction {name} is not known here; start it first",
    Fact.CONTEXT_UNKNOWN: "context id {name} is not known here; this provider is {own}",
    Fact.SERVICE_UNKNOWN: "service {name} is not known in this transaction; start it first",
    Fact.SERVICE_FAILED: "service {name} has failed; stop or restart it first",
    Fact.SERVICE_STARTED: "service {name} is started already; stop or restart it",
    Fact.SERVICE_UPDATED: "service {name} is started already; stop or restart it",
}


def refuse_command(
    action: Action, *, transaction: str, is_known: bool, context_id: str, known_ids: tuple[str, ...]
) -> str:
    """Judge a command as a whole.

    Args:
        action: What it wants.
        transaction: Its transaction.
        is_known: Whether the transaction exists.
        context_id: Its context id.
        known_ids: Context ids that exist, the provider's own first.

    Returns:
        Why it is refused; empty if it is not.
    """
    if not transaction:
        return f"{action} names no transaction; give one, e.g. --transaction=T1"
    if not context_id.strip() or len(context_id) > LONGEST_ID or not context_id.isprintable():
        return f"{action} names no valid context id; this provider is {known_ids[0]}"
    facts = (
        (Fact.TRANSACTION_EXISTS if is_known else Fact.TRANSACTION_UNKNOWN, transaction),
        (Fact.CONTEXT_EXISTS if context_id in known_ids else Fact.CONTEXT_UNKNOWN, context_id),
    )
    return next(filter(None, (_judge(fact, action, name, known_ids[0]) for fact, name in facts)), "")


def refuse_service(action: Action, service_id: str, state: State | None) -> str:
    """Judge one service of a command.

    Args:
        action: What the command wants.
        service_id: The service.
        state: Its state; None if it is not known in the transaction.

    Returns:
        Why it is refused; empty if it is not.
    """
    if state is None:
        return _judge(Fact.SERVICE_UNKNOWN, action, service_id)
    fact = FACTS.get(state, Fact.SERVICE_EXISTS)
    return _judge(fact, action, service_id)


def _judge(fact: Fact, action: Action, name: str, own: str = "") -> str:
    if CELLS[fact, action]:
        return ""
    return _REMEDIES[fact].format(name=name, own=own)
