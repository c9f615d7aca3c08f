"""What tests of watched tasks share: an empty database, and rows to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.watch import schema
from context_bus.watch.database import Database


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
