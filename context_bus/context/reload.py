"""Notices edits of services' code. Knows files; must not know what is done about it.

Needs the extra ``reload`` (watchfiles), which is imported when a watcher is made and not before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from context_bus.errors import ConfigurationError, Fault

#: Told of edited instances and the files that were edited.
Changed = Callable[[tuple[str, ...], tuple[str, ...]], None]


class CodeWatcher:
    """Watches the directories of services.

    Args:
        changed: Called after an edit, in the loop.

    Raises:
        ConfigurationError: The extra is not installed.
    """

    def __init__(self, changed: Changed) -> None:
        try:
            import watchfiles
        except ImportError:
            remedy = "install it: pip install 'context-bus[reload]'"
            raise ConfigurationError([Fault("--reload needs the package watchfiles", remedy)]) from None
        self._watchfiles = watchfiles
        self._changed = changed
        self._directories: dict[Path, str] = {}
        self._stop = asyncio.Event()

    def add(self, directory: Path, instance: str) -> None:
        """Watch one more directory; one that is watched or missing changes nothing."""
        directory = directory.resolve()
        if directory not in self._directories and directory.is_dir():
            self._directories[directory] = instance
            self._stop.set()

    async def watch(self) -> None:
        """Watch until cancelled."""
        while True:
            self._stop.clear()
            if not self._directories:
                await self._stop.wait()
                continue
            known = dict(self._directories)
            async for edits in self._watchfiles.awatch(
                *known, stop_event=self._stop, watch_filter=self._watchfiles.PythonFilter(), recursive=True
            ):
                files = tuple(sorted({path for _, path in edits}))
                instances = _instances_of(files, known)
                if instances:
                    self._changed(instances, files)


def _instances_of(files: tuple[str, ...], known: Mapping[Path, str]) -> tuple[str, ...]:
    found = {
        instance
        for directory, instance in known.items()
        for file in files
        if Path(file).is_relative_to(directory)
    }
    return tuple(sorted(found))
