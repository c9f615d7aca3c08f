"""The JSON image of a context and of a service, as it travels on the wire.

Knows the shapes of topics ``context`` and ``process``; must not know sockets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from context_bus.config.faults import FaultList
from context_bus.config.level import Level
from context_bus.config.model import ContextConf, TaskServiceConf, Value
from context_bus.config.node import MAX_DEPTH, TEXT_KEY, Node, illegal_character, is_name, value_of
from context_bus.config.reader import Calls, read_context_node, read_service
from context_bus.config.requirements import check_instance_ids, check_requirements
from context_bus.config.supervision import Supervision
from context_bus.config.tree import context_node, service_node
from context_bus.errors import Fault

#: Name of the source in faults when the sender is not known.
MESSAGE = "message"
#: Faulty services of one image that are looked at; a stranger may send a million.
MAX_REJECTED = 100


@dataclass(frozen=True, slots=True)
class RejectedService:
    """A service of an image that cannot be used; its siblings can.

    Args:
        id: Its id, empty if it has none.
        faults: What is wrong with it.
    """

    id: str
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class ContextImage:
    """What an image holds: the usable part, and the services that are not.

    Args:
        conf: What could be read; a field that the image lacks is empty.
        rejected: Services with faults; they are not in ``conf``.
        faults: Faults of the context itself (an endpoint, a name).
    """

    conf: ContextConf
    rejected: tuple[RejectedService, ...]
    faults: tuple[Fault, ...]


def context_from_image(image: Mapping[str, object], source: str = MESSAGE) -> ContextConf:
    """Read the ``configuration`` of a context message.

    Args:
        image: The mapping; endpoints, ids and services may be missing (then they are empty), and
            ``TaskService`` may be a list or a single object. Ids in ``call`` are not checked, since
            the receiver may know services that the sender left out.
        source: Name of the source in faults.

    Raises:
        ConfigurationError: With every fault.
    """
    faults = FaultList(source)
    node = image_node("Context", image, faults)
    conf = read_context_node(node, faults, partial=True)
    faults.raise_faults()
    return conf


def examine_image(image: Mapping[str, object], source: str = MESSAGE) -> ContextImage:
    """Read the ``configuration`` of a context message, each service by itself; raises nothing.

    One invalid service does not reject its siblings: see `ContextImage`.
    """
    faults = FaultList(source)
    given = {name: value for name, value in image.items() if name != "TaskService"}
    conf = read_context_node(image_node("Context", given, faults), faults, partial=True)
    services: list[TaskServiceConf] = []
    rejected: list[RejectedService] = []
    calls = Calls(on_wire=True)
    for place, item in enumerate(_service_images(image.get("TaskService")), 1):
        own = FaultList(source)
        node = image_node("TaskService", item, own)
        service = read_service(node, own, calls, place, conf.defaults)
        if not own.faults:
            services.append(service)
            continue
        rejected.append(RejectedService(Level(node, "", FaultList("")).text("id"), own.sorted_faults()))
        if len(rejected) >= MAX_REJECTED:
            faults.fault(
                f"{MAX_REJECTED} services are faulty, the rest was not looked at", element="TaskService"
            )
            break
    check_requirements(services, faults)
    check_instance_ids(services, faults)
    return ContextImage(replace(conf, services=tuple(services)), tuple(rejected), faults.sorted_faults())


def service_from_image(image: Mapping[str, object], source: str = MESSAGE) -> TaskServiceConf:
    """Read one TaskService object.

    Raises:
        ConfigurationError: With every fault.
    """
    faults = FaultList(source)
    service = read_service(image_node("TaskService", image, faults), faults, Calls(on_wire=True))
    faults.raise_faults()
    return service


def service_to_image(
    conf: TaskServiceConf, *, action: str = "start", transaction: str = ""
) -> dict[str, Value]:
    """Make the TaskService object of a service, as on topic ``process``.

    Args:
        conf: The service.
        action: What the message asks of it.
        transaction: Its transaction.
    """
    return _image(service_node(conf, action=action, transaction=transaction, brief=False), conf)


def context_to_image(conf: ContextConf) -> dict[str, Value]:
    """Make the ``configuration`` of a context message; ``TaskService`` is always a list.

    Each service says itself how it is kept, since a receiver may take one without its siblings. The
    headers hold neither id nor transaction, as in a file.
    """
    image = _mapping(value_of(context_node(replace(conf, services=(), defaults=Supervision()))))
    image["TaskService"] = [_image(service_node(each, brief=False), each) for each in conf.services]
    return image


def image_node(tag: str, image: object, faults: FaultList) -> Node:
    """Turn a decoded JSON object into a node; what cannot be one is noted as a fault."""
    if not isinstance(image, Mapping):
        faults.fault(f"{_kind(image)} where an object is expected", element=tag)
        image = {}
    return _mapping_node(tag, image, faults, tag, 0)


def _image(node: Node, conf: TaskServiceConf) -> dict[str, Value]:
    image = _mapping(value_of(node))
    if not conf.configuration:
        # An empty element reads as text; receivers of old ask a mapping for its keys.
        content = _mapping(_mapping(_mapping(image["Task"])["message"])["content"])
        content["configuration"] = {}
    return image


def _mapping(value: Value) -> dict[str, Value]:
    assert isinstance(value, dict)
    return value


def _service_images(value: object) -> Sequence[object]:
    if value in (None, "", {}):
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _nodes(tag: str, value: object, faults: FaultList, path: str, depth: int) -> Iterator[Node]:
    if isinstance(value, Mapping):
        yield _mapping_node(tag, value, faults, path, depth)
    elif isinstance(value, list | tuple):
        for item in value:
            if faults.is_full:
                return
            if isinstance(item, list | tuple):
                faults.fault("a list within a list has no XML twin", "name the inner one", element=path)
                continue
            yield from _nodes(tag, item, faults, path, depth)
    else:
        yield Node(tag, _text(value, faults, path), file=faults.file)


def _mapping_node(tag: str, value: Mapping[str, object], faults: FaultList, path: str, depth: int) -> Node:
    if depth > MAX_DEPTH:
        faults.fault(f"nested deeper than {MAX_DEPTH} levels", element=path.partition("/")[0])
        return Node(tag, file=faults.file)
    children: list[Node] = []
    text = ""
    for key, item in value.items():
        if key == TEXT_KEY:
            text = _text(item, faults, f"{path}/{key}")
        elif is_name(key):
            children.extend(_nodes(key, item, faults, f"{path}/{key}", depth + 1))
        else:
            faults.fault(f"{key!r} cannot name an element", "use letters, digits, _ - .", element=path)
    return Node(tag, text, children=tuple(children), file=faults.file)


def _text(value: object, faults: FaultList, path: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        faults.fault(f"{_kind(value)} where text is expected", element=path)
        return ""
    text = str(value)
    if bad := illegal_character(text):
        faults.fault(f"holds the character {bad}, which XML cannot carry", "remove it", element=path)
    return text.strip()


def _kind(value: object) -> str:
    if isinstance(value, list | tuple):
        return "a list"
    return "an object" if isinstance(value, Mapping) else type(value).__name__
