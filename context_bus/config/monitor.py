"""What the configuration of a service of instance Monitor says; one in a directory of the user's own is his.

Knows levels; must not know what a monitor does. Documented names, both spellings of the first element.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from context_bus.config.address import Address, parse_address
from context_bus.config.faults import FaultList
from context_bus.config.level import Level
from context_bus.config.model import Value
from context_bus.config.node import nodes_of
from context_bus.config.quantities import (
    parse_duration,
    parse_period,
    parse_size,
    parse_switch,
    say_duration,
    say_number,
    say_size,
)
from context_bus.config.values import value

#: Shortest time between two frames, in seconds: below it a look at many processes is not over in time.
SHORTEST = 0.1
#: Seconds that records are kept, unless something else is said: a week.
RETENTION = 7 * 86400.0
#: Shortest time that records are kept.
SHORTEST_RETENTION = 60.0
#: Bytes that records may take, unless something else is said.
STORE_LIMIT = 256 * 2**20
#: Fewest bytes that are of any use.
SMALLEST_LIMIT = 2**20
#: Elements that say where and how often frames are published.
PUBLISHER, SERVICE = "publisher", "service"
#: What two monitors should not both keep, among what they cannot both have.
_RECORDS = "the records"
#: Where an element belongs that stands right below ``configuration``.
HOMES = dict.fromkeys(("endpoint", "frequency_s"), PUBLISHER) | dict.fromkeys(
    ("memory_maps", "open_connections", "opened_files", "store_records", "retention", "store_limit"),
    "monitor_options",
)


@dataclass(frozen=True, slots=True)
class MonitorConf:
    """What a monitor is to do.

    Args:
        endpoint: Where it publishes; it binds there.
        frequency: Seconds between two frames.
        memory_maps: Show the memory map of each process.
        open_connections: Show its connections.
        opened_files: Show its open files.
        store_records: Keep records.
        retention: Seconds that records are kept.
        store_limit: Bytes that they may take; beyond it the oldest go.
    """

    endpoint: str = ""
    frequency: float = 0.0
    memory_maps: bool = False
    open_connections: bool = False
    opened_files: bool = False
    store_records: bool = False
    retention: float = RETENTION
    store_limit: int = STORE_LIMIT


def read_monitor(settings: Level, service_id: str = "", taken: dict[str, str] | None = None) -> MonitorConf:
    """Read the ``configuration`` of a monitor; its faults and warnings go where those of the level go.

    Args:
        settings: The element.
        service_id: Whose it is.
        taken: Who has which port or path by now; the endpoint is added.
    """
    settings.settle(("device_action", "location", "hosts"))
    _read_database(settings)
    publisher = _publisher(settings)
    endpoint = publisher.required("endpoint", "say where to publish: tcp://127.0.0.1:6558")
    address = value(publisher, "endpoint", parse_address, None) if endpoint else None
    if address is not None:
        _check_endpoint(publisher, address, service_id, {} if taken is None else taken)
    text = publisher.required("frequency_s", "say how many seconds lie between two frames: 1.0")
    frequency = value(publisher, "frequency_s", _frequency, 0.0) if text else 0.0
    if publisher.text("type", "pub").lower() != "pub":
        publisher.warn("type", "a monitor publishes, whatever is said here", "write pub, or remove it")
    publisher.finish()
    found = _read_options(settings, endpoint, frequency)
    if found.store_records and taken is not None:
        first = taken.setdefault(_RECORDS, f"monitor {service_id}")
        if first != f"monitor {service_id}":
            note = f"{first} keeps records, too: those of services that both watch are kept twice"
            settings.child("monitor_options").warn("store_records", note, "leave it to one")
    return found


def monitor_conf(configuration: Mapping[str, Value], service_id: str) -> MonitorConf:
    """Read the configuration of a monitor that is about to run.

    Raises:
        ConfigurationError: With every fault.
    """
    faults = FaultList("")
    node = next(nodes_of("configuration", configuration))
    found = read_monitor(Level(node, f"TaskService[{service_id}]/configuration", faults), service_id)
    faults.raise_faults()
    return found


def say_monitor(conf: MonitorConf) -> str:
    """What a monitor does, in words."""
    parts = [f"every {say_number(conf.frequency)} s on {conf.endpoint}"]
    options = {"memory maps": conf.memory_maps, "connections": conf.open_connections}
    shown = [name for name, is_shown in (options | {"open files": conf.opened_files}).items() if is_shown]
    if shown:
        parts.append(f"with {', '.join(shown)}")
    if conf.store_records:
        parts.append(f"records for {say_duration(conf.retention)}, {say_size(conf.store_limit)} at most")
    return "; ".join(parts)


def meeting_place(address: Address) -> str:
    """What two binds cannot have at once."""
    return f"port {address.port}" if address.transport == "tcp" else f"path {address.host}"


def _publisher(settings: Level) -> Level:
    """The element that says where and how often, by either of its names."""
    if PUBLISHER in settings and SERVICE in settings:
        remedy = f"keep <{PUBLISHER}>"
        settings.fault(SERVICE, f"says the same as <{PUBLISHER}>", remedy)
        settings.settle((SERVICE,))
        return settings.child(PUBLISHER)
    name = SERVICE if SERVICE in settings else PUBLISHER
    settings.settle((PUBLISHER, SERVICE))
    if name not in settings:
        remedy = "it holds endpoint and frequency_s"
        settings.fault("", f"<{PUBLISHER}> is missing", remedy)
        # What it would have held is not missed one by one.
        return Level(settings.node, settings.path, FaultList(""))
    return settings.child(name)


def _check_endpoint(publisher: Level, address: Address, service_id: str, taken: dict[str, str]) -> None:
    if not address.is_loopback:
        who = "every machine that reaches this one" if address.is_wildcard else "other machines"
        publisher.warn(
            "endpoint",
            f"lets {who} see what runs here",
            f"write tcp://127.0.0.1:{address.port}, or start the provider with --insecure",
        )
    place = meeting_place(address)
    if place in taken:
        publisher.fault("endpoint", f"{place} is that of {taken[place]}, too", "each needs one of its own")
    taken.setdefault(place, f"monitor {service_id}")


def _frequency(text: str) -> float:
    seconds = parse_period(text)
    if seconds < SHORTEST:
        raise ValueError(
            f'"{text}" s is too often: a look at all processes takes its time; {say_number(SHORTEST)} s is '
            "the shortest"
        )
    return seconds


def _read_options(settings: Level, endpoint: str, frequency: float) -> MonitorConf:
    options = settings.child("monitor_options")
    found = MonitorConf(
        endpoint,
        frequency,
        memory_maps=value(options, "memory_maps", parse_switch, False),
        open_connections=value(options, "open_connections", parse_switch, False),
        opened_files=value(options, "opened_files", parse_switch, False),
        store_records=value(options, "store_records", parse_switch, False),
        retention=value(options, "retention", _retention, RETENTION),
        store_limit=value(options, "store_limit", _limit, STORE_LIMIT),
    )
    options.finish()
    settings.finish(HOMES)
    return found


def _retention(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < SHORTEST_RETENTION:
        raise ValueError(f'"{text}" is too short to look back: a minute (60s) is the shortest')
    return seconds


def _limit(text: str) -> int:
    size = parse_size(text)
    if size < SMALLEST_LIMIT:
        raise ValueError(f'"{text}" holds next to nothing: {say_size(SMALLEST_LIMIT)} is the smallest')
    return size


def _read_database(settings: Level) -> None:
    if "db_connection" in settings:
        settings.settle(("db_connection",))
        settings.warn(
            "db_connection",
            "no such database is used: records (store_records) go to the store of the provider",
            "leave it out; read them with 'context-bus monitor history'",
        )
