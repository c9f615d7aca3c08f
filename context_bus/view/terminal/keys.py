"""Keys of the live view, and the line that reminds of them. Pure but for Textual's word for a key."""

from __future__ import annotations

from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding

#: Keys that sort, the letters of htop first: key, column.
SORT_KEYS = {"P": "cpu", "M": "rss", "N": "name", "S": "state", "T": "restarts", "Y": "messages", "0": ""}

BINDINGS = [
    Binding("q", "quit", "quit"),
    Binding("ctrl+c", "interrupt", "quit", priority=True),
    Binding("question_mark,f1,h", "help", "help"),
    Binding("s", "order('start')", "start"),
    Binding("x", "order('stop')", "stop"),
    Binding("r", "order('restart')", "restart"),
    Binding("l,enter", "pane('log')", "log"),
    Binding("e", "pane('events')", "events"),
    Binding("E", "pane('all')", "all events"),
    Binding("d", "pane('details')", "details"),
    Binding("z", "zoom", "zoom"),
    Binding("b", "bus", "bus"),
    Binding("slash", "filter", "filter"),
    Binding("escape", "retreat", "back"),
    Binding("t", "group", "group"),
    Binding("I", "invert", "invert"),
    Binding("less_than_sign,left", "sort_by(-1)", "sort"),
    Binding("greater_than_sign,right", "sort_by(1)", "sort"),
    Binding("p", "pause", "pause"),
    Binding("ctrl+l", "repaint", "paint again"),
    *(Binding(key, f"sort('{name}')", name) for key, name in SORT_KEYS.items()),
]


class Hint(NamedTuple):
    """One key, what it does in a word, and its action."""

    key: str
    word: str
    action: str


#: The most important ones first: what does not fit is left out.
HINTS = (
    Hint("s", "start", "order('start')"),
    Hint("x", "stop", "order('stop')"),
    Hint("r", "restart", "order('restart')"),
    Hint("l", "log", "pane('log')"),
    Hint("e", "events", "pane('events')"),
    Hint("b", "bus", "bus"),
    Hint("/", "filter", "filter"),
    Hint("?", "help", "help"),
    Hint("q", "quit", "quit"),
    Hint("d", "details", "pane('details')"),
    Hint("P M N", "sort", "sort('cpu')"),
    Hint("t", "transactions", "group"),
    Hint("p", "pause", "pause"),
)
#: The same where topics are shown.
BUS_HINTS = (
    Hint("b", "services", "bus"),
    Hint("/", "filter", "filter"),
    Hint("< >", "sort", "sort_by(1)"),
    Hint("I", "invert", "invert"),
    Hint("?", "help", "help"),
    Hint("q", "quit", "quit"),
)
#: Actions whose hints are left out last.
FIRST = ("help", "quit")
KEY = Style(bold=True)
WORD = Style(dim=True)


def hint_bar(hints: tuple[Hint, ...], width: int) -> tuple[list[Segment], list[tuple[int, str]]]:
    """Lay out as many hints as fit, the way to help and out first of all.

    Returns:
        The line, and where each hint ends in it, with its action.
    """
    left, chosen = width + 1, list[Hint]()
    for hint in sorted(hints, key=lambda each: each.action not in FIRST):
        size = len(hint.key) + len(hint.word) + 3
        if size > left:
            break
        chosen.append(hint)
        left -= size
    segments, ends, used = [Segment(" ")], list[tuple[int, str]](), 1
    for hint in hints:
        if hint in chosen:
            segments += [Segment(hint.key, KEY), Segment(f" {hint.word}  ", WORD)]
            used += len(hint.key) + len(hint.word) + 3
            ends.append((used, hint.action))
    return segments, ends
