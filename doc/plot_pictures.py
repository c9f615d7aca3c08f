"""Picture of ``context-bus plot`` for the pages here: of a shop with a leak, after it has run for a minute.

``python doc/plot_pictures.py DIRECTORY`` writes it. Needs the extra plot.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from context_bus.cli.stage import Stage, free_endpoint
from context_bus.config.load import read_context

#: Seconds that the shop is open.
OPEN = 60.0
#: One service leaks until it dies of it, one computes now and then, one only waits; a Monitor records them.
SHOP = """
Context:
  FrontEndEndpoint: LISTEN
  BackendEndpoint: PUBLISH
  FrontBind: PUBLISH
  BackendBind: LISTEN
  TaskLogName: Shop
  TaskService:
    - id: ts000
      instance: Monitor
      Task:
        message:
          header: {service_name: monitor}
          content:
            configuration:
              publisher: {endpoint: "ipc://monitor.sock", frequency_s: 0.5}
              monitor_options: {store_records: 1}
    - id: cart
      serviceType: Command
      command: python3 cart.py
      supervision: {restart: {policy: always, delay: 2, max_restarts: 100}}
    - id: stock
      serviceType: Command
      command: python3 stock.py
    - id: door
      serviceType: Command
      command: sleep 1000
"""
CART = """
import time
kept = []
for _ in range(24):
    kept.append(b"x" * 2_000_000)
    time.sleep(0.5)
raise SystemExit("out of memory")
"""
STOCK = """
import time
while True:
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        pass
    time.sleep(4)
"""


def plot_pictures(directory: Path) -> list[Path]:
    """Run the shop for a minute and write ``plot.png``; returns the files.

    Args:
        directory: Where to.
    """
    made = directory.resolve() / "plot.png"
    with tempfile.TemporaryDirectory(prefix="plot-pictures-") as place:
        here = Path(place)
        file = here / "Context-Shop.yaml"
        shop = SHOP.replace("LISTEN", free_endpoint()).replace("PUBLISH", free_endpoint())
        for name, text in ((file.name, shop), ("cart.py", CART), ("stock.py", STOCK)):
            (here / name).write_text(text)
        with contextlib.chdir(here), Stage(read_context(file), file, ("--start=SHOP", "--quiet")):
            time.sleep(OPEN)  # the picture shows a minute
        command = [
            sys.executable,
            "-m",
            "context_bus",
            "plot",
            "--since",
            "1m",
            "-o",
            str(made),
            "-c",
            str(file),
        ]
        subprocess.run(command, check=True, cwd=here)
    return [made]


if __name__ == "__main__":
    for picture in plot_pictures(Path(sys.argv[1])):
        print(picture)
