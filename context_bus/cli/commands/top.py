"""``top``: services of a running provider live in the terminal, with what they use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import Seconds
from context_bus.cli.output import remark, say_json, say_table
from context_bus.cli.provider_options import provider_options, service_arguments, transaction_option
from context_bus.client.whereabouts import endpoints_of

if TYPE_CHECKING:
    from context_bus.view.live import Live
    from context_bus.view.snapshot import Snapshot
    from context_bus.view.terminal.services import Choice

#: Words of ``--sort``, as in ``view.terminal.services``, which is not imported for a help text.
SORTS = ("cpu", "rss", "name", "state", "restarts", "messages")


@click.command(
    "top",
    epilog=examples(
        "{command} -c Conf/Context-EchoAction.xml", "{command} --once --sort cpu", "{command} 'ts_*' --json"
    ),
)
@service_arguments
@transaction_option("Only this transaction.")
@click.option(
    "--every", type=Seconds(positive=True), default=1.0, show_default=True, help="Seconds between two looks."
)
@click.option("--sort", type=click.Choice(SORTS), default=None, help="Order.  [default: as in the file]")
@click.option("--once", is_flag=True, help="Print the table once, as it does into a pipe.")
@provider_options
def command(
    names: tuple[str, ...],
    transaction: str,
    every: float,
    sort: str | None,
    once: bool,
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
    as_json: bool,
) -> None:
    """Show the services of a running provider live: state, CPU, memory, messages, and why they failed.

    SERVICE is an id (ts_100 means all its instances), or a pattern such as 'ts_*'. Keys start, stop and
    restart the chosen service and follow its log; '?' shows them all, 'q' quits. A provider that is gone is
    waited for. With --once and --json exits with 3 if no provider is there, with 5 if it knows no such
    service.
    """
    from context_bus.view.live import Live
    from context_bus.view.terminal.services import Choice

    endpoints_of(context_file, publish, listen, state)  # so that a slip is told before anything is shown
    choice = Choice(names, transaction, "", sort or "")
    # It is painted on standard error, as Textual does.
    is_live = not (once or as_json) and all(e.isatty() for e in (sys.stdin, sys.stdout, sys.stderr))
    with Live(lambda: endpoints_of(context_file, publish, listen, state), every) as live:
        if is_live:
            from context_bus.view.terminal.run import run_top

            if code := run_top(live, choice, every):
                click.get_current_context().exit(code)
        else:
            _print(live, choice, as_json=as_json)


def _print(live: Live, choice: Choice, *, as_json: bool) -> None:
    from context_bus.client.asking import HINT
    from context_bus.errors import NobodyListens
    from context_bus.view.once import document, settled, table
    from context_bus.view.terminal.services import groups

    found = settled(live)
    if found.trouble:
        raise NobodyListens(f"{found.trouble}; {HINT}")
    _refuse_slips(found, choice)
    chosen = [row.service for group in groups(found, choice) for row in group.rows]
    if as_json:
        say_json(document(found, tuple(chosen)), indent=2)
        return
    if not chosen:
        remark("no services yet; start them with 'context-bus start'")
        return
    say_table(*table(chosen, found.at))


def _refuse_slips(found: Snapshot, choice: Choice) -> None:
    """Tell of a transaction or a service that there is not, as the other commands do."""
    from context_bus.client.asking import choose_tasks, choose_transaction
    from context_bus.view.once import as_told

    known = as_told(found)
    chosen = [choose_transaction(known, choice.transaction)] if choice.transaction else known.transactions
    choose_tasks([task for each in chosen for task in each.tasks], choice.names)
