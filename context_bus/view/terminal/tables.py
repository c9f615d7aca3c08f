"""The two tables of the live view: services and topics, each with what of it is shown in which order.

Knows the table and the columns; must not know the application.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from context_bus.bus.insight import TopicRow
from context_bus.view.snapshot import NOT_ASKED, ServiceView, Snapshot
from context_bus.view.terminal import service_columns, services, traffic
from context_bus.view.terminal.columns import Cell, Column, place
from context_bus.view.terminal.service_columns import Shown
from context_bus.view.terminal.services import Choice
from context_bus.view.terminal.table import Line, Sorting, Table

R = TypeVar("R")


class ChosenTable(Table[R]):
    """A table of what somebody has chosen.

    Args:
        choice: What is shown at first.
    """

    def __init__(self, choice: Choice, *, id: str) -> None:
        super().__init__(id=id)
        self.choice = choice
        self.snapshot = Snapshot(at=0.0, trouble=NOT_ASKED)

    def tell(self, snapshot: Snapshot) -> None:
        """Show what is known now."""
        self.snapshot = snapshot
        self.show_chosen()

    @abstractmethod
    def show_chosen(self) -> None:
        """Show what is chosen of it."""

    @property
    @abstractmethod
    def columns(self) -> Mapping[str, Column[R]]:
        """All columns by their names."""

    def choose_by(self, **changes: Any) -> None:
        """Choose something else, or in another order."""
        self.choice = replace(self.choice, **changes)
        self.show_chosen()

    def sort(self, name: str) -> None:
        """Sort by a column, if it has one that can be sorted by; again turns it round."""
        if not name or (name in self.columns and self.columns[name].key is not None):
            again = bool(name) and name == self.choice.sort
            self._sort(name, inverted=again and not self.choice.inverted)

    def sort_by(self, step: int) -> None:
        """Sort by the next column that is seen, or the one before."""
        names = ["", *self.sortable]
        at = names.index(self.choice.sort) if self.choice.sort in names else 0
        self._sort(names[(at + step) % len(names)], inverted=False)

    def invert(self) -> None:
        """Turn the order round."""
        self._sort(self.choice.sort, inverted=not self.choice.inverted)

    def _sort(self, name: str, *, inverted: bool) -> None:
        """Sort, and go to the top: that is what one sorts for."""
        self.choose_by(sort=name, inverted=inverted)
        self.action_end(-1)

    @property
    def _sorting(self) -> Sorting:
        return Sorting(self.choice.sort, self.choice.inverted)


class ServiceTable(ChosenTable[Shown]):
    """Services by transaction."""

    @property
    def columns(self) -> Mapping[str, Column[Shown]]:
        """All columns by their names."""
        return service_columns.BY_NAME

    @property
    def chosen(self) -> ServiceView | None:
        """The chosen service."""
        return next((each for each in self.snapshot.services if each.key == self.cursor), None)

    def show_chosen(self) -> None:
        """Show the services that are chosen, under their transactions if there are several."""
        found = services.groups(self.snapshot, self.choice)
        columns = services.columns_of(found, self.choice)
        placed = place(columns, self.size.width, services.longest_of(found))
        lines: list[Line] = []
        for group in found:
            if len(found) > 1:
                lines.append(Line((group.transaction,), (Cell(group.heading),), is_heading=True))
            lines += [Line(services.key_of(row), service_columns.cells_of(row, placed)) for row in group.rows]
        self.empty = self._why_empty()
        self.show(placed, lines, self._sorting)

    def _why_empty(self) -> str:
        if self.snapshot.trouble == NOT_ASKED:
            return ""
        if not self.snapshot.answered_at:
            return "start one with 'context-bus service-context FILE', or name its file by -c FILE"
        if self.snapshot.services:
            return "no service is meant by that; Esc shows all" if self.choice.text else "no service is meant"
        return "no services yet; start them with 'context-bus start'"


class TopicTable(ChosenTable[TopicRow]):
    """Topics by name."""

    empty = "nobody has told of messages yet"

    @property
    def columns(self) -> Mapping[str, Column[TopicRow]]:
        """All columns by their names."""
        return traffic.BY_NAME

    def show_chosen(self) -> None:
        """Show the topics that are chosen."""
        choice = self.choice
        rows: Sequence[TopicRow] = traffic.chosen(
            self.snapshot, choice.text, choice.sort, inverted=choice.inverted
        )
        placed = place(traffic.COLUMNS, self.size.width, traffic.longest_of(rows))
        self.show(placed, [traffic.line_of(row, placed) for row in rows], self._sorting)
