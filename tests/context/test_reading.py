"""From frames to events: old forms, new forms, and what is neither."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from context_bus.context.events import CommandReceived, ReplyTo
from context_bus.context.reading import Reader
from context_bus.context.roots import Roots
from context_bus.errors import FrameError
from tests.context.live import context, image_of, service


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A reader of a provider that calls itself ``me``."""
    return Reader(frozenset({"me"}), Roots(context(tmp_path)))


def _command(reader: Reader, configuration: Any, **header: str) -> CommandReceived:
    head = {"action": "start", "service_id": "context001", "service_name": "context"} | header
    body = {"content": {"configuration": configuration}, "header": head | {"service_transaction": "T"}}
    found = reader.command(json.dumps(body, indent=4, sort_keys=True).encode())
    assert found is not None
    return found


def test_list_and_single_service_are_the_same(reader: Reader, tmp_path: Path) -> None:
    """The trap of old: a file with one service makes an object, not a list."""
    conf = service(tmp_path, "a", "Loop")
    single = _command(reader, {"TaskService": image_of(conf)})
    assert single == _command(reader, {"TaskService": [image_of(conf)]})
    assert [(order.service_id, order.conf, order.refusal) for order in single.orders] == [("a", conf, "")]


@pytest.mark.parametrize("configuration", [{}, None, {"TaskService": []}, {"TaskService": {}}])
def test_empty_configuration_names_nobody(reader: Reader, configuration: Any) -> None:
    """Which means everybody; that is for the engine to say."""
    assert _command(reader, configuration, action="stop").orders == ()


def test_id_alone_is_an_order(reader: Reader) -> None:
    """Enough to stop a service, or to start one that is known."""
    assert [order.service_id for order in _command(reader, {"TaskService": [{"id": "a"}]}).orders] == ["a"]


def test_faulty_service_is_refused_alone(reader: Reader, tmp_path: Path) -> None:
    """Its sibling is taken; the fault names the element."""
    good = image_of(service(tmp_path, "a", "Loop"))
    command = _command(reader, {"TaskService": [good, {"id": "b", "Task": {}}]})
    refused = {order.service_id: order.refusal for order in command.orders}
    assert refused["a"] == ""
    assert "TaskService[b]" in refused["b"]


def test_foreign_location_is_refused(reader: Reader, tmp_path: Path) -> None:
    """Also one that climbs out of an allowed directory by dots or by a link."""
    conf = service(tmp_path, "a", "Loop")
    (tmp_path / "link").symlink_to("/usr")
    for location in ("/usr", f"{tmp_path}/../..", str(tmp_path / "link")):
        image = image_of(conf)
        image["Task"]["message"]["content"]["configuration"]["location"] = location
        assert "outside the allowed" in _command(reader, {"TaskService": image}).orders[0].refusal


def test_exit_is_read_whatever_it_carries(reader: Reader) -> None:
    """An exit is obeyed even if its content is nonsense."""
    body = b'{"header":{"action":"exit"},"content":17}'
    command = reader.command(body)
    assert command is not None
    assert (command.action, command.orders) == ("exit", ())


def test_both_spellings_of_the_transaction_are_read(reader: Reader) -> None:
    """The inner header has always had one of its own."""
    for name in ("transaction", "service_transaction"):
        header = {"action": "stop", "service_id": "a", "service_name": "n", name: "T7"}
        seen = reader.process(json.dumps({"Task": {"message": {"header": header}}}).encode())
        assert seen is not None
        assert seen.transaction == "T7"


def test_own_frames_are_passed_over(reader: Reader) -> None:
    """The provider hears what it says itself."""
    mine = '"header":{"sender":"me","action":"start"}'
    assert reader.command(f'{{{mine},"content":{{}}}}'.encode()) is None
    assert reader.process(f'{{{mine},"Task":{{}}}}'.encode()) is None
    assert reader.query(f"{{{mine}}}".encode()) is None
    assert reader.reports(f'{{{mine},"content":{{"status":{{}}}}}}'.encode()) == ()


def test_reply_address_is_read(reader: Reader) -> None:
    """Topic and number of whoever wants to know."""
    command = _command(reader, {}, reply_to="reply.x", request_id="7")
    assert command.reply == ReplyTo("reply.x", "7")


def test_batch_of_reports_is_taken_apart(reader: Reader) -> None:
    """Several in one frame are several."""
    body = b'{"header":{"action":"updated","service_id":"a","sender":"s","batch":2},"content":[%b,%b]}'
    status = b'{"status":{"result":"success"}}'
    assert len(reader.reports(body % (status, status))) == 2


@pytest.mark.parametrize("body", [b"", b"null", b"[1]", b'{"header":7}', b"\xff", b"[" * 9999])
def test_anything_else_is_a_frame_error(reader: Reader, body: bytes) -> None:
    """One kind of error, whatever came."""
    for read in (reader.command, reader.process, reader.query, reader.reports):
        with pytest.raises(FrameError):
            read(body)
