"""``context-bus demo``: two contexts of the checkout from start to stop, in half a minute."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.border import Invocation
from context_bus.cli.lazy import examples
from context_bus.cli.output import say
from context_bus.errors import ConfigurationError, ContextError, Fault

if TYPE_CHECKING:
    from context_bus.cli.stage import Stage
    from context_bus.client.conversation import Conversation
    from context_bus.config.model import ContextConf

#: Files of the checkout that are shown.
ECHO, MORNING = "Conf/Context-EchoAction.xml", "Conf/Context-StateMachine.xml"
#: Seconds between two shouts, so that nobody has to wait for ten.
PERIOD = "2"
#: Shouts to wait for.
SHOUTS = 2
#: Seconds within which what is waited for has to happen.
PATIENCE = 12.0


@click.command("demo", epilog=examples("{command}"))
@click.pass_obj
def command(invocation: Invocation) -> None:
    """Show two contexts from start to stop, in half a minute.

    First one service that shouts the time, commanded by hand; then four that start each other. Ends
    with a look whether anything was left behind.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="context-bus-demo-") as directory:
        _echo(invocation.home, Path(directory))
        _morning(invocation.home, Path(directory))
    _title(f"That was all, in {time.monotonic() - began:.0f} seconds. Now read README.md.")


def _echo(home: Path, directory: Path) -> None:
    """One service: started, asked, restarted and ended by commands."""
    conf, file = _prepare(home, ECHO, directory)
    _title("1. A context of one service, which shouts the time")
    _prompt(f"context-bus service-context {file}")
    with _open(conf, file, directory) as (stage, watch):
        _title(f"   Nothing runs yet. Start it (shouting every {PERIOD} s, where the file says 10):")
        _conf_command(_faster(conf), file, "start", "ECHO")
        _await(watch, "updated", conf.services[0].id, SHOUTS)
        _title("   What runs?")
        _conf_command(conf, file, "request", "ECHO")
        _title("   Restart it, then end everything:")
        _conf_command(conf, file, "restart", "ECHO")
        _conf_command(conf, file, "exit", "ECHO")
        stage.wait_end()
    _verify(stage)


def _morning(home: Path, directory: Path) -> None:
    """Four services, each started by the end of the one before."""
    conf, file = _prepare(home, MORNING, directory)
    _title("2. Four services that start each other: stand, walk, drink a coffee, run")
    _prompt(f"context-bus service-context {file}")
    with _open(conf, file, directory) as (stage, watch):
        _conf_command(conf, file, "start", "MORNING")
        _await(watch, "stopped", conf.services[-1].id, 1)
        _title("   A signal ends a provider in order, too:")
        _prompt("kill -TERM PROVIDER")
        stage.terminate()
    _verify(stage)


@contextmanager
def _open(conf: ContextConf, file: Path, state: Path) -> Iterator[tuple[Stage, Conversation]]:
    """A provider that keeps nothing in the checkout, and a listener to its reports that misses none."""
    from context_bus.cli.stage import Stage
    from context_bus.client.conversation import Conversation

    with (
        Stage(conf, file, ("--state", str(state))) as stage,
        Conversation(stage.endpoints, ("control",)) as watch,
    ):
        watch.open()
        yield stage, watch


def _prepare(home: Path, name: str, directory: Path) -> tuple[ContextConf, Path]:
    """The context, and its file as it can be run here: on other ports if its own are taken."""
    from context_bus.cli.stage import is_taken, with_free_ports
    from context_bus.config.load import read_context

    path = next((place / name for place in (home, Path.cwd()) if (place / name).is_file()), None)
    if path is None:
        raise ConfigurationError([Fault("the demo shows files of a checkout", "run it in one", name)])
    conf = read_context(path)
    if is_taken(conf.front_bind) or is_taken(conf.backend_bind):
        say("(the ports of the file are in use here, so this is a copy on others)")
        return with_free_ports(conf, directory)
    shown = Path(os.path.relpath(path))
    return conf, shown if len(str(shown)) < len(str(path)) else path


def _faster(conf: ContextConf) -> ContextConf:
    services = tuple(
        replace(service, configuration={**service.configuration, "period": PERIOD})
        for service in conf.services
    )
    return replace(conf, services=services)


def _conf_command(conf: ContextConf, file: Path, action: str, transaction: str) -> None:
    """Do what ``conf_command.py`` does, by the code that it runs."""
    from context_bus.cli.follow import carry_out
    from context_bus.client.endpoints import Endpoints
    from context_bus.context.request import Request

    name = "state" if action == "request" else "context"
    more = " --service_name=state" if name == "state" else ""
    _prompt(f"context-bus conf-command --action={action} --transaction={transaction} \\")
    _prompt(f"    --context_file={file}{more}", sign=" ")
    endpoints = Endpoints(conf.front_end_endpoint, conf.backend_endpoint)
    request = Request(action, name, transaction=transaction)
    carry_out(request, conf, endpoints, timeout=PATIENCE)


def _await(watch: Conversation, action: str, service_id: str, count: int) -> None:
    """Wait for reports of a service; its provider shows them meanwhile."""
    for _, header, _ in watch.answers(time.monotonic() + PATIENCE):
        count -= header.action == action and header.service_id == service_id
        if not count:
            return
    raise ContextError(f"service {service_id} did not report {action} within {PATIENCE:g} s")


def _verify(stage: Stage) -> None:
    """Look whether anything is left of a provider."""
    left = stage.leftovers()
    if left:
        raise ContextError(f"left behind: {', '.join(left)}")
    say(click.style("   Nothing is left: no process, and both ports are free again.", fg="green"))


def _title(text: str) -> None:
    say()
    say(click.style(text, bold=True))


def _prompt(text: str, sign: str = "$") -> None:
    say(click.style(f"{sign} {text}", fg="cyan"))
