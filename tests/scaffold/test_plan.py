"""Decisions about files."""

from __future__ import annotations

from pathlib import Path

from context_bus.errors import Fault
from context_bus.scaffold.plan import Merged, Plan, Step, plan_files
from context_bus.scaffold.render import Draft

CODE = Path("/p/Services/A/A.py")
CONTEXT = Path("/p/Conf/Context-A.xml")


def planned(
    existing: dict[Path, bytes], *, merged: Merged | None = None, force: bool = False
) -> tuple[Plan, dict[Path, Step]]:
    """The plan for one draft and one context file."""
    plan = plan_files([Draft(CODE, "new\n")], (CONTEXT, merged or Merged(b"<new/>")), existing, force=force)
    return plan, {file.path: file.step for file in plan.files}


def test_files_that_lack_are_created() -> None:
    """On an empty disk everything is made."""
    plan, steps = planned({})
    assert steps == {CODE: Step.CREATE, CONTEXT: Step.CREATE}
    assert plan.changes == plan.files


def test_code_of_the_user_is_kept() -> None:
    """Whatever stands in a Python file stays."""
    plan, steps = planned({CODE: b"mine\n"})
    assert steps[CODE] is Step.KEEP
    assert [file.path for file in plan.changes] == [CONTEXT]


def test_kept_code_of_another_class_is_named() -> None:
    """A name that was given twice is seen before it is wondered at."""
    draft = Draft(CODE, "class A: ...\n", "A")
    whys = [
        plan_files([draft], (CONTEXT, Merged(b"")), {CODE: code}).files[0].why
        for code in (b"class AB: ...\n", b"import x\nclass A(Task): ...\n")
    ]
    assert whys == ["yours, without a class A", "yours"]


def test_force_overwrites_code() -> None:
    """Only the user himself can say so."""
    plan, steps = planned({CODE: b"mine\n"}, force=True)
    assert steps[CODE] is Step.OVERWRITE
    assert plan.files[0].diff()[2:] == ["@@ -1 +1 @@", "-mine", "+new"]


def test_same_files_are_not_touched() -> None:
    """A second run changes nothing, not even with force."""
    plan, steps = planned({CODE: b"new\n", CONTEXT: b"<new/>"}, force=True)
    assert set(steps.values()) == {Step.KEEP}
    assert plan.changes == ()


def test_context_file_is_merged() -> None:
    """A context file is added to."""
    _, steps = planned({CONTEXT: b"<old/>"})
    assert steps[CONTEXT] is Step.MERGE


def test_refusal_stops_everything() -> None:
    """All or nothing: with one fault no file is written."""
    plan, steps = planned({}, merged=Merged(b"", faults=(Fault("no"),)))
    assert steps[CONTEXT] is Step.REFUSE
    assert plan.changes == ()
