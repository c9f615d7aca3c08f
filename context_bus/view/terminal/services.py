"""The table of services: what of it is chosen, in which order, in which groups. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from context_bus.client.asking import is_meant
from context_bus.view import figures
from context_bus.view.snapshot import ServiceKey, ServiceView, Snapshot, totals
from context_bus.view.terminal.columns import Column, by_column
from context_bus.view.terminal.service_columns import BY_NAME, COLUMNS, Shown, state_of

#: What ``--sort`` takes.
SORTS = ("cpu", "rss", "name", "state", "restarts", "messages")


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a snapshot is shown, and in which order.

    Args:
        names: Only services that these mean, if any.
        transaction: Only this transaction, if any.
        text: Only services with this in their id, name, state or transaction.
        sort: Name of the column; empty for the order of the context file.
        inverted: Whether the order is turned round.
        grouped: Whether services of a transaction stand together.
    """

    names: tuple[str, ...] = ()
    transaction: str = ""
    text: str = ""
    sort: str = ""
    inverted: bool = False
    grouped: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """Services that stand together.

    Args:
        transaction: Their transaction; empty for all.
        rows: The services, in order.
    """

    transaction: str
    rows: tuple[Shown, ...]

    @property
    def heading(self) -> str:
        """What stands above them."""
        sums = totals([each.service for each in self.rows])
        parts = [f"{sums.up} up"]
        parts += [f"{sums.failed} failed"] if sums.failed else []
        parts += [f"CPU {figures.percent(sums.cpu_percent)}%", f"RSS {figures.size(sums.rss)}"]
        return f"{self.transaction}: {', '.join(parts)}"


def groups(snapshot: Snapshot, choice: Choice) -> tuple[Group, ...]:
    """The services that are chosen, in order; one group for each transaction, or one for all."""
    now = snapshot.answered_at if snapshot.trouble else snapshot.at
    chosen = [
        Shown(each, now, bool(snapshot.trouble)) for each in snapshot.services if is_chosen(each, choice)
    ]
    column = BY_NAME.get(choice.sort)
    ordered = by_column(chosen, column, inverted=choice.inverted) if column else chosen
    if not choice.grouped:
        return (Group("", tuple(ordered)),) if ordered else ()
    names = dict.fromkeys(each.service.transaction for each in chosen)
    return tuple(
        Group(name, tuple(each for each in ordered if each.service.transaction == name)) for name in names
    )


def is_chosen(service: ServiceView, choice: Choice) -> bool:
    """Whether a service is shown."""
    if choice.transaction and service.transaction != choice.transaction:
        return False
    if choice.names and not any(is_meant(service.service_id, name) for name in choice.names):
        return False
    text = choice.text.casefold()
    words = (service.service_id, service.name, state_of(service), service.transaction)
    return not text or any(text in each.casefold() for each in words)


def columns_of(found: Sequence[Group], choice: Choice) -> tuple[Column[Shown], ...]:
    """The columns that make sense: the transaction has one only if services of several are mixed."""
    names = {each.service.transaction for group in found for each in group.rows}
    mixed = not choice.grouped and len(names) > 1
    return tuple(each for each in COLUMNS if each.name != "transaction" or mixed)


def longest_of(found: Sequence[Group]) -> dict[str, int]:
    """Cells of the longest text of the columns that fit theirs."""
    rows = [each.service for group in found for each in group.rows]
    return {
        "name": max((len(each.service_id) for each in rows), default=0),
        "transaction": max((len(each.transaction) for each in rows), default=0),
    }


def key_of(shown: Shown) -> ServiceKey:
    """By which its line is known."""
    return shown.service.key
