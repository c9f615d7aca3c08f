"""``context-bus docs``: write what is spoken in a context, for programs and for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import FileInProject, Seconds
from context_bus.cli.output import remark, say
from context_bus.errors import ServiceError

if TYPE_CHECKING:
    from context_bus.config.model import ContextConf
    from context_bus.service.description import Description
    from context_bus.view.spoken import Spoken

#: What can be written, each with the end of its file's name.
FORMATS = {"asyncapi": ".asyncapi.json", "yaml": ".asyncapi.yaml", "markdown": ".md", "html": ".html"}
#: What ``all`` stands for.
ALL = ("asyncapi", "markdown", "html")


@click.command(
    "docs",
    epilog=examples(
        "{command} Conf/Context-AccessLog.xml",
        "{command} Conf/Context-AccessLog.xml -o /tmp/access-log",
        "{command} Conf/Context-AccessLog.xml --format=asyncapi",
    ),
)
@click.argument("file", type=FileInProject())
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory to write to; without it one format is printed.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice([*FORMATS, "all"]),
    help="What to write: an AsyncAPI document (JSON, or as yaml), a page, or all but yaml.  "
    "[default: all; markdown where it is printed]",
)
@click.option("--lenient", is_flag=True, help="Exit with 0 though a service could not be read.")
@click.option(
    "--timeout",
    type=Seconds(positive=True),
    default=20.0,
    show_default=True,
    help="Seconds that importing one service may take.",
)
def command(file: Path, output: Path | None, kind: str | None, lenient: bool, timeout: float) -> None:
    """Write which topics, messages and transitions the services of a context file have.

    The code itself says so: types of handlers and of what is published, configuration, docstrings. Each
    service is imported in a process of its own. One that cannot be is named with file and line, the rest
    is written, and the exit code is 4.
    """
    from context_bus.config.load import read_context

    kinds = ALL if kind == "all" or (kind is None and output) else (kind or "markdown",)
    if output is None and len(kinds) > 1:
        raise click.UsageError("all formats need a directory: -o DIRECTORY", click.get_current_context())
    conf = read_context(file)
    found = _inspect(conf, timeout)
    spoken = _put_together(conf, file, found)
    for name in kinds:
        text = _WRITERS[name](spoken)
        if output is None:
            say(text.rstrip("\n"))
        else:
            output.mkdir(parents=True, exist_ok=True)
            path = output / (file.stem + FORMATS[name])
            path.write_text(text)
            say(str(path))
    for oddity in spoken.oddities:
        remark(f"note: {oddity}")
    troubles = [f"{service.conf.id}: {service.trouble}" for service in spoken.services if service.trouble]
    if lenient:
        for trouble in troubles:
            remark(f"note: {trouble}")
    elif troubles:
        raise ServiceError("\n".join(troubles))


def _inspect(conf: ContextConf, timeout: float) -> Mapping[str, Description | str]:
    """By id of each service that has code: what it says, or why that is not known."""
    from context_bus.config.locations import resolve_location
    from context_bus.config.model import BUILT_IN_INSTANCES, ServiceType
    from context_bus.service.inspecting import inspect_services, with_location

    wanted = {
        service.id: (str(resolve_location(conf.file, service.location)), service.instance)
        for service in conf.services
        if service.service_type is not ServiceType.COMMAND
        and (service.location or service.instance not in BUILT_IN_INSTANCES)
    }
    results = inspect_services(list(wanted.values()), timeout)
    locations = {service.id: service.location for service in conf.services}
    # Places are told as the file tells them: a page must not depend on where it was made.
    return {key: with_location(results[place], place[0], locations[key]) for key, place in wanted.items()}


def _put_together(conf: ContextConf, file: Path, found: Mapping[str, Description | str]) -> Spoken:
    import dataclasses

    from context_bus.view.spoken import put_together

    return put_together(dataclasses.replace(conf, file=file.name), found)


def _asyncapi(spoken: Spoken) -> str:
    import msgspec

    from context_bus.view.asyncapi import document

    return msgspec.json.format(msgspec.json.encode(document(spoken)), indent=2).decode() + "\n"


def _yaml(spoken: Spoken) -> str:
    import json

    import yaml

    # By way of JSON: what stands twice in the document must not become an anchor.
    return yaml.safe_dump(json.loads(_asyncapi(spoken)), sort_keys=False, allow_unicode=True, width=110)


def _markdown(spoken: Spoken) -> str:
    from context_bus.view.paper import markdown
    from context_bus.view.spoken_paper import page

    return markdown(page(spoken))


def _html(spoken: Spoken) -> str:
    from context_bus.view.paper import page_of_html
    from context_bus.view.spoken_paper import page

    return page_of_html(spoken.conf.task_log_name, page(spoken))


_WRITERS: Mapping[str, Callable[[Spoken], str]] = {
    "asyncapi": _asyncapi,
    "yaml": _yaml,
    "markdown": _markdown,
    "html": _html,
}
