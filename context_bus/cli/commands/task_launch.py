"""``task launch``: run a command as a watched task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import EndpointUrl, Seconds, Size
from context_bus.cli.output import say
from context_bus.cli.task_completing import task_ids
from context_bus.cli.task_database import made
from context_bus.cli.task_options import Span, TaskId, Variable, db_option, info_options, name_option

if TYPE_CHECKING:
    from context_bus.watch.order import Order


@click.command(
    "launch",
    context_settings={"allow_interspersed_args": False},
    epilog=examples(
        "{command} -- sleep 0.2",
        "{command} --name backup --max_runtime 1h -- sh -c 'echo saved; exit 0'",
        "ID=$({command} --detach -- sleep 0.5) && context-bus task wait $ID",
        "{command} --taskid $(context-bus task reserve) --output report.log -- date",
    ),
)
@click.argument("argv", metavar="-- COMMAND [ARGUMENT]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--taskid",
    type=TaskId(),
    metavar="ID",
    shell_complete=task_ids,
    help="The reservation to take up.  [default: a new id]",
)
@name_option("Name of the task.  [default: that of the reservation, or of the command]")
@info_options
@click.option("-d", "--detach", is_flag=True, help="Print the id, and leave the task to run on by itself.")
@click.option(
    "--feedpath",
    type=click.Path(path_type=Path),
    help="Directory in which it writes feedback_ID.log.  [default: here, if feedback is expected]",
)
@click.option(
    "--expect_feedback",
    "--expect-feedback",
    is_flag=True,
    help="The command gives feedback, though --feedback is none of its arguments.",
)
@click.option(
    "--timeout",
    type=Seconds(positive=True),
    default=30.0,
    show_default=True,
    help="Seconds without the feedback that is expected, after which the command is ended.",
)
@click.option(
    "--grace",
    type=Seconds(),
    default=2.0,
    show_default=True,
    help="Seconds from SIGTERM to SIGKILL for what has not ended.",
)
@click.option("--max_runtime", "--max-runtime", type=Span(), help="End it after so long: 90s, 1h30m, 2d.")
@click.option(
    "--cwd",
    type=click.Path(file_okay=False, exists=True),
    metavar="DIR",
    help="Where it runs.  [default: here]",
)
@click.option("--env", type=Variable(), multiple=True, metavar="NAME=VALUE", help="Set in its environment.")
@click.option(
    "--stdin", type=click.Choice(["pass", "close"]), default="pass", show_default=True, help="What it reads."
)
@click.option(
    "--output", type=click.Path(dir_okay=False), default="", help="Append what it writes to this file."
)
@click.option("--error", type=click.Path(dir_okay=False), default="", help="Its errors, if not to --output.")
@click.option("--max_bytes", "--max-bytes", type=Size(), help="Begin a new file at this size: 500K, 20M.")
@click.option(
    "--backups",
    type=click.IntRange(min=0),
    metavar="N",
    default=3,
    show_default=True,
    help="Full files to keep.",
)
@click.option(
    "--on_orphan",
    "--on-orphan",
    type=click.Choice(["end", "adopt"]),
    default="end",
    show_default=True,
    help="What becomes of the command when a part of the launcher is killed.",
)
@click.option(
    "--instances",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="Run it so many times at once, each a task.",
)
@click.option(
    "--retain", type=Span(), envvar="CONTEXT_BUS_TASK_RETAIN", help="Forget older history at the end: 30d."
)
@click.option("--bus", type=EndpointUrl(), help="Tell the bus: BackendEndpoint of a forwarder.")
@click.option("--compat_rc", "--compat-rc", is_flag=True, help="Exit with 0, however the command ends.")
@db_option
def command(argv: tuple[str, ...], detach: bool, compat_rc: bool, db: Path | None, **options: Any) -> None:
    """Run COMMAND as a watched task, and exit as it does.

    It is found by 'task list' while it runs, and in 'task history' afterwards. Its input and output are those
    of this command, and signals are passed on. If it gives feedback (--feedback is among its arguments, or
    --expect_feedback) and then none for --timeout seconds, it is ended with all that it started.

    Exits with the code of COMMAND; 128+N if signal N ended it; 124 after --timeout or --max_runtime; 126 if
    it cannot be executed, 127 if there is none; 7 if the task may not start.
    """
    order = _order(argv, options)
    path = made(db)
    if detach:
        from context_bus.watch.detaching import detach as detach_all

        for taskid in detach_all(path, order):
            say(str(taskid))
        return
    from context_bus.watch.front import launch

    code = launch(path, order)
    click.get_current_context().exit(0 if compat_rc else code)


def _order(argv: tuple[str, ...], options: Mapping[str, Any]) -> Order:
    from context_bus.watch.order import Order

    expects = options["expect_feedback"]
    named = {name: value for name, value in options.items() if name != "expect_feedback"}
    named |= {name: options[name] or "" for name in ("name", "cwd", "bus")}
    named |= {"env": dict(options["env"]), "max_bytes": options["max_bytes"] or 0}
    return Order(argv, expects_feedback=expects, **named)
