"""Find and import the class of a service, always from its source. Knows the layout of a service's files.

Byte code is neither written nor read here: its stamp is a second coarse, and code that was edited and
restarted within the same second has to be the code that runs.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.machinery
import itertools
import os
import sys
import threading
from importlib.abc import PathEntryFinder
from pathlib import Path
from types import CodeType, ModuleType

from context_bus.errors import ServiceError
from context_bus.service.failure import describe, one_line, place_of

_serial = itertools.count(1)
#: One service at a time: two of one directory would take each other's half imported modules away.
_loading = threading.Lock()


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source each time."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Hook:
    """Makes one directory, and what is below it, import from source."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)

    def __call__(self, path: str) -> PathEntryFinder:
        real = os.path.realpath(path)
        if real != self.root and not real.startswith(os.path.join(self.root, "")):
            raise ImportError
        return importlib.machinery.FileFinder(
            path,
            (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
            (_SourceLoader, importlib.machinery.SOURCE_SUFFIXES),
        )


def load_service_class(location: str, instance: str, *, shared: bool = False) -> type[object]:
    """Import ``Service<instance>`` from ``<location>/<instance>/Service<instance>.py``.

    Args:
        location: Directory that holds the directory of the service.
        instance: Name of that directory, and stem of file and class.
        shared: The process holds other services too: the modules get names that no other has, so that
            the same service can be loaded again after an edit.

    Raises:
        ServiceError: It is not there or cannot be imported; names file and line.
    """
    sys.dont_write_bytecode = True
    directory = _find_directory(location, instance)
    name = f"Service{instance}"
    file = directory / f"{name}.py"
    if not file.is_file():
        found = ", ".join(sorted(path.name for path in directory.glob("*.py"))) or "nothing"
        raise ServiceError(f"{file} is missing; {directory} holds {found}")
    with _loading:
        package = _enter(directory, instance, shared=shared)
        try:
            module = importlib.import_module(f"{package}.{name}")
        except Exception as error:
            place = place_of(error, str(directory.parent)) or str(file)
            raise ServiceError(one_line(f"{place}: {describe(error)}")) from error
    return _class_of(module, name, file)


def load_built_in(name: str) -> type[object]:
    """Import a class that the package brings along.

    Args:
        name: ``module:Class``.

    Raises:
        ServiceError: It cannot be imported.
    """
    module, _, stem = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), stem)
    except (ImportError, AttributeError) as error:
        raise ServiceError(one_line(f"{name} cannot be loaded: {describe(error)}")) from error
    if not isinstance(found, type):
        raise ServiceError(f"{name} is no class")
    return found


def unload(service_class: type[object]) -> None:
    """Forget the modules of a class that was loaded into a shared process, once it is not used any more."""
    package = service_class.__module__.partition(".")[0]
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]


def _find_directory(location: str, instance: str) -> Path:
    if not location:
        raise ServiceError(
            f"no location configured for {instance}; <location> names the directory that holds {instance}/"
        )
    root = Path(location).absolute()
    if not root.is_dir():
        raise ServiceError(f"location {location} is not a directory; it should hold {instance}/")
    directory = root / instance
    if not directory.is_dir():
        names = sorted(path.parent.name for path in root.glob("*/Service*.py"))
        near = difflib.get_close_matches(instance, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it holds {', '.join(names) or 'no service'}"
        raise ServiceError(f"no directory {instance}/ in location {root}; {hint}")
    return directory


def _enter(directory: Path, instance: str, *, shared: bool) -> str:
    """Make the service's package importable; returns its name."""
    root = str(directory.parent)
    if shared:
        _forget(directory, instance)
    if not any(isinstance(hook, _Hook) and hook.root == os.path.realpath(root) for hook in sys.path_hooks):
        sys.path_hooks.insert(0, _Hook(root))
    for path in [path for path in sys.path_importer_cache if path == root or path.startswith(root + os.sep)]:
        del sys.path_importer_cache[path]
    if root not in sys.path:
        sys.path.insert(0, root)
    importlib.invalidate_caches()
    if not shared:
        known = sys.modules.get(instance)
        if known is not None:
            raise ServiceError(
                f"service {instance} in {root} has the name of module {instance} "
                f"({getattr(known, '__file__', None) or 'built in'}); rename the service"
            )
        return instance
    name = f"{instance}__{next(_serial)}"
    module = ModuleType(name)
    module.__path__ = [str(directory)]
    sys.modules[name] = module
    return name


def _forget(directory: Path, instance: str) -> None:
    """Let modules that were imported by their plain names be imported anew."""
    inside = os.path.join(directory, "")
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == instance and (getattr(module, "__file__", None) or "").startswith(
            inside
        ):
            del sys.modules[name]


def _class_of(module: ModuleType, name: str, file: Path) -> type[object]:
    found = getattr(module, name, None)
    if isinstance(found, type):
        return found
    names = [
        each
        for each, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]
    raise ServiceError(f"{file} defines no class {name}; it defines {', '.join(names) or 'none'}")
