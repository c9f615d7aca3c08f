"""Where the state of one context file lives on disk. Knows paths only; must not know what is in them.

Beside the file by default, so that it moves with its project; elsewhere under a name that no other file
has, since one ``CONTEXT_BUS_STATE`` may serve every project of a user.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from context_bus.errors import StoreUnavailable

#: Directory beside the context file that holds the state of every context file there.
HOME = ".context_bus"
#: Only the owner: messages and configurations of services are nobody else's business.
_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Place:
    """The directory that belongs to one context file.

    Args:
        file: The context file as the user gave it, for messages.
        directory: Absolute path of the directory.
    """

    file: str
    directory: Path

    @property
    def store(self) -> Path:
        """The database."""
        return self.directory / "store.sqlite"

    @property
    def lock(self) -> Path:
        """What the provider holds as long as it lives."""
        return self.directory / "lock"

    @property
    def guardian(self) -> Path:
        """Socket at which a guardian is found that outlived its provider."""
        return self.directory / "guardian.sock"

    @property
    def logs(self) -> Path:
        """What services write."""
        return self.directory / "logs"

    @property
    def door(self) -> Path:
        """Socket at which clients on this machine come in."""
        return self.directory / "provider.sock"


def place_of(file: str | Path, state: str | Path = "") -> Place:
    """Tell where the state of a context file belongs; touches no disk but to resolve directories.

    Args:
        file: The context file. Links in its directory are resolved, the file itself may be one: mounted
            configurations change the target of such a link with every update.
        state: Directory that holds the state of any number of context files; empty stands for
            ``.context_bus`` beside the file.
    """
    path = Path(file)
    real = path.absolute().parent.resolve() / path.name
    if not str(state):
        return Place(str(file), real.parent / HOME / real.name)
    import hashlib

    mark = hashlib.sha256(os.fsencode(real)).hexdigest()[:8]
    return Place(str(file), Path(state).absolute() / f"{real.name}-{mark}")


def prepare(place: Place) -> None:
    """Make the directory, for its owner only, unless it is there.

    Raises:
        StoreUnavailable: It cannot be made or written; says where to keep the state instead.
    """
    home = place.directory.parent
    try:
        if home.name == HOME and not home.exists():
            home.mkdir(mode=_MODE, exist_ok=True)
            (home / ".gitignore").write_text("*\n")
        place.directory.mkdir(mode=_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(place, error.strerror or str(error)) from error
    if not os.access(place.directory, os.W_OK | os.X_OK):
        raise _unusable(place, "not writable")


def _unusable(place: Place, reason: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"{place.file}: its state cannot be kept in {place.directory}: {reason}; "
        "keep it elsewhere with --state DIR"
    )
