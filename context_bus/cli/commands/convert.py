"""``context-bus convert``: a context or a service list from XML to YAML and back."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from context_bus.config.model import ContextConf, MetaConf

#: Syntax that a suffix stands for.
SYNTAX = {".xml": "xml", ".yaml": "yaml", ".yml": "yaml"}


@click.command(name="convert")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="[OUT]", required=False)
@click.option("--to", type=click.Choice(["yaml", "xml"]), help="Syntax, if OUT does not tell.")
@click.option("--force", is_flag=True, help="Overwrite OUT if it exists.")
def command(source: str, target: str | None, to: str | None, force: bool) -> None:
    """Convert a context file or a service list between XML and YAML.

    Without OUT the result goes to standard output, in the syntax of --to. Comments are not carried over.

    \b
    Examples:
      context-bus convert Conf/Services-StateMachine.xml --to yaml
      context-bus convert Conf/Services-StateMachine.xml state-machine.yaml
    """
    from context_bus.config.load import read_any
    from context_bus.config.writers import write_xml, write_yaml

    syntax = to or SYNTAX.get(Path(target or "").suffix.lower())
    if syntax is None:
        raise click.UsageError("say --to yaml or --to xml, or give OUT the suffix .yaml or .xml")
    conf = read_any(source)
    data = write_yaml(conf) if syntax == "yaml" else write_xml(conf)
    if target is None or target == "-":
        click.echo(data, nl=False)
        return
    _save(Path(target), data, force)
    click.echo(f"{target}: written")
    _warn_of_moved_locations(conf, Path(source), Path(target))


def _save(target: Path, data: bytes, force: bool) -> None:
    """Write the file whole or not at all."""
    from context_bus.errors import ConfigurationError, Fault

    if target.exists() and not force:
        raise ConfigurationError([Fault("exists already", "use --force to overwrite it", str(target))])
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".convert-", delete=False) as file:
            temporary = file.name
            file.write(data)
        # A temporary file is private; a configuration is as readable as its maker's other files.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True) if temporary else None
        message = f"cannot be written: {error.strerror}"
        raise ConfigurationError([Fault(message, file=str(target))]) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _warn_of_moved_locations(conf: ContextConf | MetaConf, source: Path, target: Path) -> None:
    places = [service.location for service in conf.services]
    places += [getattr(conf, name, "") for name in ("service_path", "home_path", "location")]
    relative = [place for place in places if place and not Path(place).is_absolute()]
    if relative and source.absolute().parent != target.absolute().parent:
        click.echo(
            f'warning: relative paths such as "{relative[0]}" now start at {target.absolute().parent}',
            err=True,
        )
