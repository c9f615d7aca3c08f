"""Runs the live view until somebody quits. Knows the application; must not know the command line."""

from __future__ import annotations

from context_bus.view.live import Live
from context_bus.view.terminal.app import TopApp
from context_bus.view.terminal.services import Choice


def run_top(live: Live, choice: Choice, every: float) -> int:
    """Show a provider until somebody quits; returns the exit code."""
    app = TopApp(live, choice, every)
    code = app.run()
    return code if code is not None else app.return_code or 0
