"""A call of a script in this process, seen as a shell would see it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

import pytest

#: Runs ``main`` of a script with arguments.
Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Call ``main`` of a script."""

    def make(main: Callable[[Sequence[str]], int], *args: object) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        words = [str(each) for each in args]
        code = main(words)
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(words, code, out, err)

    return make
