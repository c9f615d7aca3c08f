"""A scene as SVG. Pure; needs no library, and what it writes needs nothing but the text itself."""

from __future__ import annotations

from html import escape

from context_bus.view.palette import EDGE_COLOURS, FAMILIES, TINT, mix
from context_bus.view.scene import Curve, Dot, Frame, Scene, Shape, Words

#: Faces of text: whatever the reader has, the ones that are not wider than what was reckoned with.
FACES = "DejaVu Sans, Verdana, system-ui, sans-serif"
#: Length of an arrow's head, and half its width.
HEAD, HALF = 8.0, 3.6


def colours(paper: str = "#FFFFFF", ink: str = "#1F2328", muted: str = "#57606A") -> dict[str, str]:
    """Every colour that a scene names, on a ground; for a page with a dark theme, call it with a dark one."""
    table = {"paper": paper, "ink": ink, "muted": muted}
    for each in FAMILIES:
        table[f"state-{each.name}"] = each.colour
        table[f"ground-{each.name}"] = mix(each.colour, paper, TINT)
    is_dark = int(paper[1:3], 16) < 128
    for tie, colour in EDGE_COLOURS.items():
        table[f"edge-{tie}"] = mix(colour, "#FFFFFF", 0.6) if is_dark else colour
    return table


def svg(scene: Scene, *, themed: bool = False) -> str:
    """Write a scene.

    Args:
        scene: What to write.
        themed: Refer to colours as variables of the page around, ``var(--paper)``; else write them out.
    """
    table = colours()
    paint = {name: f"var(--{name})" for name in table} if themed else table
    size = f'width="{scene.width:.0f}" height="{scene.height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {scene.width:.0f} {scene.height:.0f}"'
        f' font-family="{FACES}" role="img">',
        f"<title>{escape(scene.title)}</title>",
    ]
    if not themed:
        parts.append(f'<rect width="100%" height="100%" fill="{paint["paper"]}"/>')
    parts += [_shape(shape, paint) for shape in scene.shapes]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _shape(shape: Shape, paint: dict[str, str]) -> str:
    match shape:
        case Frame():
            return _frame(shape, paint)
        case Curve():
            return _curve(shape, paint)
        case Words():
            return _words(shape, paint)
        case Dot():
            tip = f"<title>{escape(shape.tip)}</title>" if shape.tip else ""
            at = f'cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:g}"'
            return f'<circle {at} style="fill:{paint[shape.colour]}">{tip}</circle>'


def _frame(frame: Frame, paint: dict[str, str]) -> str:
    dash = ";stroke-dasharray:5 3" if frame.dashed else ""
    line = f"stroke:{paint[frame.line]};stroke-width:{frame.thick:g}"
    x, y = frame.x, frame.y
    parts = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{frame.width:.1f}" height="{frame.height:.1f}"'
        f' rx="{frame.radius:g}" style="fill:{paint[frame.ground]};{line}{dash}"/>'
    ]
    if frame.bars:
        parts += [
            f'<path d="M{at:.1f} {y:.1f}v{frame.height:.1f}" style="fill:none;{line}"/>'
            for at in (x + 5, x + frame.width - 5)
        ]
    if frame.tip:
        parts.append(f"<title>{escape(frame.tip)}</title>")
    if not frame.name:
        return "".join(parts)
    names = f'data-service="{escape(frame.name)}" data-transaction="{escape(frame.transaction)}"'
    return f'<g class="node" {names}>{"".join(parts)}</g>'


def _curve(curve: Curve, paint: dict[str, str]) -> str:
    points = [f"{x:.1f} {y:.1f}" for x, y in shortened(curve)]
    pieces = [f"C{' '.join(points[at : at + 3])}" for at in range(1, len(points), 3)]
    dash = f";stroke-dasharray:{curve.dash[0]:g} {curve.dash[1]:g}" if curve.dash else ""
    colour = paint[curve.colour]
    line = f"stroke:{colour};stroke-width:{curve.thick:g}"
    drawn = f'<path d="M{points[0]}{"".join(pieces)}" style="fill:none;{line}{dash}"/>'
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in head_of(curve))
    if curve.head == "arrow":
        return f'{drawn}<polygon points="{corners}" style="fill:{colour}"/>'
    return f'{drawn}<polyline points="{corners}" style="fill:none;{line}"/>'


def _words(words: Words, paint: dict[str, str]) -> str:
    anchor = ' text-anchor="middle"' if words.centred else ""
    weight = ' font-weight="600"' if words.bold else ""
    at = f'x="{words.x:.1f}" y="{words.y:.1f}" dy="0.35em"'
    # The plate is the outline of the letters in the colour of the ground.
    plate = f";stroke:{paint['paper']};stroke-width:6px;stroke-linejoin:round" if words.plate else ""
    style = f'style="fill:{paint[words.colour]};paint-order:stroke{plate}"'
    return f'<text {at} font-size="{words.size:g}"{anchor}{weight} {style}>{escape(words.text)}</text>'


def shortened(curve: Curve) -> tuple[tuple[float, float], ...]:
    """The points of a line that ends where its arrow begins, so that its dashes do not show through."""
    if curve.head != "arrow":
        return curve.points
    (x, y), (ux, uy) = curve.points[-1], _direction(curve)
    base = (x - ux * HEAD * 0.8, y - uy * HEAD * 0.8)
    return (*curve.points[:-1], base)


def head_of(curve: Curve) -> tuple[tuple[float, float], ...]:
    """The corners of the head of a line: of an arrow, of an open arrow, or the ends of a bar."""
    (x, y), (ux, uy) = curve.points[-1], _direction(curve)
    if curve.head == "bar":
        x, y = x - ux * 3, y - uy * 3
        return ((x - uy * 6, y + ux * 6), (x + uy * 6, y - ux * 6))
    back = (x - ux * HEAD, y - uy * HEAD)
    return (
        (back[0] - uy * HALF, back[1] + ux * HALF),
        (x, y),
        (back[0] + uy * HALF, back[1] - ux * HALF),
    )


def _direction(curve: Curve) -> tuple[float, float]:
    """Unit vector in which a line arrives."""
    x, y = curve.points[-1]
    for before in reversed(curve.points[:-1]):
        dx, dy = x - before[0], y - before[1]
        length = (dx * dx + dy * dy) ** 0.5
        if length > 0.01:
            return dx / length, dy / length
    return 1.0, 0.0
