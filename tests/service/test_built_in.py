"""Services that the package brings along: found by name, told of their provider, never forgotten."""

from __future__ import annotations

import pickle
import sys

import pytest

from context_bus.config.model import TaskServiceConf
from context_bus.errors import ServiceError
from context_bus.service.boot import Boot, BuiltIn
from context_bus.service.loading import load_built_in
from context_bus.service.taskservice import TaskService
from context_bus.service.work import SharedLoad, load_from_files

CONF = TaskServiceConf("a", "Monitor", "m")
NAME = "context_bus.service.taskservice:TaskService"


def boot(class_name: str = NAME) -> Boot:
    """A boot value of a service of our own."""
    own = BuiltIn(class_name, "f.xml", "/state", "postgresql://u:secret@h/d")
    return Boot(CONF, "T", "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", built_in=own)


def test_class_is_found_by_its_name() -> None:
    """In a process of its own, and in one that it shares."""
    assert load_from_files(boot())() is TaskService
    shared = SharedLoad(boot())
    assert shared() is TaskService
    shared.unload()
    assert "context_bus.service.taskservice" in sys.modules


@pytest.mark.parametrize(
    "name", ["context_bus.nowhere:X", "context_bus.service.boot:X", "context_bus.errors:__doc__"]
)
def test_name_that_names_no_class_is_one_line(name: str) -> None:
    """A fault of ours, said as any other."""
    with pytest.raises(ServiceError, match=name.partition(":")[0]):
        load_built_in(name)


def test_password_is_in_no_text() -> None:
    """The boot value travels on a pipe; what is printed of it may end in a log."""
    value = boot()
    assert pickle.loads(pickle.dumps(value)) == value
    assert "secret" not in repr(value)


def test_no_file_is_that_of_its_code() -> None:
    """So that a failure of ours is not said to be in the user's code."""
    assert boot().directory == "(built in)"
