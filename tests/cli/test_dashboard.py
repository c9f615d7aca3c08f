"""``context-bus dashboard``: how it refuses. What it serves is tested in tests/view/page."""

from __future__ import annotations

import sys

import pytest

from tests.cli.conftest import Call


def test_dashboard_without_its_packages_says_what_to_install(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, before anything is looked for."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ended = call("dashboard")
    assert ended.code == 2
    assert ended.error == "the page needs uvicorn; pip install 'context-bus[web]'"


def test_dashboard_refuses_a_file_that_is_not_there(call: Call) -> None:
    """Before it serves anything."""
    assert "no such file" in call("dashboard", "-c", "nowhere.xml").error
