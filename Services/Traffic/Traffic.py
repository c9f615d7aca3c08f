"""The task of service Traffic."""

import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from context_bus import Task

_PATHS = ("/", "/cart", "/search?q=shoes", "/item/4711", "/login", "/static/logo.svg")


class Serving(Task):
    """Writes the access log of a web shop that does not exist"""

    file: Path
    #: Seconds between two writes.
    period: float = 0.1
    #: Lines of a write.
    lines: int = 5
    #: Every how many lines one is garbled, as after a full disk; 0 for never.
    garbled_every: int = 200
    #: Bytes after which the log is rotated.
    max_size: int = 1_000_000

    def run(self) -> None:
        """Write lines every period until the service is stopped."""
        log = log_lines(random.Random(), self.garbled_every)
        while not self.wait(self.period):
            with self.file.open("a") as file:
                file.writelines(next(log) for _ in range(self.lines))
                size = file.tell()
            if size > self.max_size:
                self.file.replace(self.file.with_suffix(".1"))


def log_lines(chance: random.Random, garbled_every: int) -> Iterator[str]:
    """Make up lines: of every 500, the last 100 show a shop in trouble."""
    number = 0
    while True:
        number += 1
        if garbled_every and number % garbled_every == 0:
            yield 'GET /cart" 20\n'
            continue
        in_trouble = number % 500 >= 400
        status = 503 if chance.random() < (0.3 if in_trouble else 0.01) else 200
        seconds = chance.expovariate(1 / (0.4 if in_trouble else 0.04))
        host = f"192.0.2.{chance.randrange(1, 255)}"
        time = datetime.now().astimezone().strftime("%d/%b/%Y:%H:%M:%S %z")
        size = chance.randrange(200, 20_000)
        yield f'{host} - - [{time}] "GET {chance.choice(_PATHS)} HTTP/1.1" {status} {size} {seconds:.3f}\n'
