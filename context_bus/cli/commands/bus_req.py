"""``bus req``: ask on a topic and print the replies."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.endpoint_options import both_options
from context_bus.cli.lazy import examples
from context_bus.cli.options import Seconds, header_options, json_option
from context_bus.cli.output import remark, say, say_json
from context_bus.client.whereabouts import endpoints_of
from context_bus.errors import NobodyListens, RequestFailed, RequestTimeout

if TYPE_CHECKING:
    from context_bus.kernel.message import Header


@click.command(
    "req",
    epilog=examples(
        "{command} square 12",
        "{command} square 12 --timeout=2 --json",
        "{command} square 12 --replies=3 --timeout=0.5",
    ),
)
@click.argument("topic")
@click.argument("message", metavar="JSON", default="{}")
@both_options
@click.option(
    "--timeout", type=Seconds(positive=True), default=5.0, show_default=True, help="Seconds to wait."
)
@click.option(
    "--replies", type=click.IntRange(min=1), default=1, help="Replies to collect, if several answer."
)
@header_options
@json_option("Print each reply with its header and the time it took, as JSON.")
def command(
    topic: str,
    message: str,
    listen: str | None,
    publish: str | None,
    context_file: Path | None,
    timeout: float,
    replies: int,
    header: Header,
    as_json: bool,
) -> None:
    """Ask on TOPIC with JSON as content and print the reply.

    Exits with 3 when nobody listens to TOPIC, when no reply comes in time, or when the other side failed.
    With --replies it prints what came, and fails only if nothing did.
    """
    from context_bus.cli.payload import Payload
    from context_bus.client.conversation import Conversation, decode

    payload = Payload(message)
    payload.check()
    header.action = header.action or "request"
    endpoints = endpoints_of(context_file, publish, listen)
    came = 0
    with Conversation(endpoints) as conversation:
        conversation.open()
        if not conversation.is_heard(topic):
            raise NobodyListens(f"nobody listens to requests on topic '{topic}' at {endpoints.publish}")
        question = payload.message(1, header)
        began = time.monotonic()
        conversation.ask(topic, question.content, question.header)
        for _, answer, raw in conversation.answers(began + timeout):
            came += 1
            _show(decode(raw), answer, time.monotonic() - began, as_json)
            if came >= replies:
                return
    if not came:
        raise RequestTimeout(f"no reply on topic '{topic}' within {timeout:g} s")
    remark(f"{came} of {replies} replies within {timeout:g} s")


def _show(content: object, header: Header, seconds: float, as_json: bool) -> None:
    import msgspec

    if header.action == "failed" and not as_json:
        reason = content.get("error", content) if isinstance(content, dict) else content
        raise RequestFailed(f"the other side failed: {reason}")
    if as_json:
        say_json({"milliseconds": round(seconds * 1000, 3), "header": header, "content": content})
        if header.action == "failed":
            raise RequestFailed("the other side failed")
    else:
        say(content if isinstance(content, str) else msgspec.json.encode(content).decode())
