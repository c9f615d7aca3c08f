"""Names that become files and classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from context_bus.config.model import MetaService
from context_bus.scaffold.names import MAX_NAME, MAX_TEXT, TASK_NAMES, faults_of
from context_bus.service.task import Task
from tests.scaffold.lists import service, service_list

HOME = Path("/home/me")


def test_names_as_documented_are_fine() -> None:
    """The tutorial's service has no fault."""
    assert faults_of(service_list(HOME)) == []


@pytest.mark.parametrize("tag", ["task_service", "task_class", "task_file"])
@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "a/b",
        "a b",
        "a.b",
        "a\nb",
        "a\0b",
        "class",
        "None",
        "__init__",
        "__import__",
        "_hidden",
        "1st",
        "a-b",
        "x" * (MAX_NAME + 1),
        "ﬁne",  # a ligature, which Python reads as two letters
        "a;import os",
        '"',
        "{{x}}",
    ],
)
def test_name_that_is_no_python_name_is_refused(tag: str, name: str) -> None:
    """Path tricks, keywords, dunders and the like never get into a path or into code."""
    faults = faults_of(service_list(HOME, service(**{tag: name}, line=7), file="list.xml"))
    assert [fault.element for fault in faults] == [f"Service[ts_100]/{tag}"]
    assert str(faults[0]).startswith("list.xml:7: ")
    assert "\n" not in str(faults[0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task_service": "json"}, "hide the Python module"),
        ({"task_file": "queue"}, "hide the Python module"),
        ({"task_service": "context_bus"}, "hide the Python module"),
        ({"task_service": "Monitor"}, "built in"),
        ({"task_class": "Task"}, "another class"),
        ({"task_class": "ServiceEchoAction"}, "another class"),
        ({"task_class": "Exception"}, "another class"),
        ({"task_file": "ServiceEchoAction"}, "the file of the service itself"),
        ({"configuration": {"run": "1"}}, "attribute of the task"),
        ({"configuration": {"my-key": "1"}}, "attribute of the task"),
        ({"task_desc": "bell \x07"}, "U\\+0007"),
        ({"task_desc": "half \ud800"}, "U\\+D800"),
        ({"task_desc": "x" * (MAX_TEXT + 1)}, "too long"),
        ({"service_name": "two\nlines"}, "not one short line"),
        ({"location": "/a\nb"}, "no path"),
    ],
)
def test_name_that_is_taken_is_refused(changes: dict[str, object], words: str) -> None:
    """A name may be fine for Python and wrong here all the same."""
    faults = faults_of(service_list(HOME, service(**changes)))
    with pytest.raises(AssertionError, match=words):
        assert not faults, str(faults[0])


@pytest.mark.parametrize("address", ["*", "0.0.0.0", "[::]"])
def test_server_ip_of_every_interface_is_refused(address: str) -> None:
    """A generated context never binds to all interfaces."""
    (fault,) = faults_of(service_list(HOME, server_ip=address))
    assert "every interface" in str(fault)


def test_faults_are_all_told_at_once() -> None:
    """One run names everything that is wrong."""
    faults = faults_of(
        service_list(HOME, service(task_service="a b"), service(task_class="def", task_id="2"))
    )
    assert len(faults) == 2  # the default file of "a b" is not told again


def test_one_directory_for_two_classes_is_refused() -> None:
    """Two services of one name must be instances of one class."""
    (fault,) = faults_of(service_list(HOME, service(), service(task_id="ts_101", task_class="Other")))
    assert "Service[ts_100]" in str(fault)


def test_two_instances_of_one_class_are_fine() -> None:
    """The same class under two ids is what a context is for."""
    assert faults_of(service_list(HOME, service(), service(task_id="ts_101"))) == []


def test_task_names_cover_the_task() -> None:
    """Whatever the framework's task has, no configuration may be called like it."""
    public = {name for name in vars(Task) if not name.startswith("_")}
    assert public - TASK_NAMES <= {"device_action"}


def test_default_names_follow_the_service() -> None:
    """Class and file are called like the service unless told otherwise."""
    assert faults_of(service_list(HOME, MetaService("Stand", "state", "ts_1"))) == []
