"""``launch.py``: run a command as a watched task, and exit as it does.

Knows the room `watch`; prints nothing but the command line that it runs.
"""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from context_bus.cli.scripts import ending, launch_grammar
from context_bus.errors import CommandNotStarted
from context_bus.watch import front
from context_bus.watch.order import Order


def main(args: Sequence[str] | None = None) -> int:
    """Run the script; returns the exit code."""
    return ending.run(launch_grammar.parse, _act, args)


def _act(options: Namespace) -> int:
    # Bytes that are no text came as arguments, and leave as they came. That nobody reads them is no reason
    # not to run the command, which may have nothing to say.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), b"Command_line=" + os.fsencode(" ".join(options.argv)) + b"\n")
    database, order = Path(options.db), order_of(options)
    code = _detach(database, order) if options.detach else front.launch(database, order, say=_say)
    return 0 if options.compat_rc else code


def _detach(database: Path, order: Order) -> int:
    from context_bus.watch.detaching import detach

    try:
        taskids = detach(database, order)
    except CommandNotStarted as error:
        _say(str(error))
        return error.exit_code
    for taskid in taskids:
        print(f"Taskid {taskid} has been started")
    return 0


def _say(text: str) -> None:
    # Named, since the command writes there, too.
    ending.remark(f"{os.path.basename(sys.argv[0])}: {text}")


def order_of(options: Namespace) -> Order:
    """What is to be launched."""
    return Order(
        argv=tuple(options.argv),
        taskid=options.taskid,
        name=options.name,
        info=(options.info1, options.info2, options.info3),
        feedpath=options.feedpath,
        expects_feedback=options.expect_feedback,
        timeout=options.timeout,
        grace=options.grace,
        max_runtime=options.max_runtime,
        cwd=options.cwd,
        env=dict(options.env),
        stdin=options.stdin,
        output=options.output,
        error=options.error,
        max_bytes=options.max_bytes,
        backups=options.backups,
        on_orphan=options.on_orphan,
        bus=options.bus,
        retain=options.retain,
        instances=options.instances,
    )
