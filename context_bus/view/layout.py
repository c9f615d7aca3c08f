"""Where boxes and the lines between them go: from left to right, in layers, parts that hang together apart.

Pure. Knows sizes, not what is in a box. Lines pass boxes by: each has a place of its own in every layer on
its way, and its label another. Lengths are in pixels, y grows downwards.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from context_bus.view.layering import Layers, layered

#: Between two layers; a line bends there.
GAP = 26.0
#: Between two boxes of a layer, and beside a line that passes.
APART, BESIDE = 22.0, 7.0
#: Between parts that do not hang together.
PARTS_APART = 34.0
#: Width by height that a picture of many parts comes near to.
ASPECT = 2.2
#: Times that boxes are moved towards their neighbours.
ROUNDS = 24
#: How much more two stepping stones of one line want to be level than two boxes; see `_middles`.
STRAIGHT = 8.0

#: A place: x and y.
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """Something to place: its size, and how far below its middle lines end (for boxes with a loop on top)."""

    name: str
    width: float
    height: float
    anchor: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    """A line between two different boxes, with the size of its label."""

    source: str
    target: str
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a line.

    Args:
        points: From source to target; between an odd and an even one it runs level, else it bends.
        label: Middle of its label.
    """

    points: tuple[Point, ...]
    label: Point


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    Args:
        corners: Upper left corner of each box.
        routes: In the order of the links.
        width, height: Of all.
    """

    corners: Mapping[str, Point]
    routes: tuple[Route, ...]
    width: float
    height: float


def lay_out(boxes: Sequence[Box], links: Sequence[Link]) -> Layout:
    """Place boxes, and lead lines between them; boxes that no line touches stand in rows below."""
    parts = _parts(boxes, links)
    joined = [part for part in parts if len(part) > 1]
    single = [part[0] for part in parts if len(part) == 1]
    done = [_one_part(part, links) for part in joined]
    corners, routes = dict[str, Point](), dict[int, Route]()
    y = width = 0.0
    for part, each in zip(joined, done, strict=True):
        names = {box.name for box in part}
        corners |= {name: (at[0], y + at[1]) for name, at in each.corners.items()}
        numbers = [number for number, link in enumerate(links) if link.source in names]
        for number, route in zip(numbers, each.routes, strict=True):
            points = tuple((x, y + at) for x, at in route.points)
            routes[number] = Route(points, (route.label[0], y + route.label[1]))
        width, y = max(width, each.width), y + each.height + PARTS_APART
    rows, wide, high = _in_rows(single, width)
    corners |= {name: (at[0], y + at[1]) for name, at in rows.items()}
    height = y + high if single else y - PARTS_APART
    return Layout(corners, tuple(routes[number] for number in range(len(links))), max(width, wide), height)


def _parts(boxes: Sequence[Box], links: Sequence[Link]) -> list[list[Box]]:
    """What hangs together, the larger parts first, else as given."""
    head = {box.name: box.name for box in boxes}

    def find(name: str) -> str:
        while head[name] != name:
            head[name] = name = head[head[name]]
        return name

    for link in links:
        head[find(link.source)] = find(link.target)
    parts: dict[str, list[Box]] = {}
    for box in boxes:
        parts.setdefault(find(box.name), []).append(box)
    return sorted(parts.values(), key=lambda part: -len(part))


def _in_rows(boxes: Sequence[Box], least: float) -> tuple[dict[str, Point], float, float]:
    """Put boxes into rows and columns, those of a row on one line; returns corners, width and height.

    Args:
        boxes: In order.
        least: Width that there is anyway.
    """
    if not boxes:
        return {}, 0.0, 0.0
    column = max(box.width for box in boxes) + APART
    row = max(box.height for box in boxes) + APART
    many = max(math.ceil(math.sqrt(len(boxes) * ASPECT * row / column)), int((least + APART) / column), 1)
    corners: dict[str, Point] = {}
    y = 0.0
    for first in range(0, len(boxes), many):
        shown = boxes[first : first + many]
        tallest = max(box.height for box in shown)
        for place, box in enumerate(shown):
            # What has a loop on top stands level with what has none.
            corners[box.name] = (place * column + (column - APART - box.width) / 2, y + tallest - box.height)
        y += tallest + APART
    return corners, min(many, len(boxes)) * column - APART, y - APART


def _one_part(boxes: Sequence[Box], links: Sequence[Link]) -> Layout:
    """Lay out what hangs together."""
    size = {box.name: box for box in boxes}
    own = [link for link in links if link.source in size]
    layers = layered(list(size), [(link.source, link.target) for link in own])
    labels: list[str] = []
    for link, way in zip(own, layers.ways, strict=True):
        # A label stands near the source of its line, which may be at the later end of the way.
        label = way[1] if way[0] == link.source else way[-2]
        labels.append(label)
        size[label] = Box(label, link.width, link.height)
    for row in layers.rows:
        for name in row:
            size.setdefault(name, Box(name, 0.0, 0.0))
    left, widths = _columns(layers, size)
    middle = _middles(layers, size)
    top = min(middle[name] - size[name].height / 2 for name in size)
    middle = {name: at - top for name, at in middle.items()}
    column = {name: number for number, row in enumerate(layers.rows) for name in row}
    corners = {
        box.name: (
            left[column[box.name]] + (widths[column[box.name]] - box.width) / 2,
            middle[box.name] - box.height / 2,
        )
        for box in boxes
    }
    bottom = max(middle[name] + size[name].height / 2 for name in size)
    routes = _routes(own, layers, labels, _Frame(left, widths, middle, column, size))
    return Layout(corners, tuple(routes), left[-1] + widths[-1], bottom)


def _columns(layers: Layers, size: Mapping[str, Box]) -> tuple[list[float], list[float]]:
    """Left edge and width of every layer."""
    widths = [max((size[name].width for name in row), default=0.0) for row in layers.rows]
    left, x = [], 0.0
    for width in widths:
        left.append(x)
        x += width + GAP
    return left, widths


def _middles(layers: Layers, size: Mapping[str, Box]) -> dict[str, float]:
    """The y of every middle: near the neighbours, apart from those in the same layer."""
    middle: dict[str, float] = {}
    for row in layers.rows:
        y = 0.0
        for above, name in zip([None, *row], row, strict=False):
            y += _apart(size[above], size[name]) if above else 0.0
            middle[name] = y
    for turn in range(ROUNDS):
        rows = layers.rows if turn % 2 == 0 else list(reversed(layers.rows))
        sides = [layers.before, layers.after]
        beside = sides[turn % 2 : turn % 2 + 1] if turn < ROUNDS // 2 else sides
        for row in rows:
            wanted = []
            for name in row:
                # Lines end below the middle of a box with a loop on top, so that is what is aligned.
                near = [(e, middle[e] + size[e].anchor) for side in beside for e in side[name]]
                weights = [_pull(name, each) for each, _ in near]
                mean = sum(w * at for w, (_, at) in zip(weights, near, strict=True)) / (sum(weights) or 1.0)
                wanted.append((mean - size[name].anchor if near else middle[name], sum(weights) or 0.1))
            steps = [_apart(size[a], size[b]) for a, b in itertools.pairwise(row)]
            middle |= zip(row, _spread(wanted, steps), strict=True)
    _straighten(layers, size, middle)
    return middle


def _straighten(layers: Layers, size: Mapping[str, Box], middle: dict[str, float]) -> None:
    """Make long lines level wherever there is room, in as long pieces as can be."""
    above, below = dict[str, str](), dict[str, str]()
    for row in layers.rows:
        for one, other in itertools.pairwise(row):
            below[one], above[other] = other, one

    def room(name: str) -> tuple[float, float]:
        over, under = above.get(name), below.get(name)
        lowest = middle[over] + _apart(size[over], size[name]) if over else -math.inf
        highest = middle[under] - _apart(size[name], size[under]) if under else math.inf
        return lowest, highest

    for _ in range(ROUNDS // 4):
        for way in layers.ways:
            piece: list[str] = []
            low, high = -math.inf, math.inf
            for stone in way[1:-1]:
                lowest, highest = room(stone)
                if max(low, lowest) > min(high, highest):
                    _level(piece, low, high, middle)
                    piece, low, high = [], -math.inf, math.inf
                piece.append(stone)
                low, high = max(low, lowest), min(high, highest)
            _level(piece, low, high, middle)


def _level(piece: Sequence[str], low: float, high: float, middle: dict[str, float]) -> None:
    """Put all stones of a piece on one height within these bounds."""
    if not piece:
        return
    mean = sum(middle[stone] for stone in piece) / len(piece)
    middle |= dict.fromkeys(piece, min(max(mean, low), high))


def _pull(one: str, other: str) -> float:
    """How much two neighbours in different layers want to be level: a bend in a long line is ugly."""
    return STRAIGHT if one.startswith("\0") and other.startswith("\0") else 1.0


def _apart(above: Box, below: Box) -> float:
    """How far the middles of two neighbours in a layer are apart at least."""
    gap = APART if above.width and below.width else BESIDE
    return (above.height + below.height) / 2 + gap


def _spread(wanted: Sequence[tuple[float, float]], steps: Sequence[float]) -> list[float]:
    """Places as near as possible to the wanted ones, in order and apart: least squares under constraints.

    What would overlap is pooled into blocks, each of which stands at the mean of what its members want.

    Args:
        wanted: For each its place, and the weight of that wish.
        steps: How far each is from the one before at least.
    """
    offsets = [0.0]
    for step in steps:
        offsets.append(offsets[-1] + step)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, count
    for (want, weight), offset in zip(wanted, offsets, strict=True):
        mean, heavy, count = want - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, much, many = blocks.pop()
            mean = (mean * heavy + other * much) / (heavy + much)
            heavy, count = heavy + much, count + many
        blocks.append((mean, heavy, count))
    bases = [mean for mean, _, count in blocks for _ in range(count)]
    return [base + offset for base, offset in zip(bases, offsets, strict=True)]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is placed: columns, and the middle of everything in them."""

    left: Sequence[float]
    widths: Sequence[float]
    middle: Mapping[str, float]
    column: Mapping[str, int]
    size: Mapping[str, Box]

    def sides(self, name: str) -> tuple[float, float]:
        """Left and right end of what a line touches: of a box its own, of a layer it only passes all."""
        number = self.column[name]
        left, width = self.left[number], self.widths[number]
        if name.startswith("\0"):
            return left, left + width
        inset = (width - self.size[name].width) / 2
        return left + inset, left + width - inset


def _routes(links: Sequence[Link], layers: Layers, labels: Sequence[str], frame: _Frame) -> list[Route]:
    leaving = _ports([(way[0], way[1]) for way in layers.ways], frame)
    arriving = _ports([(way[-1], way[-2]) for way in layers.ways], frame)
    routes = []
    for number, (link, way) in enumerate(zip(links, layers.ways, strict=True)):
        points: list[Point] = [(frame.sides(way[0])[1], leaving[number])]
        for stone in way[1:-1]:
            left, right = frame.sides(stone)
            points += [(left, frame.middle[stone]), (right, frame.middle[stone])]
        points.append((frame.sides(way[-1])[0], arriving[number]))
        if way[0] != link.source:
            points.reverse()
        left, right = frame.sides(labels[number])
        routes.append(Route(tuple(points), ((left + right) / 2, frame.middle[labels[number]])))
    return routes


def _ports(ends: Sequence[tuple[str, str]], frame: _Frame) -> dict[int, float]:
    """For every line the y at which it touches a box; those of one side are spread over it.

    Args:
        ends: For every line the box, and what stands next on its way.
        frame: Where those are.
    """
    touching: dict[str, list[int]] = {}
    for number, (box, _) in enumerate(ends):
        touching.setdefault(box, []).append(number)
    ports: dict[int, float] = {}
    for touched, numbers in touching.items():
        body = frame.size[touched]
        middle = frame.middle[touched] + body.anchor
        numbers.sort(key=lambda number: frame.middle[ends[number][1]])
        free = body.height - 2 * body.anchor - 12.0
        step = min(14.0, free / len(numbers))
        for place, number in enumerate(numbers):
            ports[number] = middle + (place - (len(numbers) - 1) / 2) * step
    return ports
