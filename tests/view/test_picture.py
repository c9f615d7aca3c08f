"""Pictures of graphs: complete, well-formed, the same every time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lxml import etree

from context_bus.config.model import Action, Trigger
from context_bus.errors import ConfigurationError
from context_bus.view.graph import Being, Graph, graph_of, with_beings
from context_bus.view.palette import FAMILIES
from context_bus.view.picture import write_picture
from context_bus.view.scene import Words, scene_of, width_of
from context_bus.view.svg import colours, svg
from tests.view.graphs import context, service

SVG = "{http://www.w3.org/2000/svg}"


def sample() -> Graph:
    """A graph with everything in it: a loop, a circle, parallel edges, a program, instances, a long name."""
    conf = context(
        service(
            "a",
            (Trigger.ON_EXIT, Action.START, "b"),
            (Trigger.ON_FAIL, Action.STOP, "b"),
            (Trigger.ON_FAIL, Action.RESTART, "a"),
            instance="Walk",
        ),
        service("b", (Trigger.ON_EXIT, Action.START, "a"), instances=3, state_type="on_exit"),
        service("c", requires=("a",), command=("/bin/" + "very_long_name_" * 5,)),
        service("d", instance="<b>&amp;"),
    )
    beings = [Being("a", "started", 7), Being("b", "started"), Being("b#2", "fatal"), Being("b#3", "created")]
    return with_beings(graph_of(conf), "T1", beings)


def test_svg_is_well_formed_and_shows_every_service_and_edge() -> None:
    """Each service is a group that a page can find by its id; each label is there as text."""
    root = etree.fromstring(svg(scene_of([sample()])).encode())
    groups = [each.get("data-service") for each in root.iter(f"{SVG}g")]
    assert groups == ["a", "b", "c", "d"]
    words = [each.text for each in root.iter(f"{SVG}text")]
    for text in (
        "on_exit: start",
        "on_fail: stop",
        "on_fail: restart",
        "requires ready",
        "1 of 3 fatal",
        "<b>&amp;",
    ):
        assert text in words


def test_svg_of_a_page_names_colours_and_every_colour_has_a_value() -> None:
    """The page around decides on light and dark."""
    text = svg(scene_of([sample()]), themed=True)
    names = {part.partition(")")[0] for part in text.split("var(--")[1:]}
    assert names
    assert names <= set(colours())


def test_texts_stay_inside_the_picture() -> None:
    """The longest name is cut to what its box can hold."""
    scene = scene_of([sample()])
    for each in scene.shapes:
        if isinstance(each, Words):
            half = width_of(each.text, each.size, bold=each.bold) / 2
            assert each.x + (half if each.centred else 2 * half) <= scene.width + 1, each.text
            assert 0 <= each.y <= scene.height


def test_widths_are_reckoned_as_matplotlib_draws_them() -> None:
    """The reckoned width is at least the real one in DejaVu Sans, and not a quarter more."""
    from matplotlib.textpath import TextPath

    for text in (
        "on_start, on_update: start",
        "AcquisitionController",
        "ts_100 · state_update",
        "waiting, warming",
    ):
        path = TextPath((0, 0), text, size=10.0)
        real = path.get_extents().width
        assert real * 0.97 <= width_of(text, 10.0) <= real * 1.25, text


@pytest.mark.parametrize("kind", [".svg", ".png", ".mmd"])
def test_each_kind_of_file_is_written(tmp_path: Path, kind: str) -> None:
    """The end of the name decides; writing it again gives the same bytes."""
    files = [tmp_path / f"{number}{kind}" for number in range(2)]
    for file in files:
        write_picture([sample(), sample()], file)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert first.startswith({".svg": b"<svg", ".png": b"\x89PNG", ".mmd": b"flowchart"}[kind])


def test_an_empty_context_is_a_picture_too() -> None:
    """A context without services shows its name."""
    assert "Some" in svg(scene_of([graph_of(context())]))


def test_png_without_matplotlib_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with the remedy."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'context-bus\[plot\]'"):
        write_picture([sample()], tmp_path / "x.png")


def test_states_are_told_apart_by_colour_blind_eyes() -> None:
    """What a green-blind eye sees of any two families differs."""
    seen = {each.name: _to_dichromat(each.colour) for each in FAMILIES}
    for one in seen:
        for other in seen:
            if one < other:
                distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
                assert distance > 12, (one, other, distance)


def _to_dichromat(colour: str) -> tuple[float, ...]:
    """A colour as a deuteranope sees it (Viénot, Brettel and Mollon 1999), in bytes."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part**2.2 for part in (red, green, blue))
    mixed = 0.29275 * red + 0.70725 * green
    other = -0.02234 * red + 0.02234 * green + blue
    return tuple(255 * max(0.0, part) ** (1 / 2.2) for part in (mixed, mixed, other))
