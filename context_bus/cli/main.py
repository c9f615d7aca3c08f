"""The two ways in: ``context-bus COMMAND`` and the scripts in tools/.

Knows the names of all commands and imports only the one that was chosen; what a command does
stands in ``commands/``, one file each, under the name ``command``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from context_bus._version import VERSION
from context_bus.cli.border import Invocation, leave, run
from context_bus.cli.lazy import LazyGroup, debug_option, examples, load

#: Package that holds one module per command.
PACKAGE = "context_bus.cli.commands"

#: Every command with its line in the overview, in the order of a first day's work.
COMMANDS = {
    "demo": "Show a context from start to stop, in half a minute.",
    "create-service": "Write the skeleton of services and their context file.",
    "check": "Name every fault of a context file or service list.",
    "convert": "Turn a context file from XML into YAML, or back.",
    "docs": "Write which topics and messages the services of a context have.",
    "service-context": "Run the provider of a context and watch what happens.",
    "ps": "Show the services of a running provider, and how they are.",
    "top": "Watch services live: CPU, memory, messages; start, stop, follow them.",
    "start": "Start services.",
    "stop": "Stop services; a stop is remembered.",
    "restart": "Restart services.",
    "scale": "Have more or fewer instances of a service.",
    "reload": "Apply the edited context file; --dry_run shows what would be done.",
    "wait": "Wait until services are ready, stopped, completed.",
    "logs": "Show what services have written, and follow it.",
    "events": "Show what has happened, and follow it.",
    "task": "Run any command watched: reserve, launch, list, wait, kill, history and so on.",
    "monitor": "Read what monitors have recorded: history, list.",
    "plot": "Draw CPU and memory of services over time.",
    "metrics": "Serve states, CPU, memory and messages to Prometheus.",
    "graph": "Draw what services start, stop, restart and require.",
    "dashboard": "Show all of it as a page in your browser.",
    "context": "The same commands by another name: context reload, context ps and so on.",
    "conf-command": "Start, stop, restart, end or ask a context, and see the outcome.",
    "display": "Print every message of an endpoint.",
    "bus": "Look at topics: echo, last, list, top, hz, bw, latency, pub, req; record and play them.",
}


@click.group(
    cls=LazyGroup,
    package=PACKAGE,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "context-bus check Conf/Context-EchoAction.xml",
        "context-bus conf-command --help",
        'eval "$(_CONTEXT_BUS_COMPLETE=bash_source context-bus)"  # tab completion; zsh_source for zsh',
    ),
)
@click.version_option(VERSION, prog_name="context-bus", message="%(prog)s %(version)s")
def context_bus() -> None:
    """Contexts of task services on a ZeroMQ bus: run them, command them, look at them."""


context_bus.params.append(debug_option())


def main(args: Sequence[str] | None = None) -> None:
    """Run ``context-bus`` with these arguments, by default the process's own, and exit."""
    home = Path(__file__).resolve().parents[2]
    invocation = Invocation(home=home)
    leave(run(context_bus, "context-bus", args, invocation), invocation)


def run_tool(name: str) -> None:
    """Run one command under the name of the script that was called, and exit.

    Args:
        name: The command, e.g. ``conf_command``.
    """
    script = Path(sys.argv[0])
    called = f"python {script}"
    home = script.resolve().parent.parent
    sys.exit(run(load(PACKAGE, name, called), called, None, Invocation(home=home)))
