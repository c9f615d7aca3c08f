"""``context-bus check``: faults, oddities and contents of context files and service lists."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from context_bus.config.check import Report

#: Exit code if any file has a fault: that of a configuration error.
EXIT_FAULTS = 2


@click.command(name="check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as a JSON list.")
@click.pass_context
def command(context: click.Context, files: tuple[str, ...], as_json: bool) -> None:
    """Check context files and service lists without starting anything.

    Prints one line for every fault and warning, with file and line, and what a usable file defines.
    Exits with 2 if any file has a fault.

    \b
    Examples:
      context-bus check Conf/Services-StateMachine.xml
      context-bus check --json Conf/*.xml
    """
    from context_bus.config.check import check_file

    reports = [check_file(file) for file in files]
    if as_json:
        click.echo(json.dumps([_document(report) for report in reports], indent=2))
    else:
        for report in reports:
            _print(report)
    if not all(report.is_usable for report in reports):
        context.exit(EXIT_FAULTS)


def _print(report: Report) -> None:
    for fault in report.faults:
        click.echo(f"fault: {fault}")
    for warning in report.warnings:
        click.echo(f"warning: {warning}")
    for line in report.summary():
        click.echo(line)


def _document(report: Report) -> dict[str, object]:
    return {**asdict(report), "usable": report.is_usable}
