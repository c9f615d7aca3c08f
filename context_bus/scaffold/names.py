"""Which names may become files and classes; every fault of a service list at once.

Pure. Knows what Python and file systems take; what a list must say at all, the reader of lists knows.
"""

from __future__ import annotations

import builtins
import keyword
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator

from context_bus.config.address import WILDCARDS
from context_bus.config.model import MetaConf, MetaService
from context_bus.config.node import illegal_character
from context_bus.errors import Fault

#: Longest name in characters; ``Service<name>.py`` must stay below the 255 bytes of a file name.
MAX_NAME = 50
#: Longest description in characters; it becomes a docstring.
MAX_TEXT = 2000
#: Longest path in characters (PATH_MAX of Linux is 4096 bytes).
MAX_PATH = 1000
#: Instances that the framework brings along.
BUILT_IN_INSTANCES = frozenset({"Monitor"})
#: Modules that a directory or file of the same name would hide from every service.
HIDDEN_MODULES = sys.stdlib_module_names | {"context_bus", "msgspec", "zmq"}
#: What a task has from the framework, so that no configuration may take its place.
TASK_NAMES = frozenset(
    [
        "close",
        "keep",
        "logger",
        "notify",
        "on_control",
        "publish",
        "request",
        "request_async",
        "run",
        "service_id",
        "service_name",
        "setup",
        "stopping",
        "transaction",
        "wait",
        "wait_async",
    ]
)

_PYTHON_NAME = "use letters, digits and underscores, beginning with a letter"
_OTHER = "choose another name"


def faults_of(conf: MetaConf) -> list[Fault]:
    """Find everything in a service list that cannot be written as files and classes.

    Args:
        conf: A list that its reader accepts.

    Returns:
        All faults; empty when the list can be scaffolded.
    """
    source = conf.file or "command line"
    faults = [Fault(message, remedy, source, 0, tag) for tag, message, remedy in _context_faults(conf)]
    for service in conf.services:
        faults += [
            Fault(message, remedy, source, service.line, f"Service[{service.task_id}]/{tag}")
            for tag, message, remedy in _service_faults(service)
        ]
    return faults + list(_clashes(conf, source))


def file_stem(service: MetaService) -> str:
    """The file of the task class; by default it is called like the service."""
    return service.task_file.removesuffix(".py") or service.task_service


def class_name(service: MetaService) -> str:
    """The task class; by default it is called like the service."""
    return service.task_class or service.task_service


def identifier_fault(name: str) -> tuple[str, str] | None:
    """Say why a name cannot be a Python name and a file name at once; None when it can."""
    if len(name) > MAX_NAME:
        return f"{len(name)} characters are too long for a name", f"use at most {MAX_NAME}"
    if not name.isidentifier() or not name[0].isalpha():
        return f"{name!r} is no Python name", _PYTHON_NAME
    if keyword.iskeyword(name):
        return f"{name!r} is a Python keyword", _OTHER
    if unicodedata.normalize("NFKC", name) != name:
        # Python normalises names, file systems do not: import would look for another file.
        return f"{name!r} is not in the normal form that Python imports", _PYTHON_NAME
    return None


def _service_faults(service: MetaService) -> Iterator[tuple[str, str, str]]:
    """Faults of one service: element, message, remedy."""
    host = f"Service{service.task_service}"
    told = set()
    for tag, name in (
        ("task_service", service.task_service),
        ("task_class", class_name(service)),
        ("task_file", file_stem(service)),
    ):
        if name in told:  # a default: the fault was told where the name was given
            continue
        if fault := identifier_fault(name):
            told.add(name)
            yield (tag, *fault)
        elif tag != "task_class" and name in HIDDEN_MODULES:
            told.add(name)
            yield tag, f"{name!r} would hide the Python module of that name", _OTHER
        elif tag == "task_class" and (name in {"Task", "TaskService", host} or hasattr(builtins, name)):
            yield tag, f"{name!r} is the name of another class", _OTHER
    if service.task_service in BUILT_IN_INSTANCES:
        yield "task_service", f"{service.task_service!r} is built in", _OTHER
    if file_stem(service) == host:
        yield "task_file", f"{host!r} is the file of the service itself", _OTHER
    for name in service.configuration:
        if name in TASK_NAMES or identifier_fault(name):
            yield f"configuration/{name}", "cannot be an attribute of the task", _OTHER
    yield from _text_faults(service)


def _text_faults(service: MetaService) -> Iterator[tuple[str, str, str]]:
    """Faults of the fields that only travel in messages and XML."""
    for tag, text in (
        ("task_id", service.task_id),
        ("service_name", service.service_name),
        ("device_action", service.device_action),
        ("entry_action", service.entry_action),
    ):
        if len(text) > MAX_NAME or not text.isprintable():
            yield tag, f"{_cut(text)} is not one short line", f"use at most {MAX_NAME} printable characters"
    if len(service.task_desc) > MAX_TEXT:
        yield "task_desc", f"{len(service.task_desc)} characters are too long", f"use at most {MAX_TEXT}"
    if found := illegal_character(service.task_desc):
        yield "task_desc", f"holds the character {found}, which XML cannot carry", "remove it"
    if fault := _path_fault(service.location):
        yield ("location", *fault)


def _context_faults(conf: MetaConf) -> Iterator[tuple[str, str, str]]:
    """Faults of the fields that all services share."""
    for tag, text in (("context_name", conf.context_name), ("context_id", conf.context_id)):
        if len(text) > MAX_NAME or not text.isprintable():
            yield tag, f"{_cut(text)} is not one short line", f"use at most {MAX_NAME} printable characters"
    for tag, path in (
        ("service_path", conf.service_path),
        ("home_path", conf.home_path),
        ("location", conf.location),
    ):
        if fault := _path_fault(path):
            yield (tag, *fault)
    if conf.server_ip in WILDCARDS:
        remedy = "write the address of one interface, e.g. 127.0.0.1"
        yield "server_ip", f"{conf.server_ip!r} means every interface: nobody can connect to it", remedy


def _path_fault(path: str) -> tuple[str, str] | None:
    if len(path) > MAX_PATH or not path.isprintable():
        return f"{_cut(path)} is no path", f"use at most {MAX_PATH} printable characters"
    return None


def _clashes(conf: MetaConf, source: str) -> Iterator[Fault]:
    """Faults between services: two that would write different texts into one file."""
    first_of: dict[str, MetaService] = {}
    ids = Counter(service.task_id for service in conf.services)
    for service in conf.services:
        # Some file systems do not tell upper from lower case.
        first = first_of.setdefault(service.task_service.casefold(), service)
        if _shape(first) != _shape(service):
            other = f"Service[{first.task_id}]" if ids[first.task_id] == 1 else f"line {first.line}"
            yield Fault(
                f"task_service {service.task_service} is that of {other}, but class, file or type is not",
                "give both the same, or another name",
                source,
                service.line,
                f"Service[{service.task_id}]",
            )


def _shape(service: MetaService) -> tuple[str, ...]:
    """What decides the content of the files of a service."""
    return service.task_service, class_name(service), file_stem(service), service.task_type


def _cut(text: str) -> str:
    """The text, quoted, at most 40 characters."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
