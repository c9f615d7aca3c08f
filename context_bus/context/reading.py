"""From frames to events: what clients and services say to the provider. Must not know sockets.

Anybody may write anything on the bus, and older clients leave out a lot, so nothing is taken for
granted here: what cannot be understood is a `FrameError` and nothing worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from context_bus.config.image import examine_image
from context_bus.context.events import (
    CommandReceived,
    Event,
    Order,
    ProcessSeen,
    ReplyTo,
    Reported,
    StateAsked,
)
from context_bus.context.roots import Roots
from context_bus.context.topquery import read_asked
from context_bus.errors import FrameError
from context_bus.kernel.message import MARK, UNREADABLE


class _Header(msgspec.Struct, gc=False):
    action: str = ""
    service_id: str = ""
    service_name: str = ""
    service_transaction: str = ""
    sender: str = ""
    batch: int = 0


class _Report(msgspec.Struct, gc=False):
    header: _Header
    content: msgspec.Raw


class _Content(msgspec.Struct, gc=False):
    status: dict[str, Any]


_read_report = msgspec.json.Decoder(_Report).decode
_read_content = msgspec.json.Decoder(_Content).decode
_read_contents = msgspec.json.Decoder(list[_Content]).decode
_read_any = msgspec.json.Decoder().decode


class Reader:
    """Reads frames for one provider.

    Args:
        me: Publishers of the provider itself, whose frames are passed over.
        roots: Where services may come from.
    """

    def __init__(self, me: frozenset[str], roots: Roots) -> None:
        self._me = me
        self._roots = roots

    def command(self, body: bytes) -> CommandReceived | None:
        """Read a frame of topic ``context``.

        Returns:
            The command; None if it is the provider's own.

        Raises:
            FrameError: It is none.
        """
        message = _object(body)
        header = _mapping(message.get("header"), "header")
        if _text(header.get("sender")) in self._me:
            return None
        action = _text(header.get("action"))
        # What travels with an exit is not read: it is obeyed whatever that looks like.
        orders = () if action == "exit" else self._orders(message)
        instances, dry_run = _options(message) if action in {"scale", "reload"} else (0, False)
        return CommandReceived(
            action=action,
            transaction=_transaction(header),
            context_id=_text(header.get("service_id")),
            orders=orders,
            service_name=_text(header.get("service_name")),
            reply=_reply(header),
            instances=instances,
            dry_run=dry_run,
        )

    def _orders(self, message: Mapping[str, object]) -> tuple[Order, ...]:
        given = _configuration(message).get("TaskService")
        items = given if isinstance(given, list) else [given] if given else []
        bare = [item for item in items if isinstance(item, dict) and set(item) == {"id"}]
        orders = [Order(_text(item["id"])) for item in bare]
        found = examine_image({"TaskService": [item for item in items if item not in bare]})
        orders += [
            Order(conf.id, conf, _odd(conf.id) or self._roots.refuse(conf)) for conf in found.conf.services
        ]
        orders += [Order(each.id, None, "; ".join(map(str, each.faults))) for each in found.rejected]
        return tuple(orders)

    def process(self, body: bytes) -> ProcessSeen | None:
        """Read a frame of topic ``process``: one TaskService object, of which the inner header counts.

        Returns:
            What a client asks of a service; None if it is the provider's own frame.

        Raises:
            FrameError: It is none.
        """
        message = _object(body)
        outer = _mapping(message.get("header", {}), "header")
        if _text(outer.get("sender")) in self._me:
            return None
        task = _mapping(message.get("Task"), "Task")
        inner = _mapping(_mapping(task.get("message"), "Task/message").get("header"), "Task/message/header")
        return ProcessSeen(
            action=_text(inner.get("action")),
            transaction=_transaction(inner) or _transaction(outer),
            service_id=_text(inner.get("service_id")) or _text(message.get("id")),
            service_name=_text(inner.get("service_name")),
            reply=_reply(outer),
        )

    def query(self, body: bytes) -> StateAsked | None:
        """Read a frame of topic ``state``.

        Returns:
            The query; None if it is a reply to one.

        Raises:
            FrameError: It is none.
        """
        message = _object(body)
        header = _mapping(message.get("header"), "header")
        action = _text(header.get("action"))
        if _text(header.get("sender")) in self._me or action.startswith("reply"):
            return None
        asked = _configuration(message) if action == "events" else {}
        after, limit = _number(asked.get("after")), _number(asked.get("limit"))
        service_id = _text(header.get("service_id")) if action == "services" else ""
        figures = read_asked(_configuration(message)) if action == "top" else None
        return StateAsked(action, _transaction(header), _reply(header), after, limit, service_id, figures)

    def reports(self, body: bytes) -> Sequence[Event]:
        """Read a frame of topic ``control``.

        Returns:
            The reports in it; none if it is the provider's own.

        Raises:
            FrameError: It holds none.
        """
        try:
            report = _read_report(body)
            header = report.header
            if header.sender in self._me or header.service_name == "context":
                return ()
            contents = _read_contents(report.content) if header.batch else [_read_content(report.content)]
        except UNREADABLE as error:
            raise FrameError(f"not a report: {error}") from None
        return [_reported(header, content.status) for content in contents]


def _reported(header: _Header, status: dict[str, Any]) -> Reported:
    pid = status.get("pid")
    return Reported(
        transaction=header.service_transaction,
        service_id=header.service_id,
        action=header.action,
        result=_text(status.get("result")),
        pid=pid if isinstance(pid, int) else 0,
        sender=header.sender,
        reason=_text(status.get("reason")),
        where=_text(status.get("where")),
        status=status,
    )


def _object(body: bytes) -> Mapping[str, object]:
    try:
        return _mapping(_read_any(body), "a message")
    except UNREADABLE as error:
        raise FrameError(f"not JSON: {error}") from None


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FrameError(f"{what} is missing or no object")
    return value


def _configuration(message: Mapping[str, object]) -> Mapping[str, Any]:
    content = _mapping(message.get("content") or {}, "content")
    return _mapping(content.get("configuration") or {}, "configuration")


def _options(message: Mapping[str, object]) -> tuple[int, bool]:
    """What a ``scale`` and a ``reload`` say besides the services they name."""
    options = _configuration(message)
    return _number(options.get("instances")), options.get("dry_run") is True


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _transaction(header: Mapping[str, object]) -> str:
    """The transaction, in either of its two spellings."""
    return _text(header.get("service_transaction")) or _text(header.get("transaction"))


def _reply(header: Mapping[str, object]) -> ReplyTo:
    return ReplyTo(_text(header.get("reply_to")), _text(header.get("request_id")))


def _odd(service_id: str) -> str:
    """Why an id cannot name a topic of its own; empty if it can."""
    bad = MARK.decode() in service_id or service_id != service_id.strip() or not service_id.isprintable()
    return f"service id {service_id!r} cannot name a topic" if bad else ""
