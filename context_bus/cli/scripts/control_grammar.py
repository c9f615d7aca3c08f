"""The two grammars of ``control.py``: the document's flat one, and the later one of sub-commands.

Knows argparse; says which actions were asked for, in the order in which they are to be done. Does nothing.
"""

from __future__ import annotations

import sys
from argparse import SUPPRESS, Namespace
from collections.abc import Sequence
from typing import Any, NamedTuple

from context_bus.cli.scripts import arguments, ending
from context_bus.cli.scripts.arguments import Parser

#: Database of whoever names none; in the current directory.
DEFAULT_DB = "sqlite.db"


class Action(NamedTuple):
    """One thing to do: its option in both grammars, and what argparse is to know of it."""

    name: str
    sub_command: str
    sub_option: str
    help: str
    more: dict[str, Any]

    @property
    def flat_option(self) -> str:
        """The option of the document."""
        return f"--{self.name}"


_FLAG: dict[str, Any] = {"action": "store_true"}
_ID: dict[str, Any] = {"metavar": "ID", "type": arguments.number}

#: All actions. The first two may both be given, and others with them; of the others, the first given is done:
#: who looks and kills in one breath most likely means to look.
ACTIONS = (
    Action("initialize", "database", "--initialize", "make a database; one that is there loses all", _FLAG),
    Action("update", "database", "--update", "write durations and statuses as they are now", _FLAG),
    Action("list", "task", "--list", "list the tasks that run or are reserved", _FLAG),
    Action("history", "history", "--list", "list the tasks that have ended", _FLAG),
    Action("reserve", "task", "--reserve", "reserve a task id for a launch within 5 seconds", _FLAG),
    Action("feedback", "task", "--feedback", "print what a task has reported of itself, as JSON", _ID),
    Action("clear", "history", "--clear", "forget the tasks that have ended, and say how many", _FLAG),
    Action("kill", "task", "--kill", "end a task, with all that it started", _ID),
    Action(
        "killall",
        "task",
        "--killall",
        "end all tasks of this name",
        {"metavar": "NAME", "type": arguments.some_text},
    ),
)  # fmt: skip
#: Actions that may be given together with another.
_BEFORE_OTHERS = ("initialize", "update")

_SUB_COMMANDS = {
    "task": "tasks that run or are reserved",
    "history": "tasks that have ended",
    "database": "care of the database",
}
_SUB_EXAMPLES = {
    "task": ("control.py task --list --json", "control.py task --reserve --taskname report --unique"),
    "history": ("control.py history --list --human", "control.py history --clear"),
    "database": ("control.py --db tasks.db database --initialize", "control.py database --update"),
}
EXAMPLES = (
    "control.py --db sqlite.db --initialize",
    "control.py --db sqlite.db --reserve --taskname backup --unique",
    "control.py --db sqlite.db --list",
    "control.py --db sqlite.db --history --human",
    "control.py task --list --json            # the same by sub-commands; --db is sqlite.db unless named",
)


def parse(args: Sequence[str] | None) -> Namespace:
    """Read the arguments.

    Returns:
        The modifiers, and the actions as ``actions``: pairs of name and value, to be done in this order.

    Raises:
        SystemExit: They cannot be used, or help was wanted.
    """
    parser, subs = _parsers()
    options = parser.parse_args(args)
    given = _given(options, "")
    if options.command:
        if given:
            parser.error(f"--{given[0][0]} belongs behind '{options.command}', or without it")
        given = _given(options, options.command)
    if not given:
        # Who wants nothing gets the help, yet no success: a script that lost its option must hear of it.
        (subs[options.command] if options.command else parser).print_help(sys.stderr)
        parser.exit(ending.EXIT_USAGE)
    options.actions = _in_order(given)
    return options


def _in_order(given: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    first = [each for each in given if each[0] in _BEFORE_OTHERS]
    rest = given[len(first) :]
    for name, _ in rest[1:]:
        ending.remark(f"--{name} is left out beside --{rest[0][0]}: one thing at a time")
    return first + rest[:1]


def _given(options: Namespace, command: str) -> list[tuple[str, Any]]:
    """The actions of a grammar that were given: those of a sub-command, or the flat ones."""
    values = vars(options)
    found = ((action.name, values.get(_destination(action, command))) for action in ACTIONS)
    return [(name, value) for name, value in found if value]


def _destination(action: Action, command: str) -> str:
    return f"{command} {action.name}"


def _parsers() -> tuple[Parser, dict[str, Parser]]:
    parser = Parser(description="Task controller", examples=EXAMPLES)
    where = f"database of tasks (default {DEFAULT_DB}, in this directory)"
    parser.add_argument("--db", metavar="FILE", default=DEFAULT_DB, help=where)
    parser.add_debug()
    _add_actions(parser, "")
    _add_modifiers(parser, "", {})
    subs = parser.add_subparsers(dest="command", metavar="{task,history,database}", help="the later grammar")
    made = {}
    for name, what in _SUB_COMMANDS.items():
        made[name] = sub = subs.add_parser(name, help=what, description=what, examples=_SUB_EXAMPLES[name])
        sub.add_argument("--db", metavar="FILE", default=SUPPRESS, help="database of tasks")
        sub.add_debug(default=SUPPRESS)
        _add_actions(sub, name)
        _add_modifiers(sub, name, {"default": SUPPRESS})
    return parser, made


def _add_actions(parser: Parser, command: str) -> None:
    for action in ACTIONS:
        if command in ("", action.sub_command):
            option = action.sub_option if command else action.flat_option
            parser.add_argument(option, dest=_destination(action, command), help=action.help, **action.more)


def _add_modifiers(parser: Parser, command: str, default: dict[str, Any]) -> None:
    flag = {"action": "store_true"} | default
    text: dict[str, Any] = {"metavar": "TEXT", "type": arguments.text} | default
    if command in ("", "task"):
        parser.add_argument("--unique", help="reserve only if no task of that name is there", **flag)
        parser.add_argument("--taskname", help="name of the reservation (default noname)", **text)
        for number in (1, 2, 3):
            parser.add_argument(f"--info{number}", help="anything to be kept with the reservation", **text)
    if command in ("", "task", "history"):
        parser.add_argument("--json", help="list as JSON (the history always, without --human)", **flag)
    if command in ("", "history"):
        parser.add_argument("--human", help="list the history as a table (default JSON)", **flag)
    if command in ("", "database"):
        parser.add_argument("--force", help="initialize even while tasks run, or over another file", **flag)
