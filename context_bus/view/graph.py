"""Services of a context and what they do to each other, as nodes and edges; and as Mermaid text.

Pure; knows the model of context files and the words of states. Where anything is drawn is not its business.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from context_bus.bus.insight import Delivery
from context_bus.config.model import ContextConf, ServiceType, TaskServiceConf
from context_bus.view.palette import EDGE_COLOURS, family, tint


class Tie(enum.StrEnum):
    """What an edge means: an action that its source causes, what its source requires, whom messages reach."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    REQUIRES = "requires"
    MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class Being:
    """One instance of a service as a provider tells of it.

    Args:
        service_id: Which, e.g. ``ts_100#2``.
        state: Its state; empty if it is not known.
        pid: Its process, None if it has none.
        note: Why it is so; may be empty.
    """

    service_id: str
    state: str = ""
    pid: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One service of the file.

    Args:
        service_id: Its id.
        title: What it runs: the instance, or the name of the program.
        service_name: The name that messages are matched on.
        carrier: ``Process``, ``Thread`` or ``Command``.
        is_deferred: Whether it waits for a transition or a command to run.
        instances: How many of it the file asks for.
        beings: Its instances as they are; empty where nobody was asked.
    """

    service_id: str
    title: str
    service_name: str = ""
    carrier: ServiceType = ServiceType.PROCESS
    is_deferred: bool = False
    instances: int = 1
    beings: tuple[Being, ...] = ()

    @property
    def state(self) -> str:
        """The state that needs most attention among its instances; empty if none is known."""
        return max((each.state for each in self.beings), key=_attention, default="")


@dataclass(frozen=True, slots=True)
class Edge:
    """What one service does to another, or needs of it; both may be the same."""

    source: str
    target: str
    tie: Tie
    label: str


@dataclass(frozen=True, slots=True)
class Graph:
    """The services of one context, or of one of its transactions."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    transaction: str = ""


#: Topics that a label names.
MOST_TOPICS = 2
#: States by the attention they ask for, the calmest first.
_CALM = ("", "defined", "exited", "started", "updated", "created", "stopped", "waiting", "starting")
_LOUD = ("warming", "stopping", "ending", "backoff", "failed", "fatal")


def _attention(state: str) -> int:
    order = _CALM + _LOUD
    return order.index(state) if state in order else len(_CALM)


def graph_of(conf: ContextConf) -> Graph:
    """The graph of a context file; nobody was asked how the services are."""
    known = {service.id for service in conf.services}
    edges = [edge for service in conf.services for edge in _edges(service) if edge.target in known]
    return Graph(conf.task_log_name, tuple(map(_node, conf.services)), tuple(edges))


def with_beings(graph: Graph, transaction: str, beings: Iterable[Being]) -> Graph:
    """The same graph for one transaction, with its services as they are.

    Args:
        graph: That of the file.
        transaction: Which one.
        beings: Its instances; one that the file does not know becomes a node without edges.
    """
    nodes = {node.service_id: replace(node, beings=()) for node in graph.nodes}
    for being in beings:
        owner = _owner(being.service_id, nodes)
        node = nodes.get(owner) or Node(owner, owner)
        nodes[owner] = replace(node, beings=(*node.beings, being))
    return replace(graph, nodes=tuple(nodes.values()), transaction=transaction)


def with_messages(graph: Graph, deliveries: Iterable[Delivery]) -> Graph:
    """The same graph with the ways that messages have taken, of its transaction only."""
    nodes = {node.service_id: node for node in graph.nodes}
    topics: dict[tuple[str, str], list[str]] = {}
    for each in deliveries:
        ends = _owner(each.source, nodes), _owner(each.target, nodes)
        if each.transaction == graph.transaction and set(ends) <= nodes.keys():
            named = topics.setdefault(ends, [])
            if each.topic not in named:
                named.append(each.topic)
    edges = [Edge(*ends, Tie.MESSAGES, _brief(named)) for ends, named in topics.items()]
    return replace(graph, edges=(*graph.edges, *edges))


def _brief(topics: Sequence[str]) -> str:
    """Some topics on the space of a label."""
    more = f" +{len(topics) - MOST_TOPICS}" if len(topics) > MOST_TOPICS else ""
    return ", ".join(topics[:MOST_TOPICS]) + more


def trimmed(graph: Graph) -> Graph:
    """The same graph without services of which there is no instance: a transaction may have some only."""
    nodes = tuple(node for node in graph.nodes if node.beings)
    names = {node.service_id for node in nodes}
    edges = tuple(edge for edge in graph.edges if {edge.source, edge.target} <= names)
    return replace(graph, nodes=nodes, edges=edges)


def mermaid(graphs: Iterable[Graph]) -> str:
    """Graphs as one Mermaid flowchart; several become one box each."""
    drawn = tuple(graphs)
    lines = ["flowchart LR"]
    styles: dict[str, str] = {}
    strokes: list[tuple[str, str]] = []
    for number, graph in enumerate(drawn):
        names = {node.service_id: f"n{number}_{place}" for place, node in enumerate(graph.nodes)}
        if len(drawn) > 1:
            lines.append(f'  subgraph t{number} ["{_quoted(graph.transaction or graph.title)}"]')
        lines += [_mermaid_node(node, names[node.service_id], styles) for node in graph.nodes]
        if len(drawn) > 1:
            lines.append("  end")
        for edge in graph.edges:
            lines.append(_mermaid_edge(edge, names))
            strokes.append((EDGE_COLOURS[edge.tie], "3px" if edge.tie is Tie.MESSAGES else "1.5px"))
    lines += [f"  classDef {name} {style}" for name, style in styles.items()]
    lines += [f"  linkStyle {n} stroke:{hue},stroke-width:{thick}" for n, (hue, thick) in enumerate(strokes)]
    return "\n".join(lines) + "\n"


def _node(service: TaskServiceConf) -> Node:
    title = service.instance
    if service.service_type is ServiceType.COMMAND and service.command:
        title = PurePath(service.command[0]).name
    return Node(
        service.id,
        title or service.id,
        service.service_name,
        service.service_type,
        service.is_deferred,
        service.supervision.instances,
    )


def _edges(service: TaskServiceConf) -> list[Edge]:
    """What a service causes and requires; several triggers of the same action at one target are one edge."""
    triggers: dict[tuple[str, Tie], list[str]] = {}
    for transition in service.transitions:
        for target in transition.call:
            names = triggers.setdefault((target, Tie(transition.action.value)), [])
            if transition.trigger.value not in names:
                names.append(transition.trigger.value)
    found = [
        Edge(service.id, target, tie, f"{', '.join(names)}: {tie.value}")
        for (target, tie), names in triggers.items()
    ]
    for required in service.supervision.requires:
        label = f"requires {required.condition.value}"
        found.append(Edge(service.id, required.service_id, Tie.REQUIRES, label))
    return found


def _owner(service_id: str, nodes: Mapping[str, Node]) -> str:
    """The service of the file that an instance belongs to."""
    stem, _, number = service_id.rpartition("#")
    return stem if service_id not in nodes and stem in nodes and number.isdecimal() else service_id


#: Opening and closing signs of a node in Mermaid: programs are plain boxes, Python services rounded ones.
_SHAPES = {ServiceType.COMMAND: ("[[", "]]"), ServiceType.PROCESS: ("(", ")"), ServiceType.THREAD: ("(", ")")}
#: Arrows of Mermaid; a requirement is dotted.
_ARROWS = {Tie.START: "-->", Tie.STOP: "--x", Tie.RESTART: "==>", Tie.REQUIRES: "-.->", Tie.MESSAGES: "-->"}


def _mermaid_node(node: Node, name: str, styles: dict[str, str]) -> str:
    opening, closing = _SHAPES[node.carrier]
    times = f" x{node.instances}" if node.instances > 1 else ""
    under = f"{node.service_id} {node.service_name}" if node.service_name else node.service_id
    parts = [f"{node.title}{times}", under, node.state or ("deferred" if node.is_deferred else "")]
    text = "<br/>".join(_quoted(part) for part in parts if part)
    state = node.state
    style = f"fill:{tint(state)},stroke:{family(state).colour},color:#1f2328"
    kind = f"{family(state).name}{'_deferred' if node.is_deferred else ''}"
    styles[kind] = style + (",stroke-dasharray:5 3" if node.is_deferred else "")
    return f'  {name}{opening}"{text}"{closing}:::{kind}'


def _mermaid_edge(edge: Edge, names: Mapping[str, str]) -> str:
    arrow = _ARROWS[edge.tie]
    return f'  {names[edge.source]} {arrow}|"{_quoted(edge.label)}"| {names[edge.target]}'


def _quoted(text: str) -> str:
    """Text in which Mermaid and the page around it see no markup."""
    for sign, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        text = text.replace(sign, entity)
    return " ".join(text.split())
