"""What a picture of a context says, and the same as Mermaid."""

from __future__ import annotations

from context_bus.bus.insight import Delivery
from context_bus.config.model import Action, Trigger
from context_bus.view.graph import (
    Being,
    Edge,
    Graph,
    Node,
    Tie,
    graph_of,
    mermaid,
    trimmed,
    with_beings,
    with_messages,
)
from tests.view.graphs import context, service


def test_every_transition_and_requirement_is_an_edge() -> None:
    """Several targets are several edges; the same action at the same target is one, with all its triggers."""
    graph = graph_of(
        context(
            service(
                "a",
                (Trigger.ON_START, Action.START, "b,c"),
                (Trigger.ON_UPDATE, Action.START, "b"),
                (Trigger.ON_FAIL, Action.STOP, "b"),
                (Trigger.ON_FAIL, Action.RESTART, "a"),
            ),
            service("b", requires=("a",)),
            service("c"),
        )
    )
    assert graph.edges == (
        Edge("a", "b", Tie.START, "on_start, on_update: start"),
        Edge("a", "c", Tie.START, "on_start: start"),
        Edge("a", "b", Tie.STOP, "on_fail: stop"),
        Edge("a", "a", Tie.RESTART, "on_fail: restart"),
        Edge("b", "a", Tie.REQUIRES, "requires ready"),
    )


def test_a_program_is_called_by_its_name() -> None:
    """The path of a program says less than its name."""
    graph = graph_of(context(service("db", command=("/usr/lib/postgres", "-D", "x"))))
    assert graph.nodes[0].title == "postgres"


def test_instances_belong_to_their_service_and_the_worst_gives_the_state() -> None:
    """``a#2`` is the second of ``a``; an id with a number of its own is not; what is unknown is shown too."""
    plain = graph_of(context(service("a", instances=2), service("b#2")))
    beings = [Being("a", "started"), Being("a#2", "backoff"), Being("b#2", "updated"), Being("new", "fatal")]
    graph = with_beings(plain, "T1", beings)
    assert [(node.service_id, len(node.beings), node.state) for node in graph.nodes] == [
        ("a", 2, "backoff"),
        ("b#2", 1, "updated"),
        ("new", 1, "fatal"),
    ]
    assert graph.transaction == "T1"


def test_mermaid_names_nodes_and_draws_each_kind_of_edge() -> None:
    """The arrow tells what happens: start, restart, stop, requirement."""
    ties = [Edge("a", "b", tie, tie.value) for tie in Tie]
    text = mermaid([Graph("G", (Node("a", "A"), Node("b", "B")), tuple(ties))])
    assert text.startswith("flowchart LR\n")
    for arrow in (
        'n0_0 -->|"start"| n0_1',
        'n0_0 --x|"stop"| n0_1',
        'n0_0 ==>|"restart"| n0_1',
        'n0_0 -.->|"requires"| n0_1',
    ):
        assert arrow in text
    assert text.count("linkStyle") == len(Tie)


def test_mermaid_keeps_hostile_names_apart_from_its_grammar() -> None:
    """A name may hold quotes, brackets and line breaks; none gets out of its label."""
    text = mermaid([Graph("G", (Node('a"]\n  b', "x<script>"),), ())])
    assert "<script>" not in text
    assert text.splitlines()[1] == '  n0_0("x#lt;script#gt;<br/>a#quot;] b"):::idle'


def test_mermaid_puts_each_transaction_into_a_box_of_its_own() -> None:
    """Nodes of two transactions do not get mixed up."""
    plain = graph_of(context(service("a", (Trigger.ON_EXIT, Action.START, "b")), service("b")))
    text = mermaid([with_beings(plain, name, [Being("a", "started")]) for name in ("T1", "T2")])
    assert 'subgraph t0 ["T1"]' in text
    assert 'n1_0 -->|"on_exit: start"| n1_1' in text
    assert text.count("  end") == 2


def test_a_trimmed_graph_has_only_what_there_is() -> None:
    """A transaction with some of the services only; an edge needs both its ends."""
    plain = graph_of(
        context(service("a", (Trigger.ON_EXIT, Action.START, "b,c")), service("b"), service("c"))
    )
    graph = trimmed(with_beings(plain, "T1", [Being("a", "started"), Being("b", "started")]))
    assert [node.service_id for node in graph.nodes] == ["a", "b"]
    assert [edge.target for edge in graph.edges] == ["b"]


def test_messages_lead_from_service_to_service() -> None:
    """All topics between two are one edge; instances count as their service, other transactions do not."""
    plain = graph_of(context(service("a", instances=2), service("b")))
    graph = with_beings(plain, "T1", [Being("a", "started"), Being("a#2", "started"), Being("b", "started")])
    told = [
        Delivery("T1", "a", "b", "x"),
        Delivery("T1", "a#2", "b", "x"),
        Delivery("T1", "a", "b", "y"),
        Delivery("T1", "a", "b", "z"),
        Delivery("T2", "b", "a", "x"),
        Delivery("T1", "b", "unknown", "x"),
    ]
    assert with_messages(graph, told).edges == (Edge("a", "b", Tie.MESSAGES, "x, y +1"),)
