"""Where the output of services goes, by their definitions. Knows paths; opens nothing."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from context_bus.config.model import ContextConf, ServiceType, TaskServiceConf
from context_bus.context.events import Key
from context_bus.process.orders import Sink, SinkKind

_WORDS = {"inherit": SinkKind.INHERIT, "null": SinkKind.NULL}


class Logs:
    """Tells where services write.

    Args:
        conf: The context file; relative paths start at its directory.
        directory: Where files of kind ``log`` are; None if there is no place for them.
    """

    def __init__(self, conf: ContextConf, directory: Path | None) -> None:
        self._home = Path(conf.file or ".").parent
        self._directory = directory
        #: Each query asks for all of them.
        self._files: dict[Key, tuple[TaskServiceConf, Path | None]] = {}

    def sinks(self, key: Key, conf: TaskServiceConf) -> tuple[Sink, Sink]:
        """Where standard output and standard error of a service go."""
        output = conf.supervision.output
        stdout = self._sink(key, conf, output.stdout, "log")
        if output.stderr == "stdout":
            return stdout, stdout
        return stdout, self._sink(key, conf, output.stderr, "err")

    def file(self, key: Key, conf: TaskServiceConf) -> Path | None:
        """The file that holds a service's standard output; None if there is none."""
        if conf.service_type is ServiceType.THREAD:
            return None
        known = self._files.get(key)
        if known is None or known[0] is not conf:
            stdout = self.sinks(key, conf)[0]
            known = self._files[key] = conf, stdout.path if stdout.kind is SinkKind.FILE else None
        return known[1]

    def files(self, key: Key, conf: TaskServiceConf) -> tuple[Path, ...]:
        """The files that hold what a service writes, on whichever stream."""
        if conf.service_type is ServiceType.THREAD:
            return ()
        sinks = self.sinks(key, conf)
        return tuple(dict.fromkeys(sink.path for sink in sinks if sink.kind is SinkKind.FILE))

    def _sink(self, key: Key, conf: TaskServiceConf, where: str, suffix: str) -> Sink:
        output = conf.supervision.output
        if where in _WORDS:
            return Sink(_WORDS[where])
        if where == "log":
            if self._directory is None:
                return Sink(SinkKind.INHERIT)
            path = self._directory / path_name(key.transaction) / f"{path_name(key.service_id)}.{suffix}"
        else:
            path = self._home / where
        return Sink(SinkKind.FILE, path.absolute(), output.max_bytes, output.backups, output.show)


def path_name(text: str) -> str:
    """A name as part of a path: it comes from the wire, and must not lead elsewhere."""
    quoted = quote(text, safe="#") or "%"
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted
