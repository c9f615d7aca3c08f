"""The server of the page as anybody on this machine can talk to it, without a browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.view.page.serving import Dashboard, Provider

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """One for all."""
    running = Provider(tmp_path_factory.mktemp("provider"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def page(provider: Provider) -> Iterator[Dashboard]:
    """One for all; it ends without a word."""
    with Dashboard(provider.file) as running:
        yield running
    assert running.said.strip() == ""


def get(page: Dashboard, path: str, **headers: str) -> http.client.HTTPResponse:
    """Ask for a path."""
    at = urlsplit(page.address)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer


def cookie(page: Dashboard) -> str:
    """What a browser has after opening the URL that was printed."""
    answer = get(page, "/?" + urlsplit(page.url).query)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    return answer.headers["set-cookie"].partition(";")[0]


def talk(page: Dashboard, origin: str | None = None, **headers: str) -> ClientConnection:
    """Open a socket as the page does; from its own origin unless another is named."""
    own = page.address.rstrip("/")
    return connect(
        f"{own.replace('http', 'ws')}/socket",
        additional_headers=headers,
        origin=own if origin is None else origin or None,  # type: ignore[arg-type]  # only a NewType
        proxy=None,
    )


def next_of(talking: ClientConnection, kind: str) -> dict[str, object]:
    """The next that the server says of this kind."""
    while True:
        told: dict[str, object] = json.loads(talking.recv(10))
        if told["kind"] == kind:
            return told


def test_files_are_there_and_carry_what_keeps_strangers_out(page: Dashboard) -> None:
    """Every file of the page; nothing may be loaded from elsewhere, nobody may frame it."""
    for name in ("", "theme.css", "style.css", "page.js", "dom.js", "services.js", "chart.js", "lists.js"):
        answer = get(page, f"/{name}")
        assert answer.status == 200, name
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert get(page, "/guard.py").status == 404
    assert get(page, "/..%2fguard.py").status == 404


def test_no_file_of_the_page_names_another_host() -> None:
    """The machine may have no internet: only the names of XML namespaces look like addresses."""
    for file in (ROOT / "context_bus/view/page/static").iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, file.name
        assert "https:" not in text, file.name


def test_a_foreign_name_is_not_answered(page: Dashboard) -> None:
    """A stranger's name that was pointed at this address gets nothing, token or not."""
    port = urlsplit(page.address).port
    assert get(page, "/", Host=f"evil.example:{port}").status == 421
    assert get(page, "/?" + urlsplit(page.url).query, Host=f"evil.example:{port}").status == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null", ""])
def test_a_foreign_page_gets_no_socket(page: Dashboard, origin: str) -> None:
    """Not even with the cookie: browsers send it from any page of this machine."""
    with pytest.raises(InvalidStatus, match="403"):
        talk(page, origin, Cookie=cookie(page))


def test_without_a_token_everything_can_be_read_and_nothing_done(page: Dashboard, provider: Provider) -> None:
    """The server says so, shows the services, and refuses an order whatever the page does."""
    before = provider.pid_of("stay")
    with talk(page) as talking:
        assert next_of(talking, "hello")["may_act"] is False
        services = next_of(talking, "snapshot")["services"]
        assert isinstance(services, list)
        assert {each["service"]: each["state"] for each in services} == dict.fromkeys(
            ("stay", "talk", "frail"), "started"
        )
        order = {"kind": "order", "action": "restart", "transaction": "T1", "service": "stay"}
        talking.send(json.dumps(order))
        outcome = next_of(talking, "outcome")
        assert outcome["ok"] is False
        assert "read-only" in str(outcome["text"])
    assert provider.pid_of("stay") == before


def test_a_wrong_token_is_refused(page: Dashboard) -> None:
    """And so is the cookie of another server."""
    answer = get(page, "/?token=wrong")
    assert answer.status == 403
    assert "set-cookie" not in answer.headers
    name = cookie(page).partition("=")[0]
    with talk(page, Cookie=f"{name}=wrong") as talking:
        assert next_of(talking, "hello")["may_act"] is False


def test_with_the_token_an_order_is_carried_out(page: Dashboard, provider: Provider) -> None:
    """The outcome is told when it is known; nonsense is refused and ends nothing."""
    before = provider.pid_of("stay")
    with talk(page, Cookie=cookie(page)) as talking:
        assert next_of(talking, "hello")["may_act"] is True
        next_of(talking, "snapshot")
        talking.send('{"kind":"order","action":"exit","transaction":"","service":""}')
        assert next_of(talking, "outcome") == {"kind": "outcome", "ok": False, "text": "not understood"}
        order = {"kind": "order", "action": "restart", "transaction": "T1", "service": "stay"}
        talking.send(json.dumps(order))
        assert next_of(talking, "outcome") == {"kind": "outcome", "ok": True, "text": "restart stay: done"}
    assert provider.pid_of("stay") != before


def test_a_log_is_told_from_its_last_lines_on(page: Dashboard) -> None:
    """A service without a log, or an unknown one, is told in a line."""
    with talk(page) as talking:
        next_of(talking, "snapshot")
        talking.send('{"kind":"follow","transaction":"T1","service":"talk"}')
        assert next_of(talking, "log")["is_new"] is True
        for _ in range(2):
            lines = next_of(talking, "log")["lines"]
            assert isinstance(lines, list)
            assert set(lines) == {"a line of talk"}
        talking.send('{"kind":"follow","transaction":"T1","service":"nobody"}')
        while "no service 'nobody'" not in str((told := next_of(talking, "log"))["lines"]):
            assert told["service"] == "talk"


def test_a_taken_port_is_one_line(page: Dashboard, provider: Provider) -> None:
    """With the remedy."""
    port = str(urlsplit(page.address).port)
    call = [sys.executable, "-m", "context_bus", "dashboard", "-c", str(provider.file), "--port", port]
    ended = subprocess.run(call, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 3
    remedy = "choose another with --port, or --port 0 for any that is free"
    assert ended.stderr == f"error: port {port} of 127.0.0.1 is taken; {remedy}\n"


def test_another_address_needs_a_word_more(provider: Provider) -> None:
    """What other machines reach is not served by accident."""
    call = [sys.executable, "-m", "context_bus", "dashboard", "-c", str(provider.file), "--host", "0.0.0.0"]
    ended = subprocess.run(call, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "--insecure" in ended.stderr


def test_ctrl_c_ends_it_with_pages_open(provider: Provider) -> None:
    """Pages that stay, one that never says a word and a half request keep it from nothing."""
    with contextlib.ExitStack() as stack:
        page = stack.enter_context(Dashboard(provider.file))
        for _ in range(3):
            next_of(stack.enter_context(talk(page)), "snapshot")
        at = urlsplit(page.address)
        half = stack.enter_context(socket.create_connection((at.hostname, at.port)))
        half.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert page.close() == 130
        assert page.said.strip() == ""
