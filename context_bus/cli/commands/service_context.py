"""``service_context``: run the provider of a context and watch what happens."""

from __future__ import annotations

import contextlib
import gc
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import FileInProject, json_option
from context_bus.cli.output import remark
from context_bus.cli.screen import Screen

if TYPE_CHECKING:
    from context_bus.config.model import ContextConf
    from context_bus.context.provider import Provider
    from context_bus.context.trace import ProviderEvent
    from context_bus.store.place import Place

#: Exit code after the signal that ended the provider; SIGTERM is how an orderly end is asked for.
EXIT_CODES = {"SIGINT": 130, "SIGINT again": 130, "SIGTERM again": 143}


@click.command(
    "service_context",
    epilog=examples(
        "{command} Conf/Context-EchoAction.xml",
        "{command} Conf/Context-StateMachine.xml --start=MORNING",
        "{command} Conf/Context-EchoAction.xml --json --start --log_level=info --log_file=echo.log",
    ),
)
@click.argument("file", type=FileInProject())
@click.option(
    "--start",
    "transaction",
    is_flag=False,
    flag_value="",
    metavar="[TRANSACTION]",
    help="Start every service at once; without a name, one is generated.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@json_option("Print one JSON object per event.")
@click.option("--insecure", is_flag=True, help="Bind endpoints that other machines can reach.")
@click.option(
    "--allow_location",
    "allowed",
    type=click.Path(exists=True, file_okay=False),
    multiple=True,
    help="Directory that services may be loaded from, besides the file's own.",
)
@click.option("--reload", is_flag=True, help="Restart a service when its code is edited.")
@click.option(
    "--state",
    type=click.Path(file_okay=False),
    default="",
    envvar="CONTEXT_BUS_STATE",
    help="Directory for what must survive.  [default: .context_bus beside FILE]",
)
@click.option(
    "--store",
    default="",
    metavar="URL",
    envvar="CONTEXT_BUS_STORE",
    help="Database for it: postgresql://USER@HOST/DATABASE.",
)
@click.option("--fresh", is_flag=True, help="Bring nothing back that a killed provider had running.")
@click.option(
    "--keep_services",
    is_flag=True,
    help="Let services outlive a killed provider; the next one takes them over as they are.",
)
@click.option(
    "--policy",
    type=click.Choice(["drop", "block"]),
    default="drop",
    show_default=True,
    help="What the forwarder does with a listener that is too slow.",
)
@click.option(
    "--log_level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
    help="Which log records to write.",
)
@click.option(
    "--log_file", type=click.Path(dir_okay=False), default="", help="Write them here, not to stderr."
)
def command(
    file: Path,
    transaction: str | None,
    quiet: bool,
    as_json: bool,
    insecure: bool,
    allowed: tuple[str, ...],
    reload: bool,
    state: str,
    store: str,
    fresh: bool,
    keep_services: bool,
    policy: str,
    log_level: str,
    log_file: str,
) -> int:
    """Run the provider of the context in FILE and show what happens, until Ctrl-C or an exit command.

    No service runs until it is commanded, or until --start; what a provider of FILE had running when it
    was killed is brought back. Exits with 2 if FILE has faults, with 3 if its endpoints cannot be bound,
    with 9 if another provider runs it.
    """
    place = _begin(file, state, keeps=keep_services)
    from context_bus.cli.logs import LogSettings, configure, redirected

    logs = LogSettings(log_level, str(Path(log_file).absolute()) if log_file else "", as_json)
    configure(logs)
    conf = _usable(file)
    from context_bus.context.journal import Keep
    from context_bus.context.provider import Provider
    from context_bus.kernel.ids import new_transaction

    if insecure:
        remark("warning: --insecure: whoever reaches these ports can run code here")
    with _screen(sys.stderr) as errors, _screen(sys.stdout) as out, redirected(errors):
        provider = Provider(
            conf,
            insecure=insecure,
            allowed=allowed,
            on_event=_view(conf, out, quiet=quiet, as_json=as_json),
            transaction=(transaction or new_transaction()) if transaction is not None else "",
            policy="block" if policy == "block" else "drop",
            prepare=logs.for_child(),
            reload=reload,
            keep=Keep(place, store, fresh, keep_services),
            terminal=None if quiet or as_json else sys.stdout.fileno(),
        )
        return _run(provider)


def _begin(file: Path, state: str, *, keeps: bool) -> Place:
    """Have a process start that takes its time, before the rest of this one is imported."""
    from context_bus.context.preloading import begin_early
    from context_bus.store.place import place_of

    gc.disable()  # nothing that is imported is garbage
    place = place_of(file, state)
    begin_early(place, keeps=keeps)
    return place


def _run(provider: Provider) -> int:
    """Run the provider to its end; returns the exit code."""
    import asyncio

    gc.freeze()
    gc.enable()
    return EXIT_CODES.get(asyncio.run(provider.run()), 0)


def _usable(file: Path) -> ContextConf:
    """Read the context file, and refuse what cannot work, here or anywhere."""
    from context_bus.config.load import read_context
    from context_bus.context.forecast import refuse_faults
    from context_bus.context.preloading import preload_for

    conf = read_context(file)
    refuse_faults(conf)
    preload_for(conf)
    return conf


@contextlib.contextmanager
def _screen(stream: TextIO) -> Iterator[TextIO]:
    """The stream, written to by somebody else if it can keep its writer waiting."""
    if not Screen.is_needed(stream):
        yield stream
        return
    screen = Screen(stream)
    try:
        yield cast("TextIO", screen)  # as much of one as is asked of it here
    finally:
        screen.close()


def _view(conf: ContextConf, out: TextIO, *, quiet: bool, as_json: bool) -> Callable[[ProviderEvent], None]:
    """What to do with each event."""
    from context_bus.cli import live_view

    if quiet:
        return lambda event: None
    echo = _lasting_echo(out)
    if as_json:
        return lambda event: echo(live_view.as_json(event, time.time()))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    called = Path(click.get_current_context().command_path)
    by_script = called.suffix == ".py"
    commander = str(called.with_name("conf_command.py")) if by_script else "context-bus conf-command"
    return live_view.LiveView(echo, width, commander, conf.services)


def _lasting_echo(out: TextIO) -> Callable[[str], None]:
    """Print lines as long as somebody reads them: services must not end since a terminal closed."""
    is_open = True

    def echo(text: str) -> None:
        nonlocal is_open
        if is_open:
            try:
                click.echo(text, out)
            except OSError:
                is_open = False

    return echo
