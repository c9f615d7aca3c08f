"""``graph``: the services of a context file, and what they do to each other, as a picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import FileInProject, json_option
from context_bus.cli.output import remark, say, say_json

if TYPE_CHECKING:
    from context_bus.bus.insight import Delivery
    from context_bus.client.asking import Services
    from context_bus.client.endpoints import Endpoints
    from context_bus.view.graph import Graph

#: Kinds of files that can be written, by the end of their names; Mermaid is text.
KINDS = (".svg", ".png", ".mmd")
#: Seconds to wait for the first report of what passes the bus, for another one, and for all.
PATIENCE, QUIET, LONGEST = 0.5, 0.15, 1.0


@click.command(
    "graph",
    epilog=examples(
        "{command} Conf/Context-StateMachine.xml", "{command} Conf/Context-StateMachine.xml -o services.svg"
    ),
)
@click.argument("file", type=FileInProject(), metavar="FILE")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Picture to write: .svg, .png or .mmd.  [default: Mermaid text on standard output]",
)
@click.option(
    "--live/--no-live",
    default=None,
    help="Show how the services are.  [default: if a provider runs the file on this machine]",
)
@click.option("-t", "--transaction", default="", help="Only this transaction.  [default: each]")
@click.option(
    "--state",
    type=click.Path(file_okay=False),
    default="",
    envvar="CONTEXT_BUS_STATE",
    help="State directory of the provider, if it was given one.",
)
@json_option("Print nodes and edges as JSON.")
def command(
    file: Path, output: Path | None, live: bool | None, transaction: str, state: str, as_json: bool
) -> None:
    """Draw the services of a context file: what each starts, stops, restarts and requires.

    Where a provider runs the file, each transaction is drawn with the states of its services. An arrow leads
    from a service to what it starts or restarts, a line with a bar to what it stops, a dotted one to what it
    requires, a thick one shows whose messages it has got. A .png needs the extra 'plot'. Exits with 2 if the
    file cannot be used.
    """
    from context_bus.config.load import read_context
    from context_bus.view.graph import graph_of, mermaid

    if output is not None and output.suffix.lower() not in KINDS:
        raise click.UsageError(f"'{output}' is no kind of picture: expected .svg, .png or .mmd")
    plain = graph_of(read_context(file))
    graphs = [plain]
    found = _ask(file, state, is_wanted=bool(live or transaction)) if live is not False else None
    if found is not None:
        graphs = _alive(plain, *found, transaction) or [plain]
    if as_json:
        say_json(graphs, indent=2)
    elif output is None:
        say(mermaid(graphs).rstrip("\n"))
    if output is not None:
        from context_bus.view.picture import write_picture

        write_picture(graphs, output)
        nodes, edges = (sum(len(getattr(each, name)) for each in graphs) for name in ("nodes", "edges"))
        remark(f"{output}: {_count(nodes, 'service')}, {_count(edges, 'edge')}")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _ask(file: Path, state: str, *, is_wanted: bool) -> tuple[Services, list[Delivery]] | None:
    """What the provider of a file says, and who gets messages of whom; None if none runs and none must.

    Raises:
        NobodyListens: None runs, and its states are wanted.
    """
    from context_bus.client.asking import open_conversation, services
    from context_bus.client.whereabouts import endpoints_of
    from context_bus.errors import BusError, ContextError

    endpoints = endpoints_of(file, None, None, state)
    # Without a door on this machine one would have to wait whether somebody answers on the bus.
    if not endpoints.socket and not is_wanted:
        return None
    try:
        with open_conversation(endpoints) as conversation:
            return services(conversation), _deliveries(endpoints)
    except (BusError, ContextError):
        if is_wanted:
            raise
        return None


def _deliveries(endpoints: Endpoints) -> list[Delivery]:
    """Who gets messages of whom; nodes tell their totals at once when somebody begins to listen."""
    from context_bus.client.insight import BusWatch

    with BusWatch(endpoints) as watch:
        deadline, timeout = time.monotonic() + LONGEST, PATIENCE
        while watch.read(timeout) and time.monotonic() < deadline:
            timeout = QUIET
        return watch.insight.deliveries()


def _alive(plain: Graph, found: Services, deliveries: list[Delivery], transaction: str) -> list[Graph]:
    """The graph of each transaction with its services as they are."""
    from context_bus.client.asking import choose_transaction
    from context_bus.view.graph import Being, trimmed, with_beings, with_messages

    chosen = [choose_transaction(found, transaction)] if transaction else found.transactions
    graphs = [
        with_beings(
            plain,
            each.name,
            [
                Being(task.service_id, task.phase or task.action, task.pid, task.complaint or task.last_end)
                for task in each.tasks
            ],
        )
        for each in chosen
    ]
    if len(found.transactions) > 1:
        graphs = [trimmed(each) for each in graphs]
    return [with_messages(each, deliveries) for each in graphs]
