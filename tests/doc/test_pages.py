"""Every page of the documentation is lived through, README included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.doc.page import HOME, LANGUAGES, Story, blocks

PAGES = [HOME / "README.md", *sorted((HOME / "doc").glob("*.md"))]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    """A reader who types what the page shows sees what the page shows."""
    found = blocks(page)
    assert {block.language for block in found} <= LANGUAGES
    with Story(tmp_path) as story:
        for block in found:
            story.play(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that is there."""
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
