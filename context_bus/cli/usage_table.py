"""How it is printed what services use. Knows the rows of an answer; must not know how they came."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import msgspec

from context_bus.cli.outcome import without_empty
from context_bus.cli.output import say, say_table
from context_bus.context.topquery import TopRow
from context_bus.process.usage import Fields, Usage

#: Columns of the table; memory in MiB.
COLUMNS = ("id", "name", "state", "pid", "cpu%", "rss", "vms", "mem%", "children", "threads", "note")
#: Those that are cut where a line is too short for all.
CUTTABLE = frozenset({"id", "name", "note"})
#: Bytes of the unit in which memory maps are shown.
_KIB = 1024


def print_figures(rows: Sequence[TopRow]) -> None:
    """Print a table of services, what they use together, and the lists that were asked for."""
    if not rows:
        say("no services yet")
        return
    columns, cells = without_empty(COLUMNS, [_cells(row) for row in rows])
    say_table(columns, cells, cuttable=CUTTABLE)
    # A process that several services share counts once.
    usages = {row.pid: row.memory for row in rows if row.memory is not None}.values()
    count = sum(1 + each.processes for each in usages if not each.gone)
    say(
        f"together {count} process{'es' if count != 1 else ''}, "
        f"{sum(each.total.rss for each in usages):.1f} MiB, "
        f"cpu {sum(each.total.cpu_percent for each in usages):.1f} %"
    )
    for row in rows:
        if row.memory is not None:
            _print_lists(row.service_id, row.memory)


def _cells(row: TopRow) -> tuple[object, ...]:
    usage = row.memory
    if usage is None or usage.gone:
        note = usage.gone if usage else ""
        return (row.service_id, row.serviceName, row.state, row.pid, *[None] * 6, note)
    return (
        row.service_id,
        row.serviceName,
        row.state,
        row.pid,
        f"{usage.cpu_percent:.1f}",
        f"{usage.rss:.1f}",
        f"{usage.vms:.1f}",
        f"{usage.percent:.2f}",
        sum(each.kind == "process" for each in usage.children),
        usage.threads,
        _note(usage),
    )


def _note(usage: Usage) -> str:
    notes = []
    if usage.status not in {"running", "sleeping", "disk-sleep", "idle"}:
        notes.append(usage.status)
    if usage.sharers > 1:
        notes.append(f"process shared by {usage.sharers} services")
    if usage.denied:
        notes.append(f"may not see {', '.join(usage.denied)}")
    return "; ".join(notes)


def _print_lists(service_id: str, usage: Usage) -> None:
    if isinstance(usage.opened_files, tuple):
        rows = [_fields(each) for each in usage.opened_files]
        _print_list(f"open files of {service_id}", ("fd", "mode", "position", "path"), rows)
    if isinstance(usage.connections, tuple):
        rows = [_connection(_fields(each)) for each in usage.connections]
        _print_list(f"connections of {service_id}", ("fd", "type", "local", "remote", "status"), rows)
    if isinstance(usage.memory_map, tuple):
        rows = [_map(_fields(each)) for each in usage.memory_map]
        columns = ("size KiB", "rss KiB", "pss KiB", "private KiB", "swap KiB", "path")
        _print_list(f"memory maps of {service_id}", columns, rows)


def _print_list(title: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    say()
    say(f"{title}: {len(rows) or 'none'}")
    if rows:
        say_table(columns, [[row.get(name) for name in columns] for row in rows], cuttable={columns[-1]})


def _fields(entry: Fields) -> dict[str, Any]:
    """The one-field objects of an entry, joined."""
    return {name: value for each in entry for name, value in each.items()}


def _connection(entry: dict[str, Any]) -> dict[str, Any]:
    kind = "udp" if entry.get("type") == socket.SOCK_DGRAM else "tcp"
    return entry | {
        "type": f"{kind}6" if entry.get("family") == socket.AF_INET6 else kind,
        "local": _address(entry.get("laddr")),
        "remote": _address(entry.get("raddr")),
    }


def _address(value: object) -> str:
    return f"{value[0]}:{value[1]}" if isinstance(value, list) and len(value) == 2 else ""


def _map(entry: dict[str, Any]) -> dict[str, Any]:
    private = entry.get("private_clean", 0) + entry.get("private_dirty", 0)
    sizes = {
        "size KiB": entry.get("size", 0),
        "rss KiB": entry.get("rss", 0),
        "pss KiB": entry.get("pss", 0),
        "private KiB": private,
        "swap KiB": entry.get("swap", 0),
    }
    return {name: size // _KIB for name, size in sizes.items()} | {"path": entry.get("path")}


def read_rows(record: object) -> list[TopRow]:
    """Read the content of an answer.

    Raises:
        msgspec.ValidationError: It is none that we know.
    """
    return msgspec.convert(record, list[TopRow])
