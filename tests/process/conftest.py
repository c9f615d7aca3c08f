"""A guardian for the tests of this room, and proof that each leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from context_bus.process import spawn
from context_bus.process.child import Child
from context_bus.process.ending import end_now


@pytest.fixture(scope="package", autouse=True)
def _guardian() -> Iterator[None]:
    spawn.warm_up(["tests.process.targets", "asyncio"])
    yield
    spawn.shut_down()


Start = Callable[..., Child]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a target; what still runs at the end of the test is ended."""
    children: list[Child] = []

    def begin(target: Callable[..., int], *args: object) -> Child:
        child = spawn.spawn(target.__name__, target, *args)
        children.append(child)
        return child

    yield begin
    end_now(children)
    for child in children:
        child.close()
