"""``logs``: what services have written, and what they write."""

from __future__ import annotations

from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.output import colour_of, say_json
from context_bus.cli.provider_options import provider_options, service_arguments, transaction_option
from context_bus.client.whereabouts import endpoints_of


@click.command("logs", epilog=examples("{command} ts_100 -n 20 -c Conf/Context-EchoAction.xml"))
@service_arguments
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=50, show_default=True, help="Of each.")
@transaction_option()
@provider_options
def command(
    names: tuple[str, ...],
    follow: bool,
    lines: int,
    transaction: str,
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
    as_json: bool,
) -> None:
    """Show the last lines that services wrote, with their names where there are several, and follow them.

    Exits with 5 if the provider knows no such service or its files are on another machine.
    """
    from context_bus.client.asking import choose_tasks, choose_transaction, open_conversation, services
    from context_bus.errors import CommandRejected

    with open_conversation(endpoints_of(context_file, publish, listen, state)) as conversation:
        one = choose_transaction(services(conversation), transaction)
    tasks = choose_tasks(one.tasks, names)
    files = {task.service_id: Path(task.log) for task in tasks if task.log}
    for task in tasks:
        if not task.log and names:
            raise CommandRejected(f"{task.service_id} writes to no file of its own; see <output>")
    if not files:
        raise CommandRejected("no service writes to a file of its own; see <output>")
    if not any(file.parent.is_dir() for file in files.values()):
        place = next(iter(files.values())).parent
        raise CommandRejected(f"no {place} here: is the provider on another machine?")
    if follow:
        _follow(files, lines, as_json)
    else:
        _print_last(files, lines, as_json)


def _print_last(files: dict[str, Path], lines: int, as_json: bool) -> None:
    from context_bus.process.tail import last_lines

    width = max(map(len, files)) if len(files) > 1 else 0
    for name, file in files.items():
        for line in last_lines(file, lines):
            _print(name, line, width, as_json)


def _follow(files: dict[str, Path], lines: int, as_json: bool) -> None:
    import asyncio

    from context_bus.process.tail import follow

    width = max(map(len, files)) if len(files) > 1 else 0

    async def go() -> None:
        async for name, text in follow(files, lines):
            for line in text.splitlines():
                _print(name, line, width, as_json)

    asyncio.run(go())


def _print(name: str, line: bytes, width: int, as_json: bool) -> None:
    text = line.decode(errors="replace")
    if as_json:
        say_json({"service": name, "line": text})
    elif width:
        click.echo(f"{click.style(name.ljust(width), fg=colour_of(name))} | {text}")
    else:
        click.echo(text)
