"""Who may read and who may act: decided from headers alone."""

from __future__ import annotations

import pytest

from context_bus.view.page.guard import Guard, is_loopback

PORT = 8088


@pytest.fixture
def guard() -> Guard:
    return Guard("127.0.0.1", PORT)


@pytest.mark.parametrize("host", ["127.0.0.1:8088", "localhost:8088", "[::1]:8088", "LOCALHOST:8088"])
def test_names_of_this_machine_are_ours(guard: Guard, host: str) -> None:
    """Whatever one types to reach loopback."""
    assert guard.is_host(host)


FOREIGN = [
    None,
    "",
    "evil.example:8088",
    "evil.example",
    "127.0.0.1:80",
    "127.0.0.1",
    "127.0.0.1.evil.example:8088",
    "10.0.0.1:8088",
    "127.0.0.1:8088@evil.example:8088",
    "[::1",
    "127.0.0.1:x",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_names_are_not_ours(guard: Guard, host: str | None) -> None:
    """A name that somebody else can point at this address is refused (DNS rebinding)."""
    assert not guard.is_host(host)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "http://evil.example",
        "http://127.0.0.1:9999",
        "https://127.0.0.1:8088",
        "http://localhost:8088",
    ],
)
def test_foreign_origins_are_not_ours(guard: Guard, origin: str | None) -> None:
    """Another port of this machine is another page; so is none at all."""
    assert not guard.is_own_origin(origin, "127.0.0.1:8088")


def test_our_own_origin_is(guard: Guard) -> None:
    """Scheme, host and port as in the request itself."""
    assert guard.is_own_origin("http://127.0.0.1:8088", "127.0.0.1:8088")
    assert not guard.is_own_origin("http://evil.example:8088", "evil.example:8088")


def test_only_the_cookie_lets_one_act(guard: Guard) -> None:
    """The token is good for the cookie and nothing else; another server's cookie is worth nothing."""
    pair = guard.set_cookie().partition(";")[0]
    assert guard.may_act(pair)
    assert guard.may_act(f"a=b; {pair}")
    assert not guard.may_act(None)
    assert not guard.may_act(f"{guard.cookie}={guard.token}")
    assert not guard.may_act(f"{guard.cookie}=")
    assert not guard.may_act(Guard("127.0.0.1", PORT).set_cookie().partition(";")[0])
    assert not guard.may_act(f"{guard.cookie}=ä")
    assert "HttpOnly; SameSite=Strict" in guard.set_cookie()


def test_token_is_compared_whole(guard: Guard) -> None:
    """No part of it, nothing but it."""
    assert guard.is_token(guard.token)
    assert not guard.is_token(guard.token[:-1])
    assert not guard.is_token("")
    assert not guard.is_token("ü")


def test_an_open_address_takes_any_address_but_no_strangers_name() -> None:
    """Served to other machines, it may be called by any of its addresses; a name must be this machine's."""
    guard = Guard("0.0.0.0", PORT)
    assert guard.is_host("192.168.1.7:8088")
    assert not guard.is_host("evil.example:8088")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("example.org", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    """Anything that other machines might reach needs a word more."""
    assert is_loopback(host) is expected


def test_a_ticket_is_good_once(guard: Guard) -> None:
    """Whoever reads it on a command line comes too late."""
    ticket = guard.make_ticket()
    assert ticket != guard.token
    assert guard.is_token(ticket)
    assert not guard.is_token(ticket)
    assert guard.is_token(guard.token)
