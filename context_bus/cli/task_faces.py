"""The two faces of ``task list --follow``: a table that is painted in place, and a line for each change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from context_bus.cli import task_past, task_table
from context_bus.cli.output import coloured_table, say, text_of
from context_bus.cli.task_words import took

if TYPE_CHECKING:
    from rich.console import RenderableType

    from context_bus.watch.sight import Sight
    from context_bus.watch.values import Past

#: Tasks that have ended whose end is still to be seen below the table.
ENDS = 5


class Board:
    """A table in place on a terminal; below it, the last ends.

    Args:
        is_passing: It is gone when all is over, and on standard error: results are said elsewhere.
    """

    has_clocks = True

    def __init__(self, *, is_passing: bool = False) -> None:
        from rich.console import Console
        from rich.live import Live

        # As much as the terminal has lines for; nothing is painted behind our back.
        self._live = Live(
            console=Console(stderr=is_passing),
            auto_refresh=False,
            transient=is_passing,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="ellipsis",
        )
        self._ends: list[str] = []

    def show(self, sights: Sequence[Sight], ended: Sequence[Past]) -> None:
        """Paint."""
        from rich.console import Group
        from rich.text import Text

        self._ends = [*self._ends, *(task_past.line(past) for past in ended)][-ENDS:]
        if sights:
            columns, rows = task_table.table(sights, self._live.console.width)
            cells = [[text_of(cell) for cell in row] for row in rows]
            top: RenderableType = coloured_table(columns, cells, task_table.CUTTABLE)
        else:
            top = Text("No tasks.")
        ends = [Text.from_ansi(line, no_wrap=True, overflow="ellipsis") for line in self._ends]
        self._live.start()
        self._live.update(Group(top, *ends), refresh=True)

    def hide(self) -> None:
        """Make room for something to be said, until the next time it is painted."""
        self._live.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()


class Lines:
    """A line for each task that is new, stands otherwise, reports something new, or has ended."""

    has_clocks = False

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._said: dict[int, object] = {}

    def show(self, sights: Sequence[Sight], ended: Sequence[Past]) -> None:
        """Print what has changed."""
        for past in ended:
            say(
                json.dumps(task_past.facts(past), ensure_ascii=False)
                if self._as_json
                else task_past.line(past)
            )
        said = {sight.task.id: (sight.status, sight.task.pid, sight.values) for sight in sights}
        for sight in sights:
            if self._said.get(sight.task.id) != said[sight.task.id]:
                say(self._line(sight))
        self._said = dict(said)

    def _line(self, sight: Sight) -> str:
        if self._as_json:
            return json.dumps(task_table.facts(sight), ensure_ascii=False)
        parts = (
            str(sight.task.id),
            sight.task.name or "",
            sight.status.lower(),
            took(sight.elapsed),
            task_table.progress(sight, with_bar=False),
            task_table.info(sight),
        )
        return "  ".join(part for part in parts if part)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: each line was said at once."""
