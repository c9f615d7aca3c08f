"""The one place that configures logging, in a command and again in every process it starts.

The library only asks for ``logging.getLogger(__name__)``. A ``LogSettings`` is picklable and callable, so
that a process started by ours can be handed one and call it first.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from typing import TextIO, cast

#: Names of levels as ``--log_level`` takes them.
LEVELS = ("debug", "info", "warning", "error")
#: Bytes after which a log file is put aside, and how many of those are kept.
MAX_BYTES, KEPT_FILES = 1_000_000, 5
_TEXT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"
_CLOCK = "%H:%M:%S"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where records go and which ones.

    Args:
        level: One of ``LEVELS``.
        file: Path of a rotating log file, or empty for stderr.
        as_json: Whether a record is one JSON object per line.
        is_child: Whether the process was started by the one that owns the log file.
    """

    level: str = "warning"
    file: str = ""
    as_json: bool = False
    is_child: bool = False

    def for_child(self) -> LogSettings:
        """The same for a process that this one starts."""
        return replace(self, is_child=True)

    def __call__(self) -> None:
        """Configure the logging of this process."""
        configure(self)


class JsonFormatter(logging.Formatter):
    """One JSON object per record."""

    def format(self, record: logging.LogRecord) -> str:
        """Encode the record with its extra fields."""
        import msgspec

        entry: dict[str, object] = {
            "time": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "name": record.processName,
            "message": record.getMessage(),
        }
        entry |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry, enc_hook=repr).decode()


def configure(settings: LogSettings) -> None:
    """Send the records of this process where the settings say; calling it again replaces what was.

    Raises:
        OSError: The log file cannot be opened.
    """
    root = logging.getLogger()
    handler = _handler(settings)
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(settings.level.upper())


@contextlib.contextmanager
def redirected(errors: TextIO) -> Iterator[None]:
    """Send what goes to standard error to a stream that stands for it meanwhile."""
    root = logging.getLogger()
    moved = [each for each in root.handlers if getattr(each, "stream", None) is sys.stderr]
    for handler in moved:
        cast("logging.StreamHandler[TextIO]", handler).setStream(errors)
    try:
        yield
    finally:
        for handler in moved:
            cast("logging.StreamHandler[TextIO]", handler).setStream(sys.stderr)


def _handler(settings: LogSettings) -> logging.Handler:
    handler: logging.Handler
    if settings.file and settings.is_child:
        # The command rotates the file under the children's hands; they look for the new one.
        handler = WatchedFileHandler(settings.file, encoding="utf-8")
    elif settings.file:
        handler = RotatingFileHandler(
            settings.file, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8"
        )
    else:
        handler = logging.StreamHandler(sys.stderr)
    if settings.as_json:
        handler.setFormatter(JsonFormatter())
    else:
        name = "[%(processName)s] " if settings.is_child else ""
        handler.setFormatter(logging.Formatter(_TEXT.replace("%(message)", name + "%(message)"), _CLOCK))
    return handler


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
