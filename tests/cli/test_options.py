"""Kinds of arguments: what they take, and the one line for what they do not."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from context_bus.cli.border import Invocation
from context_bus.cli.options import EndpointUrl, FileInProject, Seconds


@pytest.mark.parametrize(
    "url", ["tcp://127.0.0.1:5556", "tcp://host.example:1", "tcp://[::1]:9", "ipc:///tmp/x"]
)
def test_endpoint_is_taken(url: str) -> None:
    """What ZeroMQ can connect to."""
    assert EndpointUrl().convert(url, None, None) == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "is no endpoint"),
        ("5556", "is no endpoint"),
        ("127.0.0.1:5556", "is no endpoint"),
        ("http://127.0.0.1:5556", "is no endpoint"),
        ("tcp://", "is no endpoint"),
        ("tcp://127.0.0.1", "has no port"),
        ("tcp://:5556", "has no port"),
        ("tcp://127.0.0.1:port", "has no port"),
        ("tcp://127.0.0.1:-1", "has no port"),
        ("tcp://127.0.0.1:0", "out of range"),
        ("tcp://127.0.0.1:65536", "out of range"),
        ("tcp://*:5556", "is for binding"),
    ],
)
def test_endpoint_is_refused(url: str, reason: str) -> None:
    """A slip is named before a socket sees it."""
    with pytest.raises(click.BadParameter, match=reason):
        EndpointUrl().convert(url, None, None)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "soon", "", "1e99"])
def test_seconds_are_refused(text: str) -> None:
    """A duration is a number that ends."""
    with pytest.raises(click.BadParameter):
        Seconds().convert(text, None, None)


def test_seconds_may_have_to_be_above_zero() -> None:
    """A timeout of nothing is none."""
    assert Seconds().convert("0", None, None) == 0.0
    with pytest.raises(click.BadParameter, match="above 0"):
        Seconds(positive=True).convert("0", None, None)


def test_file_is_found_here_then_below_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths as the documents write them work from any directory; what is here comes first."""
    home, here = tmp_path / "home", tmp_path / "here"
    for place in (home, here):
        (place / "Conf").mkdir(parents=True)
    (home / "Conf/a.xml").touch()
    monkeypatch.chdir(here)
    context = click.Context(click.Command("x"), obj=Invocation(home=home))
    kind = FileInProject()
    assert kind.convert("Conf/a.xml", None, context) == home / "Conf/a.xml"
    (here / "Conf/a.xml").touch()
    assert kind.convert("Conf/a.xml", None, context) == Path("Conf/a.xml")
    with pytest.raises(
        click.BadParameter, match=r"no such file: b\.xml \(neither here nor as .*/home/b\.xml\)"
    ):
        kind.convert("b.xml", None, context)
    with pytest.raises(click.BadParameter, match="is a directory"):
        kind.convert("Conf", None, context)
