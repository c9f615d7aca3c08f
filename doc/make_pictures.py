"""All pictures of the pages here, made anew from examples that run.

``python doc/make_pictures.py`` writes them into ``doc/pictures``; it takes three minutes. Needs Chromium,
and the extras plot, web and test.
"""

from __future__ import annotations

import sys
from pathlib import Path

from page_pictures import make_page_pictures
from plot_pictures import plot_pictures
from top_pictures import top_pictures


def make_pictures(directory: Path) -> list[Path]:
    """Write every picture into a directory; returns the files."""
    directory.mkdir(parents=True, exist_ok=True)
    return [path for make in (top_pictures, make_page_pictures, plot_pictures) for path in make(directory)]


if __name__ == "__main__":
    for picture in make_pictures(Path(*sys.argv[1:2] or [Path(__file__).parent / "pictures"])):
        print(picture)
