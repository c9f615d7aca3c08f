"""Where the code of services may come from. Knows paths; must not import anything from them."""

from __future__ import annotations

from pathlib import Path

from context_bus.config.model import ContextConf, TaskServiceConf


def resolve_location(file: str | Path, location: str) -> Path:
    """Make a location absolute: relative ones start at the directory of the context file.

    Args:
        file: The context file; empty stands for the working directory.
        location: What the configuration says.
    """
    return (_directory(file) / location).resolve()


def service_file(conf: ContextConf, service: TaskServiceConf) -> Path | None:
    """The file that holds the class of a service; None if it has no location (built in)."""
    if not service.location:
        return None
    stem = f"Service{service.instance}.py"
    return resolve_location(conf.file, service.location) / service.instance / stem


def allowed_roots(conf: ContextConf) -> tuple[Path, ...]:
    """The directories below which a location is trusted: those the file names itself, and the
    directory above the one the file is in.
    """
    directory = _directory(conf.file)
    above = directory.parent
    # A file in /tmp must not make the whole machine trusted.
    roots = [directory if above == above.parent else above] if conf.file else []
    roots += [resolve_location(conf.file, service.location) for service in conf.services if service.location]
    return tuple(dict.fromkeys(roots))


def is_allowed(location: Path, roots: tuple[Path, ...]) -> bool:
    """Whether an absolute location lies in one of the roots, links resolved."""
    resolved = location.resolve()
    return any(resolved.is_relative_to(root) for root in roots)


def _directory(file: str | Path) -> Path:
    return Path(file).absolute().parent.resolve() if str(file) else Path.cwd()
