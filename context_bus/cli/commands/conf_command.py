"""``conf_command``: start, stop, restart, end or ask a context, and see what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import EndpointUrl, FileInProject, Seconds, json_option
from context_bus.client.endpoints import DEFAULT_PUBLISH, Endpoints, port_below

if TYPE_CHECKING:
    from context_bus.config.model import ContextConf
    from context_bus.context.request import Request

#: Literal by which older scripts say that an option has no value.
NONE = "none"


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line said, option by option."""

    endpoint: str | None
    listen: str | None
    context_file: Path | None
    service_name: str
    service_id: str
    transaction: str | None
    action: str
    task_ids: tuple[str, ...]
    use_file: bool
    device_action: str
    topic: str
    result: str
    open_connections: bool
    opened_files: bool
    memory_maps: bool
    use_service: bool
    service_type: str
    service_endpoint: str
    service_freq: float
    timeout: float
    no_wait: bool
    as_json: bool


@click.command(
    "conf_command",
    epilog=examples(
        "{command} --context_file=Conf/Context-EchoAction.xml --action=start --transaction=ECHO",
        "{command} --context_file=Conf/Context-EchoAction.xml --service_name=state --action=request",
        "{command} --context_file=Conf/Context-EchoAction.xml --service_name=state --action=top",
        "{command} --context_file=Conf/Context-EchoAction.xml --task_id=ts_100 --action=restart",
        "{command} --context_file=Conf/Context-EchoAction.xml --action=stop --json",
        "{command} --endpoint=tcp://127.0.0.1:5557 --action=exit",
    ),
)
@click.option(
    "--endpoint",
    type=EndpointUrl(),
    envvar="CONTEXT_BUS_PUBLISH",
    help="Where to publish: BackendEndpoint.  [default: the file's]",
)
@click.option(
    "--listen",
    type=EndpointUrl(),
    envvar="CONTEXT_BUS_LISTEN",
    help="Where to listen: FrontEndEndpoint.  [default: the file's]",
)
@click.option("--context_file", type=FileInProject(), envvar="CONTEXT_BUS_CONTEXT_FILE", help="Context file.")
@click.option(
    "--service_name",
    default="context",
    show_default=True,
    help="context or all to command a context, state to ask it, else the service_name of task services.",
)
@click.option("--service_id", default="", help="Context id.  [default: the file's]")
@click.option(
    "--transaction",
    help="Transaction id. Empty: generate one. Missing: start generates, others take the only one.",
)
@click.option(
    "--action",
    type=click.Choice(["start", "stop", "restart", "exit", "request", "top", "updated", NONE]),
    default=NONE,
    help="What to do: start, stop, restart or exit a context; with --service_name=state, request shows what "
    "there is, top what it uses.",
)
@click.option(
    "--task_id", "task_ids", multiple=True, help="Services to act on: an id, several by commas, or all."
)
@click.option("--use_file", is_flag=True, help="Send the services in the form of chosen tasks.")
@click.option("--device_action", default="", help="Word that reports of a service carry.")
@click.option("--topic", default="", help="Topic of an 'updated' message made by hand.  [default: control]")
@click.option("--result", type=click.Choice(["success", "failure", NONE]), default="success", hidden=True)
@click.option("--open_connections", is_flag=True, help="top: list open connections.")
@click.option("--opened_files", is_flag=True, help="top: list open files.")
@click.option("--memory_maps", is_flag=True, help="top: list memory maps.")
@click.option("--use_service", is_flag=True, help="top: publish the figures on an endpoint of their own.")
@click.option("--service_type", type=click.Choice(["pub"]), default="pub", help="top: type of that endpoint.")
@click.option(
    "--service_endpoint",
    type=EndpointUrl(),
    default="tcp://127.0.0.1:6558",
    show_default=True,
    help="top: that endpoint.",
)
@click.option(
    "--service_freq",
    type=Seconds(),
    default=1.0,
    show_default=True,
    help="top: seconds between two publications, at least 0.1; 0 ends them.",
)
@click.option(
    "--timeout",
    type=Seconds(positive=True),
    default=30.0,
    show_default=True,
    help="Seconds to wait for the outcome.",
)
@click.option("--no_wait", "--no-wait", is_flag=True, help="Send and leave, without waiting for the outcome.")
@json_option("Print the outcome or record as JSON.")
def command(**options: Any) -> None:
    """Start, stop, restart, end or ask a context, and see what becomes of it.

    Waits for the outcome. Exits with 5 if the provider refuses, a service fails or --timeout passes, with
    3 if no provider listens, with 2 if the command cannot be sent as it is.
    """
    from context_bus.cli.follow import carry_out
    from context_bus.config.load import read_context

    given = Given(**options)
    conf = read_context(given.context_file) if given.context_file else None
    carry_out(
        request_of(given),
        conf,
        endpoints_of(given, conf),
        timeout=given.timeout,
        wait=not given.no_wait,
        as_json=given.as_json,
    )


def request_of(given: Given) -> Request:
    """The request that the options describe."""
    from context_bus.context.request import MonitorOptions, Request

    task_ids = [each.strip() for text in given.task_ids for each in text.split(",")]
    return Request(
        action="" if given.action == NONE else given.action,
        service_name=given.service_name,
        service_id=_unless_none(given.service_id),
        transaction=given.transaction or "",
        task_ids=tuple(each for each in task_ids if each),
        use_file=given.use_file,
        device_action=_unless_none(given.device_action),
        result=given.result,
        topic=given.topic,
        monitor=MonitorOptions(
            memory_maps=given.memory_maps,
            open_connections=given.open_connections,
            opened_files=given.opened_files,
            endpoint=given.service_endpoint if given.use_service else "",
            socket_type=given.service_type,
            frequency_s=given.service_freq,
        ),
    )


def endpoints_of(given: Given, conf: ContextConf | None) -> Endpoints:
    """Where the provider is: flags, then the file, then the documents' ports."""
    publish = given.endpoint or (conf.backend_endpoint if conf else DEFAULT_PUBLISH)
    if given.listen:
        return Endpoints(given.listen, publish)
    if conf is not None and publish == conf.backend_endpoint:
        return Endpoints(conf.front_end_endpoint, publish)
    return Endpoints(port_below(publish), publish)


def _unless_none(text: str) -> str:
    return "" if text == NONE else text
