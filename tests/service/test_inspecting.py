"""Looking at services in processes of their own: whatever their modules do at import, we are told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from context_bus.errors import ServiceError
from context_bus.service.description import Description
from context_bus.service.inspecting import inspect_services, with_location
from tests.e2e import procs

SERVICES = Path(__file__).resolve().parents[2] / "Services"


def service(root: Path, name: str, first: str = "", body: str = "pass") -> None:
    """Write a service whose module begins with these lines."""
    directory = root / name
    directory.mkdir()
    (directory / "__init__.py").write_text("")
    (directory / f"Service{name}.py").write_text(
        f"{first}\nfrom context_bus import Task, TaskService\n\n\nclass Working(Task):\n    {body}\n\n\n"
        f"class Service{name}(TaskService):\n    task_class = Working\n"
    )


def look(root: Path, name: str, timeout: float = 30.0) -> Description | ServiceError:
    """What comes of a look at one service."""
    (found,) = inspect_services([(str(root), name)], timeout).values()
    return found


def test_services_are_described(tmp_path: Path) -> None:
    """Several at once, each once; nothing of them is imported here."""
    wanted = [(str(SERVICES), name) for name in ("Tail", "Parse", "Tail")]
    found = inspect_services(wanted)
    assert list(found) == wanted[:2]
    tail = found[str(SERVICES), "Tail"]
    assert isinstance(tail, Description)
    assert tail.says[0].type == "Line"
    assert inspect_services([]) == {}


def test_what_a_module_prints_is_not_the_answer(tmp_path: Path) -> None:
    """However it prints, and whatever thread it leaves behind."""
    first = (
        "import os, threading, time\nprint('{}')\nos.write(1, b'noise')\nos.system('echo noise')\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()"
    )
    service(tmp_path, "Loud", first)
    began = time.monotonic()
    assert isinstance(look(tmp_path, "Loud"), Description)
    assert time.monotonic() - began < 25


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("import nothing_of_this_name", "ServiceBad.py:1: ModuleNotFoundError: No module named"),
        ("x = (", "ServiceBad.py:1: SyntaxError"),
        ("\n\n1 / 0", "ServiceBad.py:3: ZeroDivisionError"),
        ("import os; os._exit(7)", "ServiceBad.py: the process that imported it ended with exit code 7"),
        ("import os; os.kill(os.getpid(), 9)", "ended with signal SIGKILL"),
        ("raise SystemExit('no')", "ended with exit code 1: no"),
    ],
)
def test_what_cannot_be_imported_is_named_with_its_line(tmp_path: Path, first: str, words: str) -> None:
    """File and line, or how the process ended."""
    service(tmp_path, "Bad", first)
    found = look(tmp_path, "Bad")
    assert isinstance(found, ServiceError)
    assert words in str(found)
    assert "\n" not in str(found)


def test_import_that_hangs_has_a_deadline(tmp_path: Path) -> None:
    """It is ended, with what it started."""
    pid = tmp_path / "pid"
    first = (
        f"import subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\nchild.wait()"
    )
    service(tmp_path, "Slow", first)
    found = look(tmp_path, "Slow", 3.0)
    assert "importing it took more than 3 s" in str(found)
    assert not procs.wait_gone([int(pid.read_text())], 5.0)


def test_missing_service_is_told(tmp_path: Path) -> None:
    """As the provider would tell it."""
    assert "no directory Nothing/" in str(look(tmp_path, "Nothing"))


def test_places_are_called_as_the_user_calls_them() -> None:
    """So that a page does not depend on where it was made."""
    found = with_location(look(SERVICES, "Tail"), str(SERVICES), "../Services")
    assert isinstance(found, Description)
    assert found.place.startswith("../Services/Tail/Tail.py:")
    error = with_location(ServiceError(f"{SERVICES}/X/X.py:1: no"), str(SERVICES), "../Services")
    assert error == "../Services/X/X.py:1: no"
