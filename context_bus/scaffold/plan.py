"""Decides what happens to each file: create, keep, merge, overwrite, refuse.

Pure. Knows drafts and what is on the disk as it was told; must not touch it.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from context_bus.errors import Fault
from context_bus.scaffold.render import Draft


class Step(enum.StrEnum):
    """What is done to one file."""

    CREATE = "create"
    KEEP = "keep"
    MERGE = "merge"
    OVERWRITE = "overwrite"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file of a plan.

    Args:
        path: Where it is or will be.
        step: What is done to it.
        content: Its bytes afterwards.
        before: Its bytes now, None if there are none.
        why: The reason, for people.
    """

    path: Path
    step: Step
    content: bytes
    before: bytes | None
    why: str = ""

    @property
    def is_written(self) -> bool:
        """Whether the disk changes."""
        return self.step in {Step.CREATE, Step.MERGE, Step.OVERWRITE}

    def diff(self) -> list[str]:
        """The change as a unified diff without line ends; empty if nothing changes."""
        if not self.is_written:
            return []
        source = "/dev/null" if self.before is None else str(self.path)
        return list(
            difflib.unified_diff(
                (self.before or b"").decode(errors="replace").splitlines(),
                self.content.decode(errors="replace").splitlines(),
                source,
                str(self.path),
                lineterm="",
            )
        )


@dataclass(frozen=True, slots=True)
class Merged:
    """The context file as it would become.

    Args:
        content: Its bytes afterwards.
        notes: What the user changed there and keeps.
        faults: Why the list and the file cannot be joined.
    """

    content: bytes
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All files of one run; with a fault nothing at all is written."""

    files: tuple[PlannedFile, ...]
    faults: tuple[Fault, ...] = ()

    @property
    def changes(self) -> tuple[PlannedFile, ...]:
        """The files that the disk gets."""
        return () if self.faults else tuple(file for file in self.files if file.is_written)


def plan_files(
    drafts: Iterable[Draft],
    context: tuple[Path, Merged],
    existing: Mapping[Path, bytes],
    *,
    force: bool = False,
) -> Plan:
    """Decide about every file.

    Code that exists belongs to the user, so it stays as it is unless he forces us. The context file
    is a common one: what it lacks is added to it, what it has stays.

    Args:
        drafts: The Python files as the templates would have them.
        context: Path of the context file and what it would become.
        existing: Bytes of those of the files that exist.
        force: Whether existing Python files are written anew.

    Returns:
        The plan; its ``faults`` are the refusals.
    """
    files = [_plan_code(draft, existing.get(draft.path), force) for draft in drafts]
    path, merged = context
    return Plan((*files, _plan_context(path, merged, existing.get(path))), merged.faults)


def _plan_code(draft: Draft, before: bytes | None, force: bool) -> PlannedFile:
    """Decide about one Python file."""
    content = draft.content.encode()
    if before is None:
        return PlannedFile(draft.path, Step.CREATE, content, None)
    if before == content:
        return PlannedFile(draft.path, Step.KEEP, before, before, "unchanged")
    if force:
        return PlannedFile(draft.path, Step.OVERWRITE, content, before, "forced")
    why = "yours" if _defines(before, draft.defines) else f"yours, without a class {draft.defines}"
    return PlannedFile(draft.path, Step.KEEP, before, before, why)


def _defines(code: bytes, name: str) -> bool:
    """Whether a class of this name seems to be there; its owner decides whether it should."""
    return not name or re.search(rf"^class {name}\b", code.decode(errors="replace"), re.MULTILINE) is not None


def _plan_context(path: Path, merged: Merged, before: bytes | None) -> PlannedFile:
    """Decide about the context file."""
    why = "; ".join(merged.notes)
    if merged.faults:
        return PlannedFile(path, Step.REFUSE, before or b"", before, str(merged.faults[0].message))
    if before is None:
        return PlannedFile(path, Step.CREATE, merged.content, None)
    if before == merged.content:
        return PlannedFile(path, Step.KEEP, before, before, why or "unchanged")
    return PlannedFile(path, Step.MERGE, merged.content, before, why)
