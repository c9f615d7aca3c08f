"""What one page is told of a log that grows faster than anybody reads."""

from __future__ import annotations

from context_bus.view.page.visitor import MOST_LINES, _Kept


def test_the_last_lines_of_a_flood_are_kept_and_the_rest_counted() -> None:
    """Only the first lines since the last time ask for a flush."""
    kept = _Kept()
    assert kept.add(b"0\n") is True
    assert kept.add(b"".join(b"%d\n" % number for number in range(1, 1000))) is False
    lines, left_out = kept.take()
    assert (lines[-1], len(lines), left_out) == ("999", MOST_LINES, 1000 - MOST_LINES)
    assert kept.take() == ([], 0)
    assert kept.add(b"again\n") is True
