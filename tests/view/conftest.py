"""What the tests of views share: a provider to look at, and one pair of eyes on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.client.whereabouts import endpoints_of
from context_bus.view.live import Live
from tests.e2e.project import Project
from tests.e2e.shells import Supervised, write
from tests.view.shop import SERVICES, TICKER, ticker


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Supervised]:
    """A provider that has started a program that stays, one that talks and one that fails; nothing ticks."""
    yield from _provided(tmp_path, SERVICES)


@pytest.fixture
def ticking(tmp_path: Path) -> Iterator[Supervised]:
    """A provider of a service that publishes, beside the others."""
    project = Project(tmp_path)
    project.write_service("Ticker", TICKER)
    yield from _provided(tmp_path, SERVICES + ticker(project), project)


def _provided(directory: Path, services: str, project: Project | None = None) -> Iterator[Supervised]:
    provider = Supervised(write(project or Project(directory), services), secrets.token_hex(8))
    try:
        provider.start("--start=T1")
        provider.shell.until("talk", "started")
        provider.shell.until("fail", "fatal")
        yield provider
    finally:
        provider.clean_up()


@pytest.fixture
def live(shop: Supervised) -> Iterator[Live]:
    """Eyes on it, which look for it again by its file."""
    with Live(lambda: endpoints_of(shop.shell.file, None, None), every=0.2) as eyes:
        yield eyes
