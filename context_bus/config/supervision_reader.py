"""Reads ``<supervision>``: how a service is kept, on top of what its context says of all.

Knows the element and its values; must not know other services (see ``requirements``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from context_bus.config.inheritance import liveness_of, readiness_of
from context_bus.config.level import Level
from context_bus.config.model import ServiceType
from context_bus.config.process_reader import read_feedback, read_output, read_surroundings
from context_bus.config.quantities import (
    parse_codes,
    parse_factor,
    parse_part,
    parse_period,
    parse_seconds,
    parse_signal,
    parse_whole,
)
from context_bus.config.supervision import (
    Condition,
    Feedback,
    Liveness,
    LivenessKind,
    Probe,
    Readiness,
    ReadinessKind,
    Requirement,
    Restart,
    RestartWhen,
    Stop,
    Supervision,
)
from context_bus.config.targets import check_pattern, check_tcp, check_url, read_command
from context_bus.config.values import value, word
from context_bus.kernel import schedule

#: Children of ``<supervision>`` that make sense for one service only, and where they belong.
OWN_PARTS = dict.fromkeys(
    ("requires", "depends_on", "instances", "schedule", "feedback"), "TaskService/supervision"
)
#: The other children, which a context may have as well.
SHARED_PARTS = ("restart", "readiness", "liveness", "stop", "process", "output")
#: Most processes of one service.
MAX_INSTANCES = 1000
#: Word for a service that is not watched, where the context says that all are.
NO_LIVENESS = "none"
#: Most of anything counted: restarts, failures.
_MANY = 1_000_000
#: Outputs whose lines somebody here reads.
_UNREAD = frozenset({"inherit", "null"})

#: Kinds that have a target, and what checks it.
_TARGETS: dict[str, tuple[Callable[[str], None], str]] = {
    "tcp": (check_tcp, 'target="127.0.0.1:8080"'),
    "http": (check_url, 'target="http://127.0.0.1:8080/"'),
    "log": (check_pattern, 'target="a regular expression"'),
}


def read_defaults(level: Level) -> Supervision:
    """Read the ``<supervision>`` of a context, which holds for each of its services."""
    if "supervision" not in level:
        level.settle(["supervision"])
        return Supervision()
    inner = _inner(level)
    found = _read_parts(inner, Supervision(), None)
    inner.finish(OWN_PARTS)
    return found


def read_supervision(level: Level, base: Supervision, service_type: ServiceType) -> Supervision:
    """Read the ``<supervision>`` of a service.

    Args:
        level: The service.
        base: What holds for it if it says nothing.
        service_type: What carries it; not everything can be kept in every way.
    """
    if "supervision" not in level:
        level.settle(["supervision"])
        return base
    inner = _inner(level)
    if service_type is ServiceType.THREAD:
        _refuse_for_thread(inner)
    found = _read_parts(inner, base, service_type)
    found = replace(
        found,
        requires=_read_requires(inner),
        instances=value(inner, "instances", partial(parse_whole, low=1, high=MAX_INSTANCES), 1),
        schedule=_read_schedule(inner, found),
        feedback=_read_feedback(inner, service_type),
    )
    inner.finish()
    _check_feedback(inner, found)
    outputs = {found.output.stdout, found.output.stderr} - {"stdout"}
    if found.readiness.kind is ReadinessKind.LOG and outputs <= _UNREAD:
        inner.fault("readiness", "nobody reads the output of this service", 'write <output stdout="log"/>')
    return found


def _inner(level: Level) -> Level:
    given = level.child("supervision")
    return Level(given.node, given.path, given.faults, strict=True)


def _read_parts(level: Level, base: Supervision, service_type: ServiceType | None) -> Supervision:
    """Read what contexts and services have in common; no type is that of a context."""
    level.settle(SHARED_PARTS)
    is_python = service_type not in {None, ServiceType.COMMAND}
    return replace(
        base,
        restart=_read_restart(level.child("restart"), base.restart, is_python),
        readiness=_read_readiness(level.child("readiness"), base.readiness)
        if "readiness" in level
        else base.readiness,
        liveness=_read_liveness(level.child("liveness"), base.liveness, service_type)
        if "liveness" in level
        else base.liveness,
        stop=_read_stop(level.child("stop"), base.stop, is_python),
        surroundings=read_surroundings(level.child("process"), base.surroundings),
        output=read_output(level.child("output"), base.output),
    )


def _refuse_for_thread(level: Level) -> None:
    remedy = f'write serviceType="{ServiceType.PROCESS}", or remove it'
    for name in ("process", "output", "instances"):
        if name in level:
            level.fault(name, "a thread has none of its own", remedy)
    readiness = level.child("readiness")
    if readiness.text("type") == ReadinessKind.LOG:
        readiness.fault("type", "a thread has no output of its own", remedy)


def _read_restart(level: Level, base: Restart, is_python: bool) -> Restart:
    count = partial(parse_whole, low=1, high=_MANY)
    found = Restart(
        policy=word(level, "policy", RestartWhen, base.policy) or base.policy,
        delay=value(level, "delay", parse_seconds, base.delay),
        factor=value(level, "factor", parse_factor, base.factor),
        max_delay=value(level, "max_delay", parse_seconds, base.max_delay),
        jitter=value(level, "jitter", parse_part, base.jitter),
        max_restarts=value(level, "max_restarts", count, base.max_restarts),
        window=value(level, "window", parse_period, base.window),
        min_uptime=value(level, "min_uptime", parse_seconds, base.min_uptime),
        success_codes=value(level, "success_codes", parse_codes, base.success_codes),
    )
    if found.max_delay < found.delay:
        remedy = "raise max_delay or lower delay"
        level.fault("max_delay", f"{found.max_delay:g} s is less than the delay of {found.delay:g} s", remedy)
        found = replace(found, max_delay=found.delay)
    if is_python and "success_codes" in level:
        level.warn("success_codes", "is for commands", "a Python service reports its success itself")
    level.finish()
    return found


def _read_readiness(level: Level, base: Readiness) -> Readiness:
    kind = word(level, "type", ReadinessKind, base.kind)
    if kind is None:
        level.settle(level.unknown())
        return base
    base = readiness_of(kind, base)
    found = Readiness(
        kind=kind,
        probe=_read_probe(level, kind, base.probe),
        after=value(level, "after", parse_period, base.after),
        deadline=value(level, "deadline", parse_period, base.deadline),
    )
    is_time = kind is ReadinessKind.TIME
    if is_time and not found.after and "after" not in level:
        level.required("after", 'write after="2" for two seconds')
    if not is_time and "after" in level:
        level.fault("after", f'is of no use for type "{kind}"', f'write type="{ReadinessKind.TIME}"')
    if is_time and found.deadline is not None and found.after >= found.deadline:
        level.fault("deadline", f"{found.deadline:g} s are over before it can be ready", "raise deadline")
    level.finish()
    return found


def _read_liveness(level: Level, base: Liveness | None, service_type: ServiceType | None) -> Liveness | None:
    text = level.text("type")
    if text == NO_LIVENESS:
        level.finish()
        return None
    if not text and base is None:
        level.required("type", f"one of {', '.join([*LivenessKind, NO_LIVENESS])}")
        level.settle(level.unknown())
        return None
    kind = word(level, "type", LivenessKind, base.kind if base else None, NO_LIVENESS)
    if kind is None:
        level.settle(level.unknown())
        return base
    if kind is LivenessKind.HEARTBEAT and service_type in {ServiceType.COMMAND, ServiceType.THREAD}:
        message = f'a service of type "{service_type}" has no heartbeat'
        level.fault(
            "type", message, f'write type="tcp", "http" or "command", or serviceType="{ServiceType.PROCESS}"'
        )
    base = liveness_of(kind, base)
    probe = _read_probe(level, kind, base.probe)
    failures = value(level, "failures", partial(parse_whole, low=1, high=_MANY), base.failures)
    level.finish()
    return Liveness(kind, probe, failures)


def _read_probe(level: Level, kind: str, base: Probe) -> Probe:
    found = Probe(
        target=level.text("target", base.target),
        command=read_command(level) or base.command,
        every=value(level, "every", parse_period, base.every),
        timeout=value(level, "timeout", parse_period, base.timeout),
    )
    if kind not in _TARGETS and level.text("target"):
        level.fault("target", f'is of no use for type "{kind}"', 'write type="tcp", "http" or "log"')
    if kind in _TARGETS:
        check, example = _TARGETS[kind]
        if not found.target:
            level.required("target", f'type "{kind}" asks it, write {example}')
        else:
            value(level, "target", lambda text: check(text), None)
    if kind == "command" and not found.command and "command" not in level:
        level.fault("", "<command> is missing", "write <command>program argument</command>")
    if kind != "command" and "command" in level:
        level.fault("command", f'is of no use for type "{kind}"', 'write type="command"')
    return found


def _read_stop(level: Level, base: Stop, is_python: bool) -> Stop:
    if is_python and "signal" in level:
        level.warn("signal", "is for commands", "a Python service is asked to stop on its channel")
    found = Stop(
        signal=value(level, "signal", parse_signal, base.signal),
        grace=value(level, "grace", parse_seconds, base.grace),
    )
    level.finish()
    return found


def _read_feedback(level: Level, service_type: ServiceType) -> Feedback | None:
    given = level.child("feedback")
    if "feedback" not in level:
        return None
    if service_type is not ServiceType.COMMAND:
        remedy = f'call notify("updated") in its task, or write serviceType="{ServiceType.COMMAND}"'
        level.fault("feedback", f'is for commands, and this is a service of type "{service_type}"', remedy)
    return read_feedback(given)


def _check_feedback(level: Level, found: Supervision) -> None:
    if found.feedback is None:
        return
    if found.feedback.file and found.instances > 1:
        remedy = "leave out file, then each has one of its own"
        level.fault("feedback", "one file cannot be that of several instances", remedy)
    who = found.surroundings.user or found.surroundings.group
    if who and not found.feedback.file:
        message = f'the file of the provider may be out of reach for "{who}"'
        level.warn("feedback", message, 'name one that it can write: file="/run/NAME/feedback.log"')


def _read_requires(level: Level) -> tuple[Requirement, ...]:
    found: dict[str, Requirement] = {}
    for part in (*level.children("requires"), *level.children("depends_on")):
        given = part.required("service", 'write service="ts_101"')
        ids = [each.strip() for each in given.split(",") if each.strip()]
        condition = word(part, "condition", Condition, Condition.READY) or Condition.READY
        for service_id in ids:
            wanted = Requirement(service_id, condition, part.node.line)
            first = found.setdefault(service_id, wanted)
            if first != wanted:
                message = f'"{service_id}" is required twice, {first.condition} and {condition}'
                part.fault("condition", message, "keep one")
        part.finish()
    return tuple(found.values())


def _read_schedule(level: Level, found: Supervision) -> str:
    expression = " ".join(level.text("schedule").split())
    if not expression:
        return ""
    if message := schedule.check(expression):
        near = "" if "never" in message else "for instance */5 * * * * for every five minutes"
        level.fault("schedule", f'"{expression}": {message}', near or "choose a day that exists")
    if found.restart.policy is RestartWhen.ALWAYS:
        level.fault(
            "schedule",
            "a service that is always restarted never waits for its time",
            f'write policy="{RestartWhen.ON_FAILURE}" or remove the schedule',
        )
    return expression
