from __future__ import annotations

import subprocess
import sys

import pytest

import context_bus

#: What takes time to import and what no name of the package needs by itself.
HEAVY = ("zmq", "asyncio", "lxml", "psutil", "multiprocessing", "jinja2", "click", "rich")


def test_importing_the_package_is_cheap() -> None:
    """A command that only needs its version pays for nothing else."""
    script = f"import sys, context_bus; print([name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_names_are_listed_and_others_are_not_there() -> None:
    """The lazy names look like any others."""
    assert set(dir(context_bus)) == set(context_bus.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Tsak'"):
        context_bus.Tsak  # type: ignore[attr-defined]  # noqa: B018
