"""Looks at a user's code in a process of its own, with a deadline. Knows describing; imports no user's code
itself.

Importing runs whatever stands in a module: it may print, hang, end the process. All of that stays there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from context_bus.errors import ServiceError
from context_bus.kernel.message import UNREADABLE
from context_bus.service.description import Answer, Description

#: Seconds that importing one service may take.
TIMEOUT = 20.0
#: What the process runs; ``-P`` keeps its working directory from being imported from, as in a service.
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from context_bus.service.inspecting import answer; answer(sys.argv[2], sys.argv[3])"
)
#: Bytes of its last words that an error may quote.
_LAST_WORDS = 300


def inspect_services(
    wanted: list[tuple[str, str]], timeout: float = TIMEOUT
) -> dict[tuple[str, str], Description | ServiceError]:
    """Describe services, each in a process of its own, as many at once as there are processors.

    Args:
        wanted: Location and instance of each.
        timeout: Seconds that one may take.
    """
    different = list(dict.fromkeys(wanted))
    if not different:
        return {}
    with ThreadPoolExecutor(min(len(different), os.cpu_count() or 1)) as pool:
        found = pool.map(lambda each: _inspect(each[0], each[1], timeout), different)
        return dict(zip(different, found, strict=True))


def answer(location: str, instance: str) -> None:
    """Import a service, describe it, and print that; the body of the process."""
    from context_bus.service.describing import describe
    from context_bus.service.loading import load_service_class

    # What the user's code prints must not get into the answer.
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        told = Answer(describe(load_service_class(location, instance)))
    except ServiceError as error:
        told = Answer(error=str(error))
    with os.fdopen(out, "wb") as file:
        file.write(msgspec.json.encode(told))
    # Threads that an import has started do not keep us.
    os._exit(0)


def _inspect(location: str, instance: str, timeout: float) -> Description | ServiceError:
    package_root = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, package_root, location, instance],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return ServiceError(
            f"{_file(location, instance)}: importing it took more than {timeout:g} s; a module of a "
            "service must not do the work of its task"
        )
    finally:
        _end(process)
    return _read(out, err, process.returncode, _file(location, instance))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, and whatever it has started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _read(out: bytes, err: bytes, code: int, file: str) -> Description | ServiceError:
    try:
        told = msgspec.json.decode(out, type=Answer)
    except UNREADABLE:
        words = " ".join(err.decode(errors="replace").split())[-_LAST_WORDS:]
        said = f": {words}" if words else ""
        return ServiceError(f"{file}: the process that imported it ended with {_ending(code)}{said}")
    return told.description or ServiceError(told.error)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _file(location: str, instance: str) -> str:
    return str(Path(location) / instance / f"Service{instance}.py")


def with_location(found: Description | ServiceError, location: str, name: str) -> Description | str:
    """The same with a location called as the user calls it; of an error its text.

    Args:
        found: What came of a look.
        location: The location, absolute, as it stands in places.
        name: What to call it.
    """
    here, there = os.path.join(location, ""), os.path.join(name, "")
    if isinstance(found, ServiceError):
        return str(found).replace(here, there)
    return msgspec.convert(_replaced(msgspec.to_builtins(found), here, there), type=Description)


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: _replaced(each, old, new) for key, each in value.items()}
    return [_replaced(each, old, new) for each in value] if isinstance(value, list | tuple) else value
