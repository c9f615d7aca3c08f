"""A graph as shapes, one drawing for every format: boxes with text, lines with arrows and labels, a legend.

Pure; knows graph, layout and colours. Lengths are in pixels, y grows downwards; a colour is a name that
whoever draws looks up, so that a page can change it with its theme.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from context_bus.config.model import ServiceType
from context_bus.view.graph import Edge, Graph, Node, Tie
from context_bus.view.layout import Box, Link, Point, Route, lay_out
from context_bus.view.palette import FAMILIES, family

#: Sizes of text.
TITLE, SMALL, LABEL, HEADING = 13.0, 10.5, 10.0, 14.0
#: Around everything, and inside a box.
MARGIN, PADDING = 18.0, 12.0
#: Height of a box without and with a line for its state, and its least width.
PLAIN, STATED, LEAST = 44.0, 60.0, 116.0
#: Height that one loop takes above its box.
LOOP = 20.0
#: Most signs of a name that are shown, and most instances of which each has a dot.
MOST_SIGNS, MOST_DOTS = 26, 12


@dataclass(frozen=True, slots=True)
class Frame:
    """A box with round corners; ``bars`` are two lines inside its sides, the sign of a program."""

    x: float
    y: float
    width: float
    height: float
    radius: float
    ground: str
    line: str
    thick: float = 1.4
    dashed: bool = False
    bars: bool = False
    tip: str = ""
    name: str = ""
    transaction: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line: its beginning, then three points of a Bezier curve for each piece; its head."""

    points: tuple[Point, ...]
    colour: str
    dash: tuple[float, float] | None = None
    head: str = "arrow"
    thick: float = 1.5


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text by where its middle line begins, or by its middle; a ``plate`` hides what is behind."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    bold: bool = False
    centred: bool = False
    plate: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    colour: str
    tip: str = ""


Shape = Frame | Curve | Words | Dot


@dataclass(frozen=True, slots=True)
class Scene:
    """All shapes, those behind first."""

    shapes: tuple[Shape, ...]
    width: float
    height: float
    title: str


#: How a line looks by what it means: its dashes, its head, and how thick it is.
LOOKS: dict[Tie, tuple[tuple[float, float] | None, str, float]] = {
    Tie.START: (None, "arrow", 1.5),
    Tie.RESTART: ((7.0, 3.0), "arrow", 1.5),
    Tie.STOP: (None, "bar", 1.5),
    Tie.REQUIRES: ((2.0, 3.0), "open", 1.5),
    Tie.MESSAGES: (None, "arrow", 3.0),
}


def scene_of(graphs: Sequence[Graph], *, legend: bool = True, heading: bool = True) -> Scene:
    """Draw graphs, several one below another.

    Args:
        graphs: One, or one for each transaction.
        legend: Explain colours and lines below.
        heading: Write the name of the context, and of a transaction, above.
    """
    shapes: list[Shape] = []
    y, widest = MARGIN, 0.0
    for graph in graphs:
        if heading:
            shapes.append(Words(MARGIN, y + 8, _heading(graph), HEADING, "ink", bold=True))
            widest = max(widest, width_of(_heading(graph), HEADING, bold=True))
            y += 34.0
        drawn, width, height = _draw(graph, MARGIN, y)
        shapes += drawn
        widest, y = max(widest, width), y + height + 26.0
    if legend:
        row, width, height = _legend(graphs, MARGIN, y, max(widest, 460.0))
        shapes += row
        widest, y = max(widest, width), y + height + 26.0
    return Scene(tuple(shapes), widest + 2 * MARGIN, y - 26.0 + MARGIN, _heading(graphs[0]) if graphs else "")


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is in DejaVu Sans, one of the widest faces; others then fit as well."""
    units = sum(_WIDTHS.get(sign, 0.64 if sign.isascii() else _foreign(sign)) for sign in text)
    return units * size * (1.1 if bold else 1.0)


_WIDTHS = {
    **dict.fromkeys("ijl'|", 0.29),
    **dict.fromkeys(" .,:;!I", 0.35),
    **dict.fromkeys('frt()[]-/\\"', 0.42),
    **dict.fromkeys("_ckszvxy*?J", 0.55),
    **dict.fromkeys("ABCDEFGHKNOPQRSTUVXYZ", 0.71),
    **dict.fromkeys("mMwW%@", 0.97),
    **dict.fromkeys("#+<>=~^", 0.84),
    "·": 0.35,
    "\u00d7": 0.84,
}


def _foreign(sign: str) -> float:
    return 1.02 if unicodedata.east_asian_width(sign) in "WF" else 0.7


def cut(text: str) -> str:
    """A name on the space it may take, without signs that do not print."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return plain if len(plain) <= MOST_SIGNS else plain[: MOST_SIGNS - 1] + "…"


def _heading(graph: Graph) -> str:
    return f"{cut(graph.title)}  ·  {graph.transaction}" if graph.transaction else cut(graph.title)


def _draw(graph: Graph, left: float, top: float) -> tuple[list[Shape], float, float]:
    loops: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        if edge.source == edge.target:
            loops.setdefault(edge.source, []).append(edge)
    boxes = [_box(node, loops.get(node.service_id, ())) for node in graph.nodes]
    edges = [edge for edge in graph.edges if edge.source != edge.target]
    links = [Link(e.source, e.target, width_of(e.label, LABEL) + 8, LABEL + 5) for e in edges]
    layout = lay_out(boxes, links)
    behind: list[Shape] = []
    before: list[Shape] = []
    for edge, route in zip(edges, layout.routes, strict=True):
        curve, label = _line(edge, route, left, top)
        behind.append(curve)
        before.append(label)
    for node, box in zip(graph.nodes, boxes, strict=True):
        x, y = layout.corners[node.service_id]
        over = 2 * box.anchor
        place = (left + x, top + y + over, box.width, box.height - over)
        behind += _loops(loops.get(node.service_id, ()), place)
        before += _boxed(node, place, graph.transaction)
    return [*behind, *before], layout.width, layout.height


def _box(node: Node, loops: Iterable[Edge]) -> Box:
    names = [edge.label for edge in loops]
    width = max(
        LEAST,
        width_of(_title(node), TITLE, bold=True) + 2 * PADDING + (10 if _is_program(node) else 0),
        width_of(_under(node), SMALL) + 2 * PADDING,
        width_of(_state_text(node), SMALL) + 2 * PADDING + 14,
        min(len(node.beings), MOST_DOTS) * 13 + 2 * PADDING,
        *(52 + width_of(name, LABEL) for name in names),
    )
    body = STATED + (14 if len(node.beings) > 1 else 0) if node.beings else PLAIN
    return Box(node.service_id, width, body + LOOP * len(names), anchor=LOOP * len(names) / 2)


def _boxed(node: Node, place: tuple[float, float, float, float], transaction: str) -> list[Shape]:
    x, y, width, height = place
    look = family(node.state).name
    is_program = _is_program(node)
    shapes: list[Shape] = [
        Frame(
            x,
            y,
            width,
            height,
            3.0 if is_program else 9.0,
            f"ground-{look}",
            f"state-{look}",
            dashed=node.is_deferred,
            bars=is_program,
            tip=_tip(node),
            name=node.service_id,
            transaction=transaction,
        ),
        Words(x + width / 2, y + 16, _title(node), TITLE, "ink", bold=True, centred=True),
        Words(x + width / 2, y + 32, _under(node), SMALL, "muted", centred=True),
    ]
    if node.beings:
        text = _state_text(node)
        wide = width_of(text, SMALL)
        start = x + (width - wide - 12) / 2
        shapes.append(Dot(start + 4, y + 48, 4.0, f"state-{look}"))
        shapes.append(Words(start + 13, y + 48, text, SMALL, "ink"))
    if len(node.beings) > 1:
        shown = node.beings[:MOST_DOTS]
        start = x + width / 2 - (len(shown) - 1) * 6.5
        shapes += [
            Dot(start + 13 * n, y + 63, 4.5, f"state-{family(b.state).name}", f"{b.service_id}: {b.state}")
            for n, b in enumerate(shown)
        ]
    return shapes


def _tip(node: Node) -> str:
    """What is told of a service that somebody points at."""
    beings = [
        f"{b.service_id}: {b.state}{f', pid {b.pid}' if b.pid else ''}{f', {b.note}' if b.note else ''}"
        for b in node.beings
    ]
    return "\n".join((f"{node.service_id}  {node.service_name}".rstrip(), node.title, *beings))


def _is_program(node: Node) -> bool:
    return node.carrier is ServiceType.COMMAND


def _title(node: Node) -> str:
    count = max(node.instances, len(node.beings))
    return cut(node.title) + (f" \u00d7{count}" if count > 1 else "")


def _under(node: Node) -> str:
    named = node.service_name if node.service_name not in {"", node.service_id, node.title} else ""
    return cut(f"{node.service_id} · {named}" if named else node.service_id)


def _state_text(node: Node) -> str:
    if len(node.beings) > 1:
        same = sum(being.state == node.state for being in node.beings)
        return node.state if same == len(node.beings) else f"{same} of {len(node.beings)} {node.state}"
    return node.state


def _line(edge: Edge, route: Route, left: float, top: float) -> tuple[Curve, Words]:
    look = LOOKS[edge.tie]
    points = [(left + x, top + y) for x, y in route.points]
    path = [points[0]]
    for number, (one, other) in enumerate(itertools.pairwise(points)):
        if number % 2 == 0:  # in the gap between two layers
            half = (other[0] - one[0]) / 2
            path += [(one[0] + half, one[1]), (other[0] - half, other[1]), other]
        else:
            path += [one, other, other]
    x, y = route.label
    label = Words(left + x, top + y, edge.label, LABEL, f"edge-{edge.tie}", centred=True, plate=True)
    return Curve(tuple(path), f"edge-{edge.tie}", *look), label


def _loops(edges: Iterable[Edge], place: tuple[float, float, float, float]) -> list[Shape]:
    """What a service does to itself: bows above its box, each with its label beside."""
    x, y, _, _ = place
    shapes: list[Shape] = []
    for number, edge in enumerate(edges):
        look = LOOKS[edge.tie]
        up = y - LOOP * (number + 1) + 4
        near, far = x + 14 - 3 * number, x + 38 + 3 * number
        points = ((near, y), (near - 2, up - 4), (far + 2, up - 4), (far, y - 1))
        shapes.append(Curve(points, f"edge-{edge.tie}", *look))
        shapes.append(Words(x + 46, up + 5, edge.label, LABEL, f"edge-{edge.tie}"))
    return shapes


def _legend(
    graphs: Sequence[Graph], left: float, top: float, limit: float
) -> tuple[list[Shape], float, float]:
    """What colours and lines mean, in rows of at most ``limit``; returns width and height as well."""
    shapes: list[Shape] = []
    x, y, widest = left, top + 6, 0.0
    entries = _entries(graphs)
    for text, sign in entries:
        offset = 18.0 if isinstance(sign, Dot) else 32.0
        wide = offset + width_of(text, LABEL)
        if x > left and x + wide > left + limit:
            x, y = left, y + 20
        shapes += [_moved(sign, x, y), Words(x + offset, y, text, LABEL, "muted")]
        widest = max(widest, x + wide - left)
        x += wide + 20
    return shapes, widest, y - top + 6 if entries else 0.0


def _entries(graphs: Sequence[Graph]) -> list[tuple[str, Shape]]:
    """Words and sign of all that is to be seen."""
    nodes = [node for graph in graphs for node in graph.nodes]
    seen = {being.state for node in nodes for being in node.beings}
    entries: list[tuple[str, Shape]] = []
    shown = [(each.name, [state for state in each.states if state and state in seen]) for each in FAMILIES]
    entries += [(", ".join(states), Dot(8, 0, 5.0, f"state-{name}")) for name, states in shown if states]
    for tie in Tie:
        if any(edge.tie is tie for graph in graphs for edge in graph.edges):
            look = LOOKS[tie]
            points = ((0.0, 0.0), (8.0, 0.0), (14.0, 0.0), (26.0, 0.0))
            entries.append((tie.value, Curve(points, f"edge-{tie}", *look)))
    if any(node.is_deferred for node in nodes):
        entries.append(("waits to be started", Frame(0, -7, 24, 14, 4, "paper", "muted", 1.2, dashed=True)))
    if any(_is_program(node) for node in nodes):
        entries.append(("program", Frame(0, -7, 24, 14, 2, "paper", "muted", 1.2, bars=True)))
    return entries


def _moved(shape: Shape, x: float, y: float) -> Shape:
    if isinstance(shape, Curve):
        return replace(shape, points=tuple((x + at[0], y + at[1]) for at in shape.points))
    return replace(shape, x=shape.x + x, y=shape.y + y)
