"""Logging: configured in one place, in one way, also in processes that are started."""

from __future__ import annotations

import io
import json
import logging
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.cli.logs import LogSettings, configure


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Leave the logging of the test run as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_configuring_twice_leaves_one_handler(tmp_path: Path) -> None:
    """A record is written once, however often logging was configured."""
    file = tmp_path / "a.log"
    for _ in range(3):
        configure(LogSettings("info", str(file)))
    logging.getLogger("x.y").info("event: key=%s", "value")
    (line,) = file.read_text().splitlines()
    assert line.endswith("INFO    x.y: event: key=value")
    assert len(logging.getLogger().handlers) == 1


def test_level_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records below the level are not written; the others go to stderr."""
    monkeypatch.setattr(sys, "stderr", text := io.StringIO())
    configure(LogSettings("warning"))
    logging.getLogger("x").info("not this")
    logging.getLogger("x").warning("but this")
    assert "but this" in text.getvalue()
    assert "not this" not in text.getvalue()


def test_json_records_hold_fields_and_traceback(tmp_path: Path) -> None:
    """With JSON each record is an object on one line, extra fields and traceback included."""
    file = tmp_path / "a.log"
    configure(LogSettings("info", str(file), as_json=True))
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("failed: %d", 3, extra={"service_id": "ts_1", "odd": object()})
    (line,) = file.read_text().splitlines()
    record = json.loads(line)
    assert (record["message"], record["level"], record["service_id"]) == ("failed: 3", "error", "ts_1")
    assert "ValueError: broken" in record["traceback"]


def test_settings_travel_to_a_child_and_configure_it(tmp_path: Path) -> None:
    """What a process is given is picklable and callable; its records name the process."""
    file = tmp_path / "a.log"
    settings = pickle.loads(pickle.dumps(LogSettings("info", str(file)).for_child()))
    settings()
    logging.getLogger("x").info("hello")
    assert "x: [MainProcess] hello" in file.read_text()


def test_child_follows_a_file_that_was_rotated(tmp_path: Path) -> None:
    """When the command puts the file aside, a child goes on in the new one."""
    file = tmp_path / "a.log"
    configure(LogSettings("info", str(file)).for_child())
    logging.getLogger("x").info("first")
    file.rename(tmp_path / "a.log.1")
    file.touch()
    logging.getLogger("x").info("second")
    assert "second" in file.read_text()
    assert "first" in (tmp_path / "a.log.1").read_text()
