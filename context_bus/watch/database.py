"""The database of watched tasks, open. Knows that its tables are there; must not know what is asked."""

from __future__ import annotations

import sqlite3

from context_bus.store.embedded import Embedded
from context_bus.watch.schema import require_ours


class Database(Embedded):
    """One file of watched tasks, opened at the first transaction; see `Embedded`.

    Raises, at the first transaction:
        DatabaseTooNew: A later version made it.
        ForeignDatabase: The file holds something else.
    """

    def prepare(self, connection: sqlite3.Connection, *, for_writing: bool) -> None:
        """Have the tables of this version, in each transaction: another process may change them meanwhile."""
        require_ours(connection, self.path, for_writing=for_writing)
