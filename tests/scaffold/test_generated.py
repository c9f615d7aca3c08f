"""The generated project as a whole: checked as its user would check it, and run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from context_bus.config.model import TaskType
from context_bus.scaffold.create import plan_services
from context_bus.scaffold.write import apply
from context_bus.service.boot import Outcome
from tests.scaffold.lists import service, service_list
from tests.scaffold.running import services_of

ROOT = Path(__file__).resolve().parents[2]
#: Descriptions that would break careless templates; one of them long.
DESCRIPTIONS = ('Says "hi" & </goodbye>, \\N{it}', "Zählt\nbis drei", "Many words " * 30, '"""')


def project(home: Path) -> None:
    """One service of each kind, each with a description of its own."""
    kinds = [(kind, asynchronous) for kind in TaskType for asynchronous in (False, True)]
    for (kind, asynchronous), text in zip(kinds, DESCRIPTIONS, strict=True):
        name = f"{kind}{'Async' if asynchronous else ''}"
        values = {
            "words": ["a", "b"],
            "limit": "3",
            "nested": {"a": "b", "c": "1"},
            "mixed": {"a": "b", "c": {"d": "1"}},
        }
        entry = service(
            task_service=name,
            task_id=name,
            task_class="",
            task_desc=text,
            task_type=kind,
            configuration=values,
        )
        apply(plan_services(service_list(home, entry), base=home, asynchronous=asynchronous))


def check(tool: list[str], home: Path) -> str:
    """Run a tool over the project, and return what it found."""
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *tool], cwd=home, env=environment, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_generated_project_is_clean(tmp_path: Path) -> None:
    """mypy --strict, ruff with our rules and ruff's formatter find nothing to say."""
    project(tmp_path)
    assert check(["mypy", "--strict", "--follow-imports=silent", "Services"], tmp_path) == ""
    assert check(["ruff", "check", f"--config={ROOT / 'pyproject.toml'}", "Services"], tmp_path) == ""
    assert check(["ruff", "format", "--isolated", "--check", "Services"], tmp_path) == ""


def test_generated_services_run(tmp_path: Path) -> None:
    """Each kind reports started, updated and stopped in its own process, as it was generated."""
    project(tmp_path)
    with services_of(tmp_path / "Conf/Context-EchoAction.xml") as services:
        for name in ("Looped", "LoopedAsync"):
            services.start(name, period="0.01")
            services.expect("started", name)
            assert services.expect("updated", name).status["rounds"] == 1
            assert services.stop(name) == Outcome("stopped", commanded=True, service_id=name)
        for name in ("Single", "SingleAsync"):
            services.start(name)
            services.expect("started", name)
            assert services.expect("updated", name).status["done"] is True
            assert services.end(name) == Outcome("stopped", service_id=name)
