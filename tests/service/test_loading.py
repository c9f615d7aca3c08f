from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.errors import ServiceError
from context_bus.service.loading import load_service_class

GOOD = """
from context_bus import TaskService
from .Work import Work
class ServiceEcho(TaskService):
    task_class = Work
""".lstrip()
WORK = "from context_bus import Task\nclass Work(Task):\n    number = 1\n"


@pytest.fixture(autouse=True)
def _imports() -> Iterator[None]:
    """Give back what loading changes in the interpreter."""
    path, hooks, modules = sys.path[:], sys.path_hooks[:], set(sys.modules)
    flag = sys.dont_write_bytecode
    yield
    sys.path[:], sys.path_hooks[:], sys.dont_write_bytecode = path, hooks, flag
    for name in set(sys.modules) - modules:
        if "Echo" in name:
            del sys.modules[name]


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    directory = tmp_path / "Echo"
    directory.mkdir()
    (directory / "__init__.py").touch()
    (directory / "ServiceEcho.py").write_text(GOOD)
    (directory / "Work.py").write_text(WORK)
    return directory


def _load(echo: Path, instance: str = "Echo", *, shared: bool = False) -> type[object]:
    return load_service_class(str(echo.parent), instance, shared=shared)


def test_class_is_found_by_its_instance(echo: Path) -> None:
    """Location, directory, file and class are named by one word."""
    found = _load(echo)
    assert (found.__name__, found.__module__) == ("ServiceEcho", "Echo.ServiceEcho")


def test_modules_may_import_each_other_by_their_full_name(echo: Path) -> None:
    """As services of old do, which know no relative imports."""
    (echo / "ServiceEcho.py").write_text(GOOD.replace(".Work", "Echo.Work"))
    assert _load(echo).__name__ == "ServiceEcho"


def test_package_needs_no_init_file(echo: Path) -> None:
    """A user who deletes an empty file has not broken the service."""
    (echo / "__init__.py").unlink()
    assert _load(echo).__name__ == "ServiceEcho"


def test_shared_process_loads_edited_code_again(echo: Path) -> None:
    """Every load is a fresh one, beside those that still run."""
    first = _load(echo, shared=True)
    (echo / "Work.py").write_text(WORK.replace("1", "2"))
    second = _load(echo, shared=True)
    assert first.__module__ != second.__module__
    assert (first.task_class.number, second.task_class.number) == (1, 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("location", "instance", "reason"),
    [
        ("", "Echo", "no location configured for Echo"),
        ("{root}/none", "Echo", "location {root}/none is not a directory"),
        ("{root}", "Ecko", r"no directory Ecko/ in location {root}; did you mean 'Echo'\?"),
        ("{root}", "Unlike", "no directory Unlike/ in location {root}; it holds Echo"),
        ("{root}", "Bare", "{root}/Bare/ServiceBare.py is missing; {root}/Bare holds nothing"),
    ],
)
def test_what_is_missing_is_named(echo: Path, location: str, instance: str, reason: str) -> None:
    """The path that was looked for, and what is there instead."""
    (echo.parent / "Bare").mkdir()
    with pytest.raises(ServiceError, match=reason.format(root=echo.parent)):
        load_service_class(location.format(root=echo.parent), instance)


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("ServiceEcho.py", "x = (\n", "ServiceEcho.py:1: SyntaxError: '\\(' was never closed"),
        ("Work.py", "class Work:\n  pass\n pass\n", "Work.py:3: IndentationError: unindent does not match"),
        (
            "Work.py",
            "\nimport nothing_like_it\n",
            "Work.py:2: ModuleNotFoundError: No module named 'nothing_like_it'",
        ),
        ("Work.py", "\n\nraise ValueError('at import')\n", "Work.py:3: ValueError: at import"),
        ("Work.py", "class Wrok: ...\n", "ServiceEcho.py:2: ImportError: cannot import name 'Work'"),
        (
            "ServiceEcho.py",
            "class Service: ...\n",
            "ServiceEcho.py defines no class ServiceEcho; it defines Service",
        ),
        ("ServiceEcho.py", "", "ServiceEcho.py defines no class ServiceEcho; it defines none"),
    ],
)
def test_code_that_cannot_be_imported_is_told_by_file_and_line(
    echo: Path, file: str, text: str, reason: str
) -> None:
    """One line, with the place in the user's own file."""
    (echo / file).write_text(text)
    with pytest.raises(ServiceError, match=reason) as caught:
        _load(echo)
    assert "\n" not in str(caught.value)
    assert str(echo) in str(caught.value)


def test_service_with_the_name_of_a_module_is_refused(echo: Path) -> None:
    """Rather than taking the module's place, or getting the module."""
    (echo.parent / "json").mkdir()
    (echo.parent / "json" / "Servicejson.py").touch()
    with pytest.raises(ServiceError, match="has the name of module json"):
        _load(echo, "json")


def test_no_byte_code_is_written(echo: Path) -> None:
    """A directory of services holds what its user put there."""
    _load(echo)
    assert sorted(path.name for path in echo.iterdir()) == ["ServiceEcho.py", "Work.py", "__init__.py"]
