"""Files in: reads a context or a service list, XML or YAML by its name or its first character.

Knows the file system and every reader; must not know what is done with a configuration.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from context_bus.config.faults import FaultList
from context_bus.config.meta_reader import read_meta_node
from context_bus.config.model import ContextConf, MetaConf
from context_bus.config.node import Node
from context_bus.config.reader import read_context_node
from context_bus.errors import ConfigurationError, Fault

#: Largest file that is read, in bytes; a configuration is thousands of times smaller.
MAX_BYTES = 16 * 1024 * 1024
#: Root element of a context and of a service list.
CONTEXT_ROOT = "Context"
META_ROOT = "MetaServiceConf"

T = TypeVar("T")


def read_context(path: str | Path) -> ContextConf:
    """Read a context file, XML or YAML.

    Raises:
        ConfigurationError: With every fault of the file. Warnings go to the log.
    """
    return parse_context(read_bytes(path), str(path))


def read_meta(path: str | Path) -> MetaConf:
    """Read a service list (``MetaServiceConf``), XML or YAML.

    Ids that a transition calls may be those of services already in the context; the context that
    results tells (see `parse_context`).

    Raises:
        ConfigurationError: With every fault of the file. Warnings go to the log.
    """
    return parse_meta(read_bytes(path), str(path))


def parse_context(data: bytes, source: str) -> ContextConf:
    """Read a context from bytes.

    Args:
        data: XML or YAML.
        source: Path for messages; its suffix tells the syntax, else the first character does.

    Raises:
        ConfigurationError: With every fault.
    """
    return _parse(data, source, CONTEXT_ROOT, read_context_node)


def parse_meta(data: bytes, source: str) -> MetaConf:
    """Read a service list from bytes; see `parse_context`."""
    return _parse(data, source, META_ROOT, read_meta_node)


def read_any(path: str | Path) -> ContextConf | MetaConf:
    """Read a context or a service list, whichever the root element says.

    Raises:
        ConfigurationError: With every fault of the file. Warnings go to the log.
    """
    data, source = read_bytes(path), str(path)
    faults = FaultList(source)
    node = parse_tree(data, faults)
    faults.raise_faults()
    assert node is not None  # no node without a fault
    if node.tag == META_ROOT:
        return parse_meta(data, source)
    return parse_context(data, source)


def parse_tree(data: bytes, faults: FaultList) -> Node | None:
    """Parse bytes into the neutral tree; None after noting why there is none."""
    if not data.strip(b"\xef\xbb\xbf \t\r\n"):
        faults.fault("the file is empty", f"a context begins with <{CONTEXT_ROOT}>")
        return None
    suffix = Path(faults.file).suffix.lower()
    is_xml = suffix == ".xml" or (suffix not in {".yaml", ".yml"} and looks_like_xml(data))
    # Imported here: each parser costs more to import than a file to parse, and one of them is enough.
    if is_xml:
        from context_bus.config.xml_source import parse_xml

        return parse_xml(data, faults)
    from context_bus.config.yaml_source import parse_yaml

    return parse_yaml(data, faults)


def looks_like_xml(data: bytes) -> bool:
    """Whether the first character, in any of the usual encodings, is ``<``."""
    return data.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1] == b"<"


def read_bytes(path: str | Path) -> bytes:
    """Read a file that is meant to be a configuration.

    Raises:
        ConfigurationError: It is not there, not readable, or too large.
    """
    name = str(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError([Fault("no such file", _similar(Path(path)), name)]) from None
    except IsADirectoryError:
        raise ConfigurationError([Fault("is a directory", "name a file in it", name)]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError([Fault(f"cannot be read: {reason}", file=name)]) from None
    if len(data) > MAX_BYTES:
        limit = f"{MAX_BYTES // 2**20} MB"
        raise ConfigurationError([Fault(f"larger than {limit}: not a configuration", file=name)])
    return data


def _parse(data: bytes, source: str, root: str, read: Callable[[Node, FaultList], T]) -> T:
    faults = FaultList(source)
    node = parse_tree(data, faults)
    faults.raise_faults()
    assert node is not None  # no node without a fault
    if node.tag != root:
        known = {CONTEXT_ROOT: "a context", META_ROOT: "a service list"}
        remedy = f"this is {known[node.tag]}" if node.tag in known else f"{known[root]} is expected here"
        message = f"the root element is <{node.tag}>, expected <{root}>"
        raise ConfigurationError([Fault(message, remedy, source, node.line)])
    result = read(node, faults)
    faults.raise_faults()
    faults.log_warnings()
    return result


def _similar(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f'did you mean "{path.parent / near[0]}"?' if near else ""
