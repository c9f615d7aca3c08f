"""What tests of watched tasks share: an empty database, and rows to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.watch import schema
from context_bus.watch.database import Database
from tests.watch.launching import Launching
from tests.watch.launching import launching as launchers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an empty database is."""
    path = tmp_path / "tasks.db"
    schema.create(path)
    return path


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """An empty database, open."""
    with Database(path) as database:
        yield database


@pytest.fixture
def launching(path: Path, tmp_path: Path) -> Iterator[Launching]:
    """Starts launchers on the empty database; nothing of them may be left at the end."""
    with launchers(path, tmp_path) as started:
        yield started
