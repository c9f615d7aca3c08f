"""What the black box tests share: a project, a provider per module, a fresh transaction per test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.blackbox import Provider
from tests.e2e.desk import Desk
from tests.e2e.project import Project, new_transaction
from tests.e2e.shells import Supervise, Supervised, write
from tests.e2e.told import Tell, Told


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of this test's own."""
    return Project(tmp_path)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider of an empty context, for tests that bring their services in their commands."""
    project = Project(tmp_path_factory.mktemp("project"))
    with Provider(project, project.write_context()) as running:
        yield running


@pytest.fixture
def transaction() -> str:
    """A transaction nobody has used."""
    return new_transaction()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty database of watched tasks."""
    made = Desk(tmp_path)
    assert made.done("--initialize") == f"Initializing database {made.db}\n"
    return made


@pytest.fixture
def supervise(project: Project) -> Iterator[Supervise]:
    """Make a provider of some services."""
    made: list[Supervised] = []

    def make(*services: str) -> Supervised:
        made.append(Supervised(write(project, "".join(services)), secrets.token_hex(8)))
        return made[-1]

    yield make
    for each in made:
        each.clean_up()


@pytest.fixture
def tell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tell]:
    """Make providers of programs for one test; none may have logged an error."""
    yield from _tell(tmp_path_factory)


@pytest.fixture(scope="module")
def tell_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tell]:
    """The same for all tests of a module."""
    yield from _tell(tmp_path_factory)


def _tell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tell]:
    made: list[Told] = []

    def make(*services: str) -> Told:
        made.append(Told(Project(tmp_path_factory.mktemp("told")), *services))
        return made[-1]

    yield make
    for each in made:
        each.clean_up()
    errors = [error for each in made for error in each.errors]
    assert errors == []
