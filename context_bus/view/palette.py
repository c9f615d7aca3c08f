"""Colours in which states and edges are shown, told apart by colour-blind eyes as well.

Pure. The hues are near those of Okabe and Ito; a state is always written besides its colour.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """States that look alike.

    Args:
        name: One word, also a class of style sheets.
        colour: Of lines and signs, on light and on dark ground.
        states: What belongs to it.
    """

    name: str
    colour: str
    states: tuple[str, ...]


#: Every family, the most wanted first.
FAMILIES = (
    Family("running", "#009E73", ("started",)),
    Family("reporting", "#2B9FD9", ("updated",)),
    Family("coming", "#4477AA", ("waiting", "starting", "warming", "created", "stopping", "ending")),
    Family("stopped", "#A39100", ("stopped",)),
    Family("retrying", "#EE9A10", ("backoff",)),
    Family("broken", "#C83A1E", ("failed", "fatal")),
    Family("idle", "#7A828C", ("exited", "defined", "")),
)
#: Of lines by what they mean; see `graph.Tie`.
EDGE_COLOURS = {
    "start": "#00795A",
    "stop": "#C04A00",
    "restart": "#8E4585",
    "requires": "#6B7280",
    "messages": "#41709F",
}
#: How much of a family's colour the ground of a node has.
TINT = 0.13

_OF_STATE = {state: each for each in FAMILIES for state in each.states}


def family(state: str) -> Family:
    """What a state looks like; an unknown one is idle."""
    return _OF_STATE.get(state, FAMILIES[-1])


def tint(state: str) -> str:
    """The ground of a node in a state, on white."""
    return mix(family(state).colour, "#FFFFFF", TINT)


def mix(colour: str, ground: str, share: float) -> str:
    """A colour laid thinly over a ground; both as ``#RRGGBB``."""
    parts = [
        round(share * int(colour[at : at + 2], 16) + (1 - share) * int(ground[at : at + 2], 16))
        for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02X}" for part in parts)
