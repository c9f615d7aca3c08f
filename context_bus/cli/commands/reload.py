"""``reload``: let a running provider apply its edited context file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import Seconds
from context_bus.cli.output import say, say_json, say_table
from context_bus.cli.provider_options import TIMEOUT, provider_options
from context_bus.client.whereabouts import endpoints_of

if TYPE_CHECKING:
    from context_bus.client.outcome import Outcome


@click.command("reload", epilog=examples("{command} --dry_run -c Conf/Context-EchoAction.xml"))
@click.option("--dry_run", "--dry-run", is_flag=True, help="Only show what would be done.")
@click.option(
    "--timeout",
    type=Seconds(positive=True),
    default=TIMEOUT,
    show_default=True,
    help="Seconds to wait for the outcome.",
)
@provider_options
def command(
    dry_run: bool,
    timeout: float,
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
    as_json: bool,
) -> None:
    """Apply the context file of a running provider as it is now.

    Services that are new start, those that are gone stop, those that changed restart, and nobody else
    notices. A file with faults changes nothing. Exits with 5 if it cannot be applied.
    """
    from context_bus.cli.ordering import observer
    from context_bus.cli.outcome import check_outcome, print_outcome
    from context_bus.client.asking import open_conversation
    from context_bus.client.ordering import send
    from context_bus.context.commands import AnswerKind

    with open_conversation(endpoints_of(context_file, publish, listen, state)) as conversation:
        configuration = {"dry_run": dry_run}
        outcome = send(conversation, "reload", "", "", configuration, timeout, observer(as_json=as_json))
    if as_json:
        document = {
            "dry_run": dry_run,
            "outcome": outcome.kind,
            "reason": outcome.reason,
            "plan": outcome.plan,
            "services": outcome.services,
        }
        say_json(document, indent=2)
    elif outcome.kind is not AnswerKind.REJECTED:
        _print_plan(outcome)
        if not dry_run and outcome.services:
            return print_outcome("reload", outcome, as_json=False)
    check_outcome("reload", outcome)
    return None


def _print_plan(outcome: Outcome) -> None:
    changes = [row for row in outcome.plan if row.change != "keep"]
    if not changes:
        say("nothing differs")
        return
    say_table(("service", "change", "why"), [(row.service_id, row.change, row.reason) for row in changes])
    kept = len(outcome.plan) - len(changes)
    if kept:
        say(f"{kept} kept as {'it is' if kept == 1 else 'they are'}")
