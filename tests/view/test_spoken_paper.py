"""The page for people: whole, linked, and nothing in it breaks it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from context_bus.view.paper import Heading, Points, Table, Words, anchor, code, link, markdown, page_of_html
from context_bus.view.spoken_paper import page
from tests.view.contexts import rich


class Reader(HTMLParser):
    """Reads links, anchors and tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.sources: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what it links to, what it is, what it would fetch."""
        found = dict(attrs)
        self.links.update({found["href"] or ""} if tag == "a" else ())
        self.anchors.update({f"#{found['id']}"} if "id" in found else ())
        self.sources += [tag] if found.get("src") or tag in ("link", "script") else []
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Every tag is closed where it was opened."""
        assert self.open.pop() == tag


def test_html_is_one_file_whose_links_lead_somewhere() -> None:
    """Well formed, and nothing is fetched."""
    text = page_of_html("T", page(rich()))
    reader = Reader(text)
    assert reader.open == []
    assert reader.links
    assert reader.links <= reader.anchors
    assert reader.sources == []


def test_markdown_links_lead_to_headings() -> None:
    """As GitHub names them."""
    text = markdown(page(rich()))
    headings = {anchor(found) for found in re.findall(r"^#+ (.+)$", text, re.M)}
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert links
    assert links <= headings


def test_everything_is_on_the_page() -> None:
    """Services, topics, types, answers, configuration, transitions, programs, troubles."""
    text = markdown(page(rich()))
    for words in (
        "| `lines` (last value kept) | [a A](#a-a) | [Line](#line) | [b B](#b-b) | [Line](#line) |",
        "| `square` | [a A](#a-a) | `int` | [b B](#b-b) | `int`, answers `int` |",
        "| `period` | `float` | `2` | `1.0` | P\\|e. |",
        "| `file` | `Path` |  | required |  |",
        "| reports | `updated` | `x: int` |",
        "| on_fail | restart | a |",
        "A program: `sleep 1|2`.",
        "could not be read: ../Services/C/C.py:9: NameError: x",
        "| `number` | `integer` |",
    ):
        assert words in text, words
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows
    assert all(line.endswith("|") for line in rows)


def test_marks_of_the_page_do_not_break_it() -> None:
    """Whatever users write in docstrings and topics."""
    blocks = [
        Heading("A <b> & c"),
        Words(f"{code('a`b')} {link('A <b> & c')} <script>"),
        Table(("x|y",), (("a|b\nc",),)),
        Points(("<i>",)),
    ]
    assert "| a\\|b c |" in markdown(blocks)
    text = page_of_html("<t>", blocks)
    assert "<script>" not in text
    assert "<i>" not in text
    reader = Reader(text)
    assert reader.links <= reader.anchors
