"""CPU and memory of services over time as a picture. Knows matplotlib, which is an extra, and buckets.

Drawn without a display. Services are told apart by colours for colour-blind eyes, and by dashes where there
are more services than colours; what happened to them stands below in marks of distinct shapes.
"""

from __future__ import annotations

import calendar
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from context_bus.errors import ConfigurationError, Fault
from context_bus.view.marks import Mark, MarkKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from context_bus.monitor.buckets import Bucket, Figures

Dash = Literal["-", "--", ":", "-."]

#: Kinds of files that can be written, by the end of their names.
KINDS = (".png", ".svg", ".pdf")
#: Colours of Okabe and Ito, without the yellow that white swallows.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000")
#: Lines, once all colours are used.
DASHES: tuple[Dash, ...] = ("-", "--", ":", "-.")
#: Shape, colour and size of each mark.
SHAPES = {
    MarkKind.START: (">", "#009E73", 34),
    MarkKind.RESTART: ("^", "#0072B2", 95),
    MarkKind.STOP: ("s", "#8C8C8C", 26),
    MarkKind.FAILURE: ("X", "#D55E00", 44),
    MarkKind.GIVEN_UP: ("X", "#000000", 90),
}
#: Marks with a line through all that is drawn above.
FAILURES = frozenset({MarkKind.FAILURE, MarkKind.GIVEN_UP})
#: Services at most whose range is shaded; of more the shades would hide the lines.
SHADED = 6
#: What interrupts a line: so many times the usual distance of two points.
GAP = 2.5
#: Size in inches, without the rows of marks, and the height of one such row.
_WIDTH, _HEIGHT, _ROW = 11.0, 6.0, 0.24
_DPI = 120


@dataclass(frozen=True, slots=True)
class Curve:
    """One service.

    Args:
        service_id: Its id.
        rows: What it used, in order of time.
    """

    service_id: str
    rows: Sequence[Bucket]


@dataclass(frozen=True, slots=True)
class Plot:
    """All that is drawn.

    Args:
        title: What it is of.
        since: Left end, in seconds since the epoch.
        until: Right end.
        width: Seconds that each point sums up.
        curves: The services.
        marks: What happened to them.
    """

    title: str
    since: float
    until: float
    width: float
    curves: Sequence[Curve]
    marks: Sequence[Mark] = ()


def check_kind(file: Path) -> None:
    """Refuse a file of a kind that cannot be written, or any if matplotlib is missing.

    Raises:
        ConfigurationError: It cannot be written.
    """
    if file.suffix.lower() not in KINDS:
        raise ConfigurationError([Fault(f"{file}: no such kind of picture", f"expected {', '.join(KINDS)}")])
    try:
        import matplotlib  # noqa: F401  # whether it is there
    except ImportError:
        remedy = "pip install 'context-bus[plot]'"
        raise ConfigurationError([Fault("a plot needs matplotlib", remedy)]) from None


def write_plot(plot: Plot, file: Path) -> None:
    """Draw into a file, as what its name ends in.

    Raises:
        ConfigurationError: As `check_kind`.
        OSError: The file cannot be written.
    """
    check_kind(file)
    import matplotlib

    # Text of an SVG stays text, and the same plot is the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "context_bus"}):
        metadata = {"Date": None} if file.suffix.lower() == ".svg" else None
        figure_of(plot).savefig(file, dpi=_DPI, metadata=metadata)


def figure_of(plot: Plot) -> Figure:
    """Draw; needs matplotlib."""
    from matplotlib.figure import Figure

    marked = [each.service_id for each in plot.curves if _marks_of(plot, each.service_id)]
    strip = _ROW * (len(marked) + 1) if marked else 0.0
    figure = Figure(figsize=(_WIDTH, _HEIGHT + strip), layout="constrained")
    heights = [_HEIGHT / 2, _HEIGHT / 2, *([strip] if marked else [])]
    axes: list[Axes] = list(
        figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    )
    _draw_quantity(axes[0], plot, "CPU (% of one core)", lambda row: row.cpu)
    _draw_quantity(axes[1], plot, "memory, resident (MiB)", lambda row: row.rss)
    if marked:
        _draw_marks(axes[2], axes[:2], plot, marked)
    _lay_out_time(axes[-1], plot)
    _head(figure, axes[0], plot)
    _legend(figure, plot)
    return figure


def _style(number: int) -> tuple[str, Dash]:
    """Colour and dash of the service of that number."""
    return COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]


def _draw_quantity(axes: Axes, plot: Plot, label: str, of: Callable[[Bucket], Figures | None]) -> None:
    for number, curve in enumerate(plot.curves):
        colour, dash = _style(number)
        points = [
            (row.at + plot.width / 2, figures) for row in curve.rows if (figures := of(row)) is not None
        ]
        for part in _unbroken(points):
            moments = [_days(at) for at, _ in part]
            means = [each.avg for _, each in part]
            if len(plot.curves) <= SHADED:
                least, greatest = [each.min for _, each in part], [each.max for _, each in part]
                axes.fill_between(moments, least, greatest, color=colour, alpha=0.13, linewidth=0)
            dot = "o" if len(part) == 1 else ""
            axes.plot(moments, means, dash, color=colour, linewidth=1.5, marker=dot, markersize=3)
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _unbroken(points: Sequence[tuple[float, Figures]]) -> list[list[tuple[float, Figures]]]:
    """The parts of a line: it is not drawn through a time in which nobody looked."""
    if not points:
        return []
    steps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(points)]
    limit = GAP * statistics.median(steps) if steps else 0.0
    parts = [[points[0]]]
    for point, step in zip(points[1:], steps, strict=True):
        if step > limit:
            parts.append([])
        parts[-1].append(point)
    return parts


def _draw_marks(strip: Axes, above: Sequence[Axes], plot: Plot, marked: Sequence[str]) -> None:
    numbers = {curve.service_id: number for number, curve in enumerate(plot.curves)}
    for mark in plot.marks:
        if mark.service_id not in marked:
            continue
        shape, colour, size = SHAPES[mark.kind]
        moment, height = _days(mark.at), len(marked) - marked.index(mark.service_id)
        strip.scatter(
            [moment],
            [height],
            marker=shape,
            s=size,
            color=colour,
            edgecolors="white",
            linewidths=0.5,
            # What failed must not hide below what came of it; nor at the edge.
            zorder=4 if mark.kind in FAILURES else 3,
            clip_on=False,
        )
        if mark.kind in FAILURES:
            for axes in above:
                line, _ = _style(numbers[mark.service_id])
                axes.axvline(moment, color=line, linewidth=0.9, linestyle=(0, (2, 2)), alpha=0.8)
    strip.set_yticks(range(len(marked), 0, -1), labels=marked)
    for tick, name in zip(strip.get_yticklabels(), marked, strict=True):
        tick.set_color(_style(numbers[name])[0])
    strip.set_ylim(0.3, len(marked) + 0.7)
    strip.grid(visible=True, axis="both", color="#EEEEEE", linewidth=0.6)
    strip.set_axisbelow(True)
    strip.spines[["top", "right", "left"]].set_visible(False)
    strip.tick_params(axis="y", length=0)


def _lay_out_time(axes: Axes, plot: Plot) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=5, maxticks=10)  # type: ignore[no-untyped-call]  # matplotlib has no types here
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # as above
    axes.set_xlim(_days(plot.since), _days(plot.until))
    axes.set_xlabel(f"local time ({time.strftime('%Z', time.localtime(plot.until))})")


def _head(figure: Figure, axes: Axes, plot: Plot) -> None:
    from context_bus.config.quantities import say_duration

    first, last = time.localtime(plot.since), time.localtime(plot.until)
    begin = time.strftime("%Y-%m-%d %H:%M", first)
    end = time.strftime("%H:%M" if first[:3] == last[:3] else "%Y-%m-%d %H:%M", last)
    figure.suptitle(plot.title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    shades = ", shades from least to greatest" if len(plot.curves) <= SHADED else ""
    what = f"{begin} to {end}; lines are means of {say_duration(plot.width)}{shades}"
    axes.set_title(what, loc="left", fontsize=9, color="#555555")


def _legend(figure: Figure, plot: Plot) -> None:
    from matplotlib.lines import Line2D

    lines = []
    for number, curve in enumerate(plot.curves):
        colour, dash = _style(number)
        lines.append(Line2D([], [], color=colour, linestyle=dash, linewidth=2, label=curve.service_id))
    shown = {mark.kind for mark in plot.marks}
    signs = [
        Line2D([], [], linestyle="", marker=shape, color=colour, markersize=size**0.5, label=str(kind))
        for kind, (shape, colour, size) in SHAPES.items()
        if kind in shown
    ]
    if signs:
        blank = Line2D([], [], linestyle="", label="")
        lines = [*lines, blank, *signs]
    figure.legend(handles=lines, loc="outside right upper", frameon=False, fontsize=9)


def _marks_of(plot: Plot, service_id: str) -> bool:
    return any(mark.service_id == service_id for mark in plot.marks)


def _days(at: float) -> float:
    """A time as matplotlib counts it: days since the epoch, of the local zone, since it knows none itself."""
    return (calendar.timegm(time.localtime(at)) + at % 1.0) / 86400.0
