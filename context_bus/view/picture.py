"""Pictures of graphs as files: SVG as it is written, PNG drawn by matplotlib. Knows scenes.

matplotlib is an extra and imported when a PNG is drawn; its canvas is Agg, so no display is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from context_bus.errors import ConfigurationError, Fault
from context_bus.view.graph import Graph, mermaid
from context_bus.view.scene import Curve, Dot, Frame, Scene, Words, scene_of
from context_bus.view.svg import colours, head_of, shortened, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Kinds of files that can be written, by the end of their names.
KINDS = (".svg", ".png", ".mmd")
#: Pixels of a PNG for one pixel of a scene; a file of twice the size is sharp on any screen.
SHARPNESS = 2
#: Pixels of a scene in an inch.
DPI = 96
#: Most pixels of a PNG in one direction; beyond it a viewer may refuse it.
MOST_PIXELS = 16_000


def write_picture(graphs: Sequence[Graph], file: Path) -> None:
    """Write graphs into a file, as what its name ends in: ``.svg``, ``.png`` or ``.mmd`` (Mermaid).

    Raises:
        ConfigurationError: The name ends in something else, or a PNG is wanted without matplotlib.
        OSError: The file cannot be written.
    """
    match file.suffix.lower():
        case ".svg":
            file.write_text(svg(scene_of(graphs)), encoding="utf-8")
        case ".mmd":
            file.write_text(mermaid(graphs), encoding="utf-8")
        case ".png":
            _write_png(scene_of(graphs), file)
        case _:
            raise ConfigurationError(
                [Fault(f"{file}: no such kind of picture", "expected .svg, .png or .mmd")]
            )


def _write_png(scene: Scene, file: Path) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        remedy = "pip install 'context-bus[plot]', or write .svg, which needs nothing"
        raise ConfigurationError([Fault("a PNG needs matplotlib", remedy)]) from None
    sharpness = min(SHARPNESS, MOST_PIXELS / max(scene.width, scene.height))
    figure = Figure(figsize=(scene.width / DPI, scene.height / DPI), dpi=DPI * sharpness)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.axis("off")
    paint = colours()
    figure.set_facecolor(paint["paper"])
    for depth, shape in enumerate(scene.shapes):
        match shape:
            case Frame():
                _draw_frame(axes, shape, paint, depth)
            case Curve():
                _draw_curve(axes, shape, paint, depth)
            case Words():
                _draw_words(axes, shape, paint, depth)
            case Dot():
                from matplotlib.patches import Circle

                place = (shape.x, shape.y)
                axes.add_patch(
                    Circle(place, shape.radius, color=paint[shape.colour], linewidth=0, zorder=depth)
                )
    figure.savefig(file, format="png", dpi=DPI * sharpness)


def _points(pixels: float) -> float:
    """Pixels of a scene in typographic points."""
    return pixels * 72 / DPI


def _draw_frame(axes: Axes, frame: Frame, paint: dict[str, str], depth: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    thick = _points(frame.thick)
    axes.add_patch(
        FancyBboxPatch(
            (frame.x, frame.y),
            frame.width,
            frame.height,
            boxstyle=f"round,pad=0,rounding_size={frame.radius}",
            facecolor=paint[frame.ground],
            edgecolor=paint[frame.line],
            linewidth=thick,
            linestyle=(0, (3.6, 2.4)) if frame.dashed else "solid",
            zorder=depth,
        )
    )
    for at in (frame.x + 5, frame.x + frame.width - 5) if frame.bars else ():
        ends = (frame.y, frame.y + frame.height)
        axes.plot((at, at), ends, color=paint[frame.line], linewidth=thick, zorder=depth)


def _draw_curve(axes: Axes, curve: Curve, paint: dict[str, str], depth: int) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path as Outline

    points = shortened(curve)
    codes = [Outline.MOVETO, *[Outline.CURVE4] * (len(points) - 1)]
    colour, thick = paint[curve.colour], _points(curve.thick)
    dash = (0, tuple(length / curve.thick for length in curve.dash)) if curve.dash else "solid"
    outline = Outline(list(points), codes)
    axes.add_patch(
        PathPatch(
            outline,
            fill=False,
            edgecolor=colour,
            linewidth=thick,
            linestyle=dash,
            capstyle="butt",
            zorder=depth,
        )
    )
    corners = head_of(curve)
    if curve.head == "arrow":
        axes.add_patch(Polygon(corners, closed=True, color=colour, linewidth=0, zorder=depth))
    else:
        axes.plot(*zip(*corners, strict=True), color=colour, linewidth=thick, zorder=depth)


def _draw_words(axes: Axes, words: Words, paint: dict[str, str], depth: int) -> None:
    plate = {"facecolor": paint["paper"], "linewidth": 0, "boxstyle": "square,pad=0.25"}
    axes.text(
        words.x,
        words.y,
        words.text.replace("$", r"\$"),
        fontsize=_points(words.size),
        color=paint[words.colour],
        fontweight="bold" if words.bold else "normal",
        ha="center" if words.centred else "left",
        va="center_baseline",
        bbox=plate if words.plate else None,
        zorder=depth,
    )
