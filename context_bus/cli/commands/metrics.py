"""``metrics``: services and bus of a running provider for Prometheus."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import MAX_PORT
from context_bus.cli.output import remark
from context_bus.cli.provider_options import where_options
from context_bus.client.whereabouts import endpoints_of
from context_bus.errors import ConfigurationError, Fault

if TYPE_CHECKING:
    from context_bus.view.live import Live

#: Port that exporters of OpenTelemetry have made a habit of.
PORT = 9464


@click.command(
    "metrics",
    epilog=examples("{command} -c Conf/Context-EchoAction.xml", "{command} --port 9500", "{command} --once"),
)
@click.option(
    "--port",
    type=click.IntRange(0, MAX_PORT),
    default=PORT,
    show_default=True,
    help="Port; 0 for a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind.")
@click.option("--insecure", is_flag=True, help="Let other machines read it.")
@click.option("--once", is_flag=True, help="Print the text and end.")
@where_options
def command(
    port: int,
    host: str,
    insecure: bool,
    once: bool,
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
) -> None:
    """Serve states, restarts, CPU, memory and messages of a running provider's services to Prometheus.

    Serves until Ctrl-C. A provider that is gone is told as context_bus_provider_up 0. With --once exits with
    3 if no provider is there.
    """
    try:
        from context_bus.view.exposing import served, text_of
    except ImportError:
        remedy = "install it: pip install 'context-bus[metrics]'"
        raise ConfigurationError([Fault("metrics need the package prometheus-client", remedy)]) from None
    from context_bus.view.live import Live

    endpoints_of(context_file, publish, listen, state)  # so that a slip is told before anything is served
    with Live(lambda: endpoints_of(context_file, publish, listen, state)) as live:
        if once:
            _print(live, text_of)
            return
        with served(live, host, port, insecure=insecure) as url, _until_terminated() as is_over:
            remark(f"serving {url}; end it by Ctrl-C")
            is_over.wait()


def _print(live: Live, text_of: Callable[[Live], bytes]) -> None:
    from context_bus.client.asking import HINT
    from context_bus.errors import NobodyListens
    from context_bus.view.once import settled

    settled(live)
    click.echo(text_of(live).decode(), nl=False)
    if live.latest.trouble:
        raise NobodyListens(f"{live.latest.trouble}; {HINT}")


@contextmanager
def _until_terminated() -> Iterator[threading.Event]:
    """An event that is set when somebody ends us in order; Ctrl-C interrupts as ever."""
    over = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: over.set())
    try:
        yield over
    finally:
        signal.signal(signal.SIGTERM, before)
