"""The command line of ``launch.py``: options, then the command, of which not one character is touched.

Knows argparse; does nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from context_bus.cli.scripts import arguments
from context_bus.cli.scripts.arguments import Parser

#: Environment variable that says how long history is kept, where no option does.
RETAIN_ENV = "CONTEXT_BUS_TASK_RETAIN"
EXAMPLES = (
    "launch.py --db sqlite.db -- sh -c 'echo working; sleep 0.1'",
    "launch.py --db sqlite.db --name report --max_runtime 10m --output report.log -- date",
    "launch.py --db sqlite.db --detach -- sleep 0.5",
    "launch.py --db sqlite.db --command 'sleep 0.1'",
)

_TEXT: dict[str, Any] = {"metavar": "TEXT", "type": arguments.text, "default": ""}
_FILE: dict[str, Any] = {"metavar": "FILE"}
_SECONDS: dict[str, Any] = {"metavar": "SECONDS", "type": arguments.seconds}
_TIME: dict[str, Any] = {"metavar": "TIME", "type": arguments.duration}
_SIZE: dict[str, Any] = {"metavar": "SIZE", "type": arguments.size}
_NUMBER: dict[str, Any] = {"metavar": "N", "type": arguments.number}
_VARIABLE: dict[str, Any] = {
    "metavar": "NAME=VALUE",
    "type": arguments.variable,
    "action": "append",
    "default": [],
}


def parse(args: Sequence[str] | None) -> Namespace:
    """Read the arguments.

    Returns:
        The options, and the command as ``argv``.

    Raises:
        SystemExit: They cannot be used, or help was wanted.
    """
    words = list(sys.argv[1:] if args is None else args)
    # What follows the first "--" is the command's own, further "--" as well; argparse need not see it.
    cut = words.index("--") if "--" in words else len(words)
    parser = _parser()
    options = parser.parse_args(words[:cut])
    if options.retain is None and os.environ.get(RETAIN_ENV):
        options.retain = _retention(parser)
    options.argv = options.words + (words[cut:] if options.words else words[cut + 1 :])
    if options.command is not None:
        if options.argv:
            parser.error("--command and a command after '--' were given; choose one")
        options.argv = _split(options.command, parser)
    if not options.argv:
        parser.error("no command was given; put it after '--'")
    return options


def _split(command: str, parser: Parser) -> list[str]:
    import shlex

    try:
        return shlex.split(command)
    except ValueError as error:
        parser.error(f"--command cannot be split as a shell would do it: {str(error).lower()}")


def _retention(parser: Parser) -> float:
    try:
        return arguments.duration(os.environ[RETAIN_ENV])
    except argparse.ArgumentTypeError as error:
        parser.error(f"{RETAIN_ENV}: {error}")


def _parser() -> Parser:
    parser = Parser(
        description="Launch program as a task.",
        usage="%(prog)s --db FILE [option]... -- command [argument]...",
        examples=EXAMPLES,
    )
    add = parser.add_argument
    add("--db", **_FILE, required=True, help="database of tasks")
    add("--taskid", metavar="ID", type=_taskid, help="the reservation to take up (default: a new id)")
    add("--name", **_TEXT, help="name of the task (default: that of the reservation, or of the command)")
    for number in (1, 2, 3):
        add(f"--info{number}", **_TEXT, help="anything to be kept with the task")
    add("--command", metavar="TEXT", help="the command as one text, split as a shell does it")
    add("--compat-rc", "--compat_rc", action="store_true", help="exit with 0, however the command ends")
    parser.add_debug()
    _add_feedback(parser)
    _add_running(parser)
    _add_output(parser)
    add("words", nargs=argparse.REMAINDER, metavar="command", help="the command with its arguments")
    return parser


def _add_feedback(parser: Parser) -> None:
    title = "feedback, which is expected if --feedback is an argument of the command"
    add = parser.add_argument_group(title).add_argument
    add("--feedpath", metavar="DIR", default="", help="directory of feedback_ID.log (default: this one)")
    silence = "end the command after so long without feedback (default 30)"
    add("--timeout", metavar="SECONDS", type=arguments.some_seconds, default=30.0, help=silence)
    add("--expect_feedback", "--expect-feedback", action="store_true", help="expect it in any case")
    forwarder = "tell the bus: BackendEndpoint of a forwarder, such as tcp://127.0.0.1:5556"
    add("--bus", metavar="ENDPOINT", default="", help=forwarder)


def _add_running(parser: Parser) -> None:
    add = parser.add_argument_group("how it runs and ends").add_argument
    add("--cwd", metavar="DIR", default="", help="where it runs (default: here)")
    add("--env", **_VARIABLE, help="set in its environment; may be repeated")
    add("--stdin", choices=("pass", "close"), default="pass", help="what it reads (default pass)")
    add("--max_runtime", "--max-runtime", **_TIME, help="end it after so long: 90, 1h30m, 2d")
    add("--grace", **_SECONDS, default=2.0, help="from SIGTERM to SIGKILL (default 2)")
    orphan = "what becomes of it when a part of the launcher is killed (default end)"
    add("--on_orphan", "--on-orphan", choices=("end", "adopt"), default="end", help=orphan)
    add("--instances", **_NUMBER, default=1, help="run it so many times at once, each a task")
    add("--detach", action="store_true", help="print the id and leave the task to run on by itself")
    add("--retain", **_TIME, help=f"forget older history at the end: 30d (default ${RETAIN_ENV}, or never)")


def _add_output(parser: Parser) -> None:
    add = parser.add_argument_group("where its output goes").add_argument
    add("--output", **_FILE, default="", help="append to this file (default: where this script's goes)")
    add("--error", **_FILE, default="", help="its errors, if not to --output")
    add("--max_bytes", "--max-bytes", **_SIZE, default=0, help="begin a new file at this size: 500K, 20M")
    add("--backups", metavar="N", type=arguments.count, default=3, help="full files to keep (default 3)")


def _taskid(text: str) -> int | None:
    # The empty text was how one asked for a new id.
    return arguments.number(text) if text else None
