"""Pictures of ``context-bus top`` for the pages here: of the access log example, while it runs.

``python doc/top_pictures.py DIRECTORY`` writes them as text and as SVG. Needs no terminal and no browser.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

from context_bus.cli.stage import Stage, with_free_ports
from context_bus.client.whereabouts import endpoints_of
from context_bus.config.load import read_context
from context_bus.view.live import Live
from context_bus.view.terminal.picture import take_picture

#: Name of each picture: columns, lines, keys that are pressed before.
PICTURES: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "top-80": (80, 24, ()),
    "top-120": (120, 30, ("down", "down", "e")),
    "top-bus": (100, 20, ("b",)),
}
CHECKOUT = Path(__file__).resolve().parent.parent
EXAMPLE = Path("Conf/Context-AccessLog.xml")


def top_pictures(directory: Path) -> list[Path]:
    """Run the example on free ports and write the pictures; returns their files.

    Args:
        directory: Where to.
    """
    directory = directory.resolve()
    with tempfile.TemporaryDirectory(prefix="top-pictures-") as place:
        for name in ("Conf", "Services"):
            shutil.copytree(CHECKOUT / name, Path(place, name))
        with contextlib.chdir(place):  # so that files are named as in a checkout
            conf, _ = with_free_ports(read_context(EXAMPLE), EXAMPLE.parent)
            with (
                Stage(conf, EXAMPLE, ("--start=ACCESS", "--quiet")),
                Live(lambda: endpoints_of(EXAMPLE, None, None)) as live,
            ):
                return [path for name in PICTURES for path in _write(live, name, directory)]


def _write(live: Live, name: str, directory: Path) -> tuple[Path, Path]:
    width, height, keys = PICTURES[name]
    picture = asyncio.run(take_picture(live, width, height, keys, samples=40))
    text, svg = directory / f"{name}.txt", directory / f"{name}.svg"
    text.write_text(picture.text + "\n")
    svg.write_text(picture.svg)
    return text, svg


if __name__ == "__main__":
    for file in top_pictures(Path(sys.argv[1])):
        print(file)
