"""Turns a supervision into the element that says it. Pure; knows model and node.

Only what differs from the base is written: the built-in defaults, or what the context says of all its
services. What is empty where the base is not cannot be said, and nothing that was read needs it to be.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from context_bus.config.inheritance import liveness_of, readiness_of
from context_bus.config.node import Node
from context_bus.config.quantities import say_cpus, say_limit, say_number, say_size
from context_bus.config.supervision import (
    Condition,
    Feedback,
    Liveness,
    Output,
    Probe,
    Readiness,
    Requirement,
    Restart,
    Stop,
    Supervision,
)
from context_bus.config.supervision_reader import NO_LIVENESS
from context_bus.kernel.surroundings import Surroundings


def supervision_nodes(conf: Supervision, base: Supervision) -> Iterator[Node]:
    """The ``supervision`` element, or nothing if there is nothing to say."""
    children = tuple(_parts(conf, base))
    if children:
        yield Node("supervision", children=children)


def command_nodes(command: tuple[str, ...]) -> Iterator[Node]:
    """The ``command`` element, or nothing; one line, quoted where a shell would need it."""
    if command:
        yield Node("command", shlex.join(command))


def _parts(conf: Supervision, base: Supervision) -> Iterator[Node]:
    yield from _node("restart", _restart(conf.restart), _restart(base.restart))
    yield from _readiness(conf.readiness, base.readiness)
    yield from _liveness(conf.liveness, base.liveness)
    yield from _node("stop", _stop(conf.stop), _stop(base.stop))
    yield from _feedback(conf.feedback)
    yield from (_requirement(required) for required in conf.requires)
    if conf.instances != 1:
        yield Node("instances", str(conf.instances))
    if conf.schedule:
        yield Node("schedule", conf.schedule)
    yield from _process(conf.surroundings, base.surroundings)
    yield from _node("output", _output(conf.output), _output(base.output))


def _node(
    tag: str, texts: Mapping[str, str], base: Mapping[str, str], children: tuple[Node, ...] = ()
) -> Iterator[Node]:
    attributes = {name: text for name, text in texts.items() if text and text != base.get(name)}
    if attributes or children:
        yield Node(tag, attributes=attributes, children=children)


def _restart(conf: Restart) -> dict[str, str]:
    return {
        "policy": str(conf.policy),
        "delay": say_number(conf.delay),
        "factor": say_number(conf.factor),
        "max_delay": say_number(conf.max_delay),
        "jitter": say_number(conf.jitter),
        "max_restarts": str(conf.max_restarts),
        "window": say_number(conf.window),
        "min_uptime": say_number(conf.min_uptime),
        "success_codes": ",".join(map(str, conf.success_codes)),
    }


def _readiness(conf: Readiness, base: Readiness) -> Iterator[Node]:
    under = readiness_of(conf.kind, base)
    texts = {"type": str(conf.kind), **_probe(conf.probe), **_rest_of_readiness(conf)}
    known = {"type": str(base.kind), **_probe(under.probe), **_rest_of_readiness(under)}
    yield from _node("readiness", texts, known, _probe_command(conf.probe, under.probe))


def _rest_of_readiness(conf: Readiness) -> dict[str, str]:
    deadline = "" if conf.deadline is None else say_number(conf.deadline)
    return {"after": say_number(conf.after), "deadline": deadline}


def _liveness(conf: Liveness | None, base: Liveness | None) -> Iterator[Node]:
    if conf is None:
        yield from _node("liveness", {"type": NO_LIVENESS if base else ""}, {})
        return
    under = liveness_of(conf.kind, base)
    texts = {"type": str(conf.kind), **_probe(conf.probe), "failures": str(conf.failures)}
    known = {
        "type": str(base.kind) if base else "",
        **_probe(under.probe),
        "failures": str(under.failures),
    }
    yield from _node("liveness", texts, known, _probe_command(conf.probe, under.probe))


def _probe(conf: Probe) -> dict[str, str]:
    return {"target": conf.target, "every": say_number(conf.every), "timeout": say_number(conf.timeout)}


def _probe_command(conf: Probe, base: Probe) -> tuple[Node, ...]:
    return tuple(command_nodes(conf.command)) if conf.command != base.command else ()


def _stop(conf: Stop) -> dict[str, str]:
    return {"signal": conf.signal, "grace": "" if conf.grace is None else say_number(conf.grace)}


def _feedback(conf: Feedback | None) -> Iterator[Node]:
    """The element, be it empty: that it is there says something."""
    if conf is None:
        return
    usual = Feedback()
    texts = {} if conf.timeout is None else {"timeout": say_number(conf.timeout)}
    if conf.every != usual.every:
        texts["every"] = say_number(conf.every)
    if conf.file:
        texts["file"] = conf.file
    yield Node("feedback", attributes=texts)


def _requirement(conf: Requirement) -> Node:
    attributes = {"service": conf.service_id}
    if conf.condition is not Condition.READY:
        attributes["condition"] = str(conf.condition)
    return Node("requires", attributes=attributes)


def _process(conf: Surroundings, base: Surroundings) -> Iterator[Node]:
    variables = [
        Node("env", attributes={"name": name, "value": text} if text else {"name": name})
        for name, text in conf.env.items()
        if base.env.get(name) != text
    ]
    limits = [
        Node("limit", attributes={"name": name, "soft": say_limit(soft), "hard": say_limit(hard)})
        for name, (soft, hard) in conf.limits.items()
        if base.limits.get(name) != (soft, hard)
    ]
    yield from _node("process", _surroundings(conf), _surroundings(base), (*variables, *limits))


def _surroundings(conf: Surroundings) -> dict[str, str]:
    return {
        "cwd": conf.cwd,
        "user": conf.user,
        "group": conf.group,
        "umask": "" if conf.umask is None else f"{conf.umask:03o}",
        "nice": str(conf.nice),
        "cpus": say_cpus(conf.cpus),
    }


def _output(conf: Output) -> dict[str, str]:
    return {
        "stdout": conf.stdout,
        "stderr": conf.stderr,
        "max_bytes": say_size(conf.max_bytes),
        "backups": str(conf.backups),
        "show": "1" if conf.show else "0",
    }
