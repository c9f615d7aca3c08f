"""A real browser for tests: Debian's Chromium, driven by playwright and ended with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

#: Names under which Chromium is installed.
NAMES = ("chromium", "chromium-browser", "google-chrome")
#: Without a screen, and without a word to anybody outside this machine.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium(profile: Path) -> Iterator[BrowserContext]:
    """Run the browser with a profile of its own; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no chromium here; apt-get install chromium")
    with sync_playwright() as playwright:
        # It is started and ended by the process that the driver is.
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=found, args=list(FLAGS), viewport={"width": 1280, "height": 900}
        )
        try:
            yield context
        finally:
            context.close()
