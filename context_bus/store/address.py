"""Which database holds the records of one context. Pure: must not import a database.

An SQLite file belongs to one context. A PostgreSQL database may serve many: each has a schema of its own
there, named for its place, so that none sees the rows of another.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from context_bus.errors import Fault, StoreError
from context_bus.store.place import Place

#: Characters of a file name that stay in the name of its schema; PostgreSQL allows 63 in all.
_READABLE = 32
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql", "postgresql+psycopg", "postgres")


@dataclass(frozen=True, slots=True)
class Address:
    """One database.

    Args:
        context: The context file as the user gave it, for messages.
        path: The file; None for PostgreSQL.
        url: URL of PostgreSQL, with its password; empty for SQLite.
        schema: Schema within PostgreSQL; empty for SQLite.
    """

    context: str
    path: Path | None = None
    url: str = ""
    schema: str = ""

    @property
    def is_new(self) -> bool:
        """Whether there is certainly nothing to read; never certain for a server."""
        return self.path is not None and not self.path.exists()

    @property
    def lock_number(self) -> int:
        """The number of the advisory lock of this context; 64 bits with a sign."""
        return int.from_bytes(hashlib.sha256(self.schema.encode()).digest()[:8], signed=True)

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else f"{hidden(self.url)} (schema {self.schema})"


def address_of(place: Place, url: str = "") -> Address:
    """Tell which database belongs to a place.

    Args:
        place: Where the state of the context lives.
        url: ``postgresql://...`` or ``sqlite:////absolute/path``; empty for the file in the place.

    Raises:
        StoreError: The URL names no database that can be used.
    """
    if not url:
        return Address(place.file, place.store)
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return Address(place.file, Path(unquote(url.removeprefix(_SQLITE))).absolute())
    if url.partition("://")[0] in _POSTGRES:
        rest = url.partition("://")[2]
        return Address(place.file, url=f"postgresql+psycopg://{rest}", schema=_schema(place))
    fault = Fault(
        f"{hidden(url)!r} is no store", "use postgresql://USER@HOST/DATABASE, or sqlite:////PATH", "--store"
    )
    raise StoreError(str(fault))


def hidden(url: str) -> str:
    """A URL as it may be shown: without its password."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return url.partition("://")[0]
    return url.replace(f":{password}@", ":***@") if password else url


def sqlite_uri(path: Path, *, read_only: bool) -> str:
    """The URI by which SQLite opens a file; a path may hold ``?``, ``#`` and ``%``."""
    return f"file:{quote(str(path))}?mode={'ro' if read_only else 'rwc'}"


def _schema(place: Place) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", place.directory.name.lower()).strip("_")[:_READABLE]
    mark = hashlib.sha256(str(place.directory).encode(errors="surrogateescape")).hexdigest()[:8]
    return f"context_bus_{name}_{mark}"
