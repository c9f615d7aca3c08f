"""What an order must be, without any process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from context_bus.errors import FeedbackNeedsTaskid, FeedpathMissing, WatchError
from context_bus.watch.order import Order, check, is_feedback_expected


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("x", "--feedback", "f"), True),
        (("x", "--feedback=f"), True),
        (("x", "--feedbacks"), False),
        (("x", "feedback"), False),
        ((), False),
    ],
)
def test_feedback_is_expected_by_its_argument(argv: tuple[str, ...], expected: bool) -> None:
    """The word itself, or with its value."""
    assert is_feedback_expected(argv) is expected


def test_paths_become_absolute(tmp_path: Path) -> None:
    """Whoever changes the directory later means the same files."""
    order = check(Order(("x", "--feedback"), 1, feedpath=str(tmp_path), output="log"))
    assert order.expects_feedback
    assert (order.output, order.error) == (os.path.abspath("log"), "")


@pytest.mark.parametrize(
    ("order", "error", "words"),
    [
        (Order(()), WatchError, "no command is named"),
        (Order(("x", "--feedback")), FeedbackNeedsTaskid, "taskid is required"),
        (Order(("x",), feedpath="/no/such"), FeedpathMissing, "/no/such"),
        (Order(("x",), 3, instances=2), WatchError, "cannot share taskid 3"),
        (Order(("x",), instances=0), WatchError, "at least one"),
        (Order(("x",), stdin="read"), WatchError, "stdin is 'read'; it can be pass or close"),
        (Order(("x",), on_orphan="x"), WatchError, "on_orphan is 'x'; it can be end or adopt"),
    ],
)
def test_order_that_cannot_be_is_refused(order: Order, error: type[WatchError], words: str) -> None:
    """Before anything is started or written down."""
    with pytest.raises(error, match=words):
        check(order)
