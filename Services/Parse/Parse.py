"""The task of service Parse."""

import re
from datetime import datetime

import msgspec

from context_bus import Task, subscribe

#: Common or combined log format; a last field, as nginx writes $request_time, is the answer's seconds.
_LINE = re.compile(
    r"(?P<host>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "
    r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d{3}) (?P<size>\d+|-)'
    r'(?: "[^"]*" "[^"]*")?(?: (?P<seconds>\d+\.\d+))?'
)


class Line(msgspec.Struct):
    """What this service reads of a line."""

    number: int
    text: str


class Record(msgspec.Struct):
    """One request to the web server."""

    number: int
    host: str
    time: float
    method: str
    path: str
    status: int
    size: int
    seconds: float | None


class Parsing(Task):
    """Turns lines of an access log into records, and fails on what is no such line"""

    @subscribe("access.line")
    def on_line(self, line: Line) -> None:
        """Publish the record of a line."""
        self.publish("access.record", parse(line))


def parse(line: Line) -> Record:
    """Take a line apart.

    Raises:
        ValueError: It is no line of an access log. The service fails with it, and its on_fail starts
            it again: what state it had is gone, which is the point.
    """
    found = _LINE.fullmatch(line.text)
    if not found:
        raise ValueError(f"line {line.number} is no line of an access log: {line.text[:60]!r}")
    return Record(
        line.number,
        found["host"],
        datetime.strptime(found["time"], "%d/%b/%Y:%H:%M:%S %z").timestamp(),
        found["method"],
        found["path"],
        int(found["status"]),
        0 if found["size"] == "-" else int(found["size"]),
        None if found["seconds"] is None else float(found["seconds"]),
    )
