"""``context-bus check``: faults, oddities and contents of context files and service lists."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from context_bus.config.model import ContextConf, TaskServiceConf
    from context_bus.config.report import Report
    from context_bus.errors import Fault

    #: Looks at one service of a context on this machine, and tells what will not work here.
    Look = Callable[[ContextConf, TaskServiceConf], Iterable[Fault]]

#: Exit code if any file has a fault: that of a configuration error.
EXIT_FAULTS = 2


@click.command(name="check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as a JSON list.")
@click.pass_context
def command(context: click.Context, files: tuple[str, ...], as_json: bool) -> None:
    """Check context files and service lists without starting anything.

    Prints one line for every fault and warning, with file and line, and what a usable file defines: the
    order of starts, how each service is kept, when schedules come due. What this machine lacks (a user, a
    program, a limit) is a fault, too.
    Exits with 2 if any file has a fault.

    \b
    Examples:
      context-bus check Conf/Services-StateMachine.xml
      context-bus check --json Conf/*.xml
    """
    from context_bus.config.check import check_file
    from context_bus.context.forecast import machine_faults

    now = time.time()
    reports = [look_further(check_file(file, now=now), [machine_faults]) for file in files]
    if as_json:
        click.echo(json.dumps([_document(report) for report in reports], indent=2))
    else:
        for report in reports:
            _print(report)
    if not all(report.is_usable for report in reports):
        context.exit(EXIT_FAULTS)


def look_further(report: Report, looks: Iterable[Look]) -> Report:
    """Add to a report what the machine says of each service of a usable context."""
    context = report.context
    if context is None or not report.is_usable:
        return report
    return report.with_faults(
        fault for service in context.services for look in looks for fault in look(context, service)
    )


def _print(report: Report) -> None:
    for fault in report.faults:
        click.echo(f"fault: {fault}")
    for warning in report.warnings:
        click.echo(f"warning: {warning}")
    for line in report.summary():
        click.echo(line)


def _document(report: Report) -> dict[str, object]:
    document = asdict(replace(report, context=None))
    del document["context"]
    told = {kind: [fault._asdict() for fault in getattr(report, kind)] for kind in ("faults", "warnings")}
    return {**document, **told, "usable": report.is_usable}
