"""``ps``: every service of a running provider, and how it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.output import remark, say_json, say_table
from context_bus.cli.provider_options import provider_options, service_arguments, transaction_option
from context_bus.client.whereabouts import endpoints_of
from context_bus.view.figures import span

if TYPE_CHECKING:
    from context_bus.client.asking import Services, Task

COLUMNS = ("service", "transaction", "state", "pid", "up", "starts", "note")


@click.command("ps", epilog=examples("{command} -c Conf/Context-EchoAction.xml", "{command} ts_100 --json"))
@service_arguments
@transaction_option("Only this transaction.")
@provider_options
def command(
    names: tuple[str, ...],
    transaction: str,
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
    as_json: bool,
) -> None:
    """Show the services of a running provider: state, process, since when, how often started, and why.

    SERVICE is an id (ts_100 means all its instances), or a pattern such as 'ts_*'. Exits with 3 if no
    provider is there, with 5 if it knows no such service.
    """
    from context_bus.client.asking import choose_tasks, choose_transaction, open_conversation, services

    with open_conversation(endpoints_of(context_file, publish, listen, state)) as conversation:
        found = services(conversation)
    chosen = [choose_transaction(found, transaction)] if transaction else found.transactions
    if names:
        choose_tasks([task for each in chosen for task in each.tasks], names)  # so that a slip is told
    rows = [(each.name, task) for each in chosen for task in each.tasks if _is_chosen(task, names)]
    if as_json:
        _print_json(found, rows)
        return
    if not rows:
        remark("no services yet; start them with 'context-bus start'")
        return
    now = time.time()
    say_table(COLUMNS, [_row(name, task, now) for name, task in rows])


def _is_chosen(task: Task, names: tuple[str, ...]) -> bool:
    from context_bus.client.asking import is_meant

    return not names or any(is_meant(task.service_id, name) for name in names)


def _print_json(found: Services, rows: list[tuple[str, Task]]) -> None:
    import msgspec

    tasks = [{"transaction": name, **msgspec.to_builtins(task)} for name, task in rows]
    say_json({"provider": found.provider, "services": tasks}, indent=2)


def _row(transaction: str, task: Task, now: float) -> tuple[object, ...]:
    up = span(now - task.since) if task.pid and task.since else None
    last = f"last: {task.last_end}" if task.pid and task.last_end else task.last_end
    note = "frozen" if task.frozen else task.complaint or task.reason or last
    state = task.phase or task.action
    return (task.service_id, transaction, state, task.pid, up, task.starts, note)
