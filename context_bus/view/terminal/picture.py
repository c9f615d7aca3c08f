"""Pictures of the live view without a terminal: as text, and as SVG. Knows the application.

Textual runs its applications without a terminal for tests; what would be painted then can be had.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from context_bus.errors import CommandTimeout
from context_bus.view.live import Live
from context_bus.view.terminal.app import TopApp
from context_bus.view.terminal.services import Choice

#: Seconds that what is to be seen may take.
PATIENCE = 60.0
#: Seconds between two looks whether it is there, and after a key.
STEP = 0.2
#: Fonts that a viewer would fetch from elsewhere; without them it takes one of its own.
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    Args:
        text: Lines as a terminal would show them, without colours.
        svg: The same with colours.
    """

    text: str
    svg: str


def screen_text(app: TopApp) -> str:
    """What is on the screen."""
    # No public way gives text; `export_screenshot` gives SVG only.
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def take_picture(
    live: Live,
    width: int,
    height: int,
    keys: Sequence[str] = (),
    choice: Choice = Choice(),  # noqa: B008 - frozen
    samples: int = 12,
) -> Picture:
    """Run the live view for a while and take a picture of it.

    Args:
        live: What is shown; closed by whoever made it.
        width: Columns.
        height: Lines.
        keys: What is pressed before, in Textual's words for keys.
        choice: What is shown, in which order.
        samples: How long the curves are to be at least, in samples.

    Raises:
        CommandTimeout: So much was not there in time.
    """
    app = TopApp(live, choice)
    deadline = time.monotonic() + PATIENCE
    async with app.run_test(size=(width, height)) as pilot:
        while max((len(each.cpu_history) for each in app.snapshot.services), default=0) < samples:
            if time.monotonic() > deadline:
                raise CommandTimeout(f"no {samples} samples within {PATIENCE:g} s: {app.snapshot.trouble}")
            await pilot.pause(STEP)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(STEP)
        await pilot.pause(2 * STEP)
        return Picture(screen_text(app), _FONTS.sub("", app.export_screenshot()))
