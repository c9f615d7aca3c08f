"""Where the database of ``task`` is, and how a command gets at it.

Knows paths and the environment; must not know what is printed. Imports nothing that ``task list`` need not
have: prompts and scripts call it many times a minute.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from context_bus.watch.database import Database

#: Environment variable that names the database.
DB_ENV = "CONTEXT_BUS_TASK_DB"


def default_database(environ: Mapping[str, str] = os.environ) -> Path:
    """The database of whoever names none: one for each user, below ``$XDG_STATE_HOME``."""
    state = environ.get("XDG_STATE_HOME", "")
    # A path that is not absolute is to be ignored, says the specification of these variables.
    home = Path(state) if os.path.isabs(state) else Path(os.path.expanduser("~/.local/state"))
    return home / "context_bus" / "tasks.db"


def made(db: Path | None) -> Path:
    """The database for a command that adds to it: one that is named must exist, the default one is made.

    Raises:
        OSError: It cannot be made.
        StoreError: It is no database of tasks.
    """
    path = db or default_database()
    if db is None and not path.exists():
        from context_bus.watch.schema import ensure

        ensure(path)
    return path


@contextlib.contextmanager
def opened(db: Path | None) -> Iterator[Database | None]:
    """Open the database for a command that looks, and settle what killed launchers left.

    Yields:
        The database; None where none is named and nobody has made the default one yet.

    Raises:
        StoreError: The one that is named does not exist, or cannot be read.
    """
    path = db or default_database()
    if db is None and not path.exists():
        yield None
        return
    from context_bus.watch.database import Database
    from context_bus.watch.orphans import settle

    with Database(path) as database:
        settle(database, time.time())
        yield database
