"""The page about states shows the table that the provider runs on."""

from __future__ import annotations

from context_bus.context.states import WORDS, State, mermaid
from tests.doc.page import HOME, blocks

PAGE = HOME / "doc/states.md"


def test_states_page_shows_the_diagram_of_the_table() -> None:
    """A row that changes in the table changes on the page."""
    (diagram,) = [block.text for block in blocks(PAGE) if block.language == "mermaid"]
    assert diagram.strip() == mermaid().strip(), "paste the output of context_bus.context.states.mermaid()"


def test_states_page_names_every_state_with_its_words() -> None:
    """The words of the record are those of the code."""
    text = PAGE.read_text()
    for state in State:
        action, word = WORDS[state]
        assert any(
            line.startswith(f"| {state} |") and line.endswith(f"| `{action}` | `{word}` |")
            for line in text.splitlines()
        ), state
