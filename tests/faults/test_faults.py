"""A few seeded rounds of faults against real providers; many more by ``python -m tests.faults``."""

from __future__ import annotations

import pytest

from tests.faults.findings import Tally
from tests.faults.rounds import play


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [0, 1])
def test_faults_lose_no_process_and_no_record(number: int) -> None:
    """Whatever is killed, frozen or locked, what was wanted is there again, once."""
    tally = Tally()
    play("suite", number, "", tally, faults=6)
    assert tally.is_clean, "\n".join(tally.details)
