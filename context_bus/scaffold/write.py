"""Looks at the files of a plan and applies it: all of them or none.

Knows plans and the disk; must not know why a file is written.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from context_bus.errors import ConfigurationError, Fault
from context_bus.scaffold.plan import Plan, PlannedFile


def look(paths: Iterable[Path]) -> dict[Path, bytes]:
    """Read those of the files that exist.

    Raises:
        ConfigurationError: Something else stands where a file should be, or it cannot be read.
    """
    found: dict[Path, bytes] = {}
    faults: list[Fault] = []
    for path in paths:
        try:
            found[path] = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            faults.append(_fault(path, error))
    if faults:
        raise ConfigurationError(faults)
    return found


def apply(plan: Plan) -> None:
    """Write the files of a plan; after an error the disk is as it was.

    Every file is first written beside its place and then moved there, so that no reader, such as a
    running service that reloads, meets half a file.

    Raises:
        ConfigurationError: The plan has refusals, or the disk does not allow it.
    """
    if plan.faults:
        raise ConfigurationError(plan.faults)
    with contextlib.ExitStack() as undo, contextlib.ExitStack() as drafts:
        staged = [(file, _stage(file, undo, drafts)) for file in plan.changes]
        for file, draft in staged:
            with _told(file.path):
                _move(file, draft, undo)
        undo.pop_all()


def _stage(file: PlannedFile, undo: contextlib.ExitStack, drafts: contextlib.ExitStack) -> Path:
    """Write a file beside its place."""
    with _told(file.path):
        place = file.path.resolve()  # a link stays a link: what it points to is replaced
        for directory in reversed([parent for parent in place.parents if not parent.exists()]):
            directory.mkdir()
            undo.callback(_remove_directory, directory)
        draft = place.with_name(f".{place.name[:40]}.{secrets.token_hex(4)}")
        drafts.callback(draft.unlink, missing_ok=True)
        with draft.open("xb") as stream:
            stream.write(file.content)
        if file.before is not None:
            shutil.copymode(place, draft)
    return draft


def _move(file: PlannedFile, draft: Path, undo: contextlib.ExitStack) -> None:
    """Put a staged file into its place, unless somebody was there since we looked."""
    place = file.path.resolve()
    if file.before is None:
        # Claiming the name first, unlike a rename alone, fails if the file exists by now.
        place.open("xb").close()
        undo.callback(place.unlink, missing_ok=True)
        draft.replace(place)
        return
    if place.read_bytes() != file.before:
        raise FileExistsError(None, "changed while we were at work; run it again")
    undo.callback(_put_back, place, draft, file.before)
    draft.replace(place)


def _put_back(place: Path, draft: Path, before: bytes) -> None:
    """Give a file its old text again."""
    draft.write_bytes(before)
    shutil.copymode(place, draft)
    draft.replace(place)


def _remove_directory(directory: Path) -> None:
    """Remove a directory that we made, unless somebody uses it by now."""
    with contextlib.suppress(OSError):
        directory.rmdir()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what the disk says into a fault that names the file."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError([_fault(path, error)]) from error


def _fault(path: Path, error: OSError) -> Fault:
    """What the disk said, and of which path."""
    where = os.fsdecode(error.filename) if error.filename else str(path)
    remedy = "" if isinstance(error, FileExistsError) else "choose another --service_path or --home_path"
    return Fault(f"cannot be used: {error.strerror}", remedy, where)
