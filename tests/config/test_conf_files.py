"""Every file in Conf/ loads, and the mended sample of the tutorial really walks."""

from __future__ import annotations

from pathlib import Path

import pytest

from context_bus.config.check import check_file
from context_bus.config.load import read_any, read_meta
from context_bus.config.model import Action, TaskType, Transition, Trigger
from context_bus.config.writers import write_xml, write_yaml

CONF = Path(__file__).parents[2] / "Conf"
FILES = sorted(path for path in CONF.iterdir() if path.suffix in {".xml", ".yaml", ".yml"})


def test_conf_holds_files():
    """The glob below finds something."""
    assert CONF / "Services-StateMachine.xml" in FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_conf_file_loads(path):
    """No fault, no warning, and it can be written in both syntaxes."""
    report = check_file(path)
    assert (report.faults, report.warnings) == ((), ())
    assert report.services
    assert write_xml(read_any(path))
    assert write_yaml(read_any(path))


def test_state_machine_walks_from_stand_to_run():
    """Only the first starts by itself; each ends on its own and starts the next."""
    services = read_meta(CONF / "Services-StateMachine.xml").services
    assert [each.task_service for each in services] == ["Stand", "Walk", "DrinkCoffee", "Run"]
    assert [each.task_class for each in services] == ["Standing", "Walking", "Drinking", "Running"]
    assert [each.task_type for each in services] == [TaskType.SINGLE] * 4
    assert [each.entry_action == "on_start" for each in services] == [True, False, False, False]
    for service, successor in zip(services, [*services[1:], None], strict=True):
        expected = (Transition(Trigger.ON_EXIT, Action.START, (successor.task_id,)),) if successor else ()
        assert service.transitions == expected
