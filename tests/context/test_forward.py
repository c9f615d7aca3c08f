"""The forwarder as a process: what it brings along."""

from __future__ import annotations

import subprocess
import sys


def test_the_forwarder_imports_no_event_loop() -> None:
    """The guardian forks it with all it imports; asyncio and what that imports would be a third more."""
    program = "import sys, context_bus.context.forward; print({'asyncio', 'ssl'} & sys.modules.keys())"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
