"""One table of rows that is both a state machine and its diagram. Knows the library `transitions` only."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from transitions import Machine

S = TypeVar("S", bound=StrEnum)

# The library tells of every callback it finished, at INFO, which is where people look for what happened.
logging.getLogger("transitions").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Row(Generic[S]):
    """One line of a state table: on ``trigger`` go from any of ``sources`` to ``dest``.

    Args:
        trigger: Name of what happened.
        sources: States in which it may happen.
        dest: State afterwards.
        why: What it means, for the diagram; the trigger's name if empty.
    """

    trigger: str
    sources: tuple[S, ...]
    dest: S
    why: str = ""


class StateTable(Generic[S]):
    """States and rows; the machine runs on them and the diagram is drawn from them, so neither can drift.

    Args:
        states: Enumeration of every state.
        initial: State of a new model.
        rows: The table. Of two rows with one trigger and one source the first wins, so none is allowed.

    Raises:
        ValueError: The same trigger leaves the same state twice.
    """

    def __init__(self, states: type[S], initial: S, rows: Iterable[Row[S]]) -> None:
        self.initial = initial
        self.rows = tuple(rows)
        self._states = states
        self._next: dict[tuple[str, S], S] = {}
        for row in self.rows:
            for source in row.sources:
                if (row.trigger, source) in self._next:
                    raise ValueError(f"{row.trigger} leaves {source} twice")
                self._next[row.trigger, source] = row.dest

    def machine(self) -> Machine:
        """Build a machine without models; models are added with ``machine.add_model(model, initial)``."""
        return Machine(
            model=None,
            states=[str(state) for state in self._states],
            transitions=[
                {
                    "trigger": row.trigger,
                    "source": [str(source) for source in row.sources],
                    "dest": str(row.dest),
                }
                for row in self.rows
            ],
            initial=str(self.initial),
            auto_transitions=False,
        )

    def allows(self, trigger: str, source: S) -> bool:
        """Whether the trigger may happen in this state."""
        return (trigger, source) in self._next

    def mermaid(self) -> str:
        """Draw the table as a Mermaid state diagram."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial}"]
        for row in self.rows:
            label = row.why or row.trigger.replace("_", " ")
            lines += [f"    {source} --> {row.dest}: {label}" for source in row.sources]
        return "\n".join(lines) + "\n"
