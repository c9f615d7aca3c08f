"""``wait``: until services are as one wants them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.output import say, say_json, styled_state
from context_bus.cli.provider_options import command_options, service_arguments
from context_bus.client.whereabouts import endpoints_of

if TYPE_CHECKING:
    from context_bus.client.asking import Task
    from context_bus.client.dialogue import Dialogue
    from context_bus.client.endpoints import Endpoints

#: States that meet a wish, by its word on the command line.
MEETS = {
    "ready": frozenset({"started", "updated"}),
    "started": frozenset({"created", "warming", "started", "updated"}),
    "stopped": frozenset({"stopped", "exited", "failed", "fatal", "defined"}),
    "exited": frozenset({"exited", "failed", "fatal"}),
    "completed": frozenset({"exited"}),
    "failed": frozenset({"failed", "fatal"}),
}
#: States in which nothing more will come of it, by wish: nobody starts such a service again.
IN_VAIN = {
    "ready": frozenset({"stopped", "exited", "failed", "fatal"}),
    "started": frozenset({"stopped", "exited", "failed", "fatal"}),
    "stopped": frozenset[str](),
    "exited": frozenset({"stopped"}),
    "completed": frozenset({"stopped", "failed", "fatal"}),
    "failed": frozenset({"stopped", "exited"}),
}


@click.command(
    "wait",
    epilog=examples(
        "{command} ts_100 -c Conf/Context-EchoAction.xml", "{command} ts_100 --for started --timeout 10"
    ),
)
@service_arguments
@click.option(
    "--for", "wish", type=click.Choice(list(MEETS)), default="ready", show_default=True, help="What for."
)
@command_options
def command(
    names: tuple[str, ...],
    wish: str,
    transaction: str,
    timeout: float,
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
    as_json: bool,
) -> None:
    """Wait until every SERVICE, or every one there is, is as wanted.

    \b
    ready      it runs, and is ready
    started    it runs
    stopped    it does not run, whyever
    exited     it has ended by itself, well or not
    completed  it has ended by itself, as planned
    failed     it has failed, and is not tried again

    Exits with 5 as soon as that cannot come any more, or when --timeout passes; with 3 if there is no
    provider.
    """
    endpoints = endpoints_of(context_file, publish, listen, state)
    phases = _wait(endpoints, names, wish, transaction, timeout)
    if as_json:
        say_json(phases)
    else:
        for name, phase in phases.items():
            say(f"{name} {styled_state(phase)}")


def _wait(
    endpoints: Endpoints, names: tuple[str, ...], wish: str, transaction: str, timeout: float
) -> dict[str, str]:
    """Listen first, then ask, then follow what happens; nothing is asked again without a reason."""
    from context_bus.client.asking import choose_tasks, choose_transaction, open_conversation, services
    from context_bus.client.happenings import NEVER, live, past
    from context_bus.context.commands import EVENT_TOPIC
    from context_bus.errors import CommandTimeout

    deadline = time.monotonic() + timeout
    with open_conversation(endpoints, EVENT_TOPIC) as conversation:
        seen = past(conversation, NEVER).last
        one = choose_transaction(services(conversation), transaction)
        found = {task.service_id: task for task in choose_tasks(one.tasks, names)}
        phases = {name: task.phase for name, task in found.items()}
        _judge(phases, wish, found)
        if _is_met(phases, wish):
            return phases
        for event in live(conversation, seen, deadline):
            if event.transaction != one.name or event.service_id not in phases or "new" not in event.data:
                continue
            # The reply stands in the stream of events: it knows of those that it overtook here.
            found = {task.service_id: task for task in _asked_again(conversation, one.name)}
            phases = {name: found[name].phase if name in found else "stopped" for name in phases}
            _judge(phases, wish, found)
            if _is_met(phases, wish):
                return phases
    late = ", ".join(f"{name} is {phase}" for name, phase in phases.items() if phase not in MEETS[wish])
    raise CommandTimeout(f"not {wish} within {timeout:g} s: {late}")


def _is_met(phases: dict[str, str], wish: str) -> bool:
    return all(phase in MEETS[wish] for phase in phases.values())


def _asked_again(conversation: Dialogue, transaction: str) -> tuple[Task, ...]:
    from context_bus.client.asking import services

    found = services(conversation)
    return next((each.tasks for each in found.transactions if each.name == transaction), ())


def _judge(phases: dict[str, str], wish: str, found: dict[str, Task]) -> None:
    """Give up as soon as it is certain that the wish will not be met."""
    from context_bus.errors import CommandFailed

    for name, phase in phases.items():
        task = found.get(name)
        if phase in IN_VAIN[wish] and phase not in MEETS[wish] and (task is None or not task.wanted):
            why = task.reason if task is not None and task.reason else f"it is {phase}"
            raise CommandFailed(f"{name} will not be {wish}: {why}")
