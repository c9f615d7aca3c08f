"""A paper of headings, paragraphs and tables, written as Markdown or as one HTML file. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: All the style that an HTML page has; nothing is fetched from anywhere.
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222; }
code { font-family: ui-monospace, monospace; font-size: 90%; background: #f3f3f3; padding: 0 .25em; }
table { border-collapse: collapse; margin: 1em 0; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .3em .8em; border-bottom: 1px solid #ddd; }
th { background: #f7f7f7; } h2 { margin-top: 2em; border-bottom: 1px solid #ddd; } a { color: #06c; }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd; } code, th { background: #2a2a2a; } a { color: #6af; }
  th, td, h2 { border-color: #444; } }
"""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; what links to it uses its text."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph; in it `x` is code and [[x]] a link to the heading x."""

    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, with the same marks as in words."""

    columns: tuple[str, ...]
    rows: tuple[Sequence[str], ...]


Block = Heading | Words | Points | Table


def markdown(blocks: Iterable[Block]) -> str:
    """Write a page as Markdown."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def page_of_html(title: str, blocks: Iterable[Block]) -> str:
    """Write a page as one HTML file that needs nothing else."""
    body = "\n".join(_html(block) for block in blocks)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def code(text: str) -> str:
    """A text as code, whatever is in it."""
    return f"`{text.replace('`', chr(39))}`" if text else ""


def link(text: str) -> str:
    """A link to the heading of this text."""
    return f"[[{text}]]"


def anchor(text: str) -> str:
    """Where a heading is, as GitHub and the HTML page name it."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Words(text):
            return _linked(text)
        case Points(items):
            return "\n".join(f"- {_linked(item)}" for item in items)
        case Table(columns, rows):
            lines = [_row(columns), _row(["---"] * len(columns)), *map(_row, rows)]
            return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_linked(" ".join(cell.split())).replace("|", "\\|") for cell in cells) + " |"


def _linked(text: str) -> str:
    return re.sub(r"\[\[(.+?)\]\]", lambda found: f"[{found[1]}](#{anchor(found[1])})", text)


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f'<h{level} id="{html.escape(anchor(text))}">{html.escape(text)}</h{level}>'
        case Words(text):
            return f"<p>{_marked(text)}</p>"
        case Points(items):
            return "<ul>" + "".join(f"<li>{_marked(item)}</li>" for item in items) + "</ul>"
        case Table(columns, rows):
            head = "".join(f"<th>{_marked(cell)}</th>" for cell in columns)
            body = "".join(
                "<tr>" + "".join(f"<td>{_marked(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
            )
            return f"<table>\n<tr>{head}</tr>\n{body}</table>"


def _marked(text: str) -> str:
    text = html.escape(text)
    text = re.sub(r"`([^`]*)`", r"<code>\1</code>", text)
    return re.sub(
        r"\[\[(.+?)\]\]",
        lambda found: f'<a href="#{html.escape(anchor(html.unescape(found[1])))}">{found[1]}</a>',
        text,
    )
