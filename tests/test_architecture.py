"""The house rules that a linter does not know: sizes, names, the public face."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import context_bus

PACKAGE = Path(context_bus.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))


def test_files_stay_small() -> None:
    """A file over 400 lines is asking to be two."""
    assert not {
        str(path.relative_to(PACKAGE)): lines
        for path in FILES
        if (lines := len(path.read_text().splitlines())) > 400
    }


@pytest.mark.parametrize(
    ("kind", "limit"), [(ast.ClassDef, 250), (ast.FunctionDef, 50), (ast.AsyncFunctionDef, 50)]
)
def test_definitions_stay_small(kind: type[ast.stmt], limit: int) -> None:
    """A class over 250 lines or a function over 50 does more than one thing."""
    long = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kind) and (node.end_lineno or 0) - node.lineno >= limit:
                long[f"{path.relative_to(PACKAGE)}:{node.lineno}"] = (node.end_lineno or 0) - node.lineno + 1
    assert not long


def test_no_room_is_named_for_leftovers() -> None:
    """A file is named for what it knows."""
    assert not [path for path in FILES if path.stem in {"utils", "util", "common", "helpers", "base", "misc"}]


def test_inside_nobody_imports_the_public_face() -> None:
    """Inside the package one imports from the file that defines."""
    offenders = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "context_bus"
    ]
    assert not offenders


def test_the_public_face_is_small() -> None:
    """At most about 25 names, all of them there."""
    names = context_bus.__all__
    assert len(names) <= 25
    assert all(hasattr(context_bus, name) for name in names)
