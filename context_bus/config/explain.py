"""Says in plain words how a service is kept: what ``check`` shows and what makes a typing error visible.

Pure; knows the model. What is as it would be without a word in the file is not mentioned.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime

from context_bus.config.model import ServiceType, TaskServiceConf
from context_bus.config.quantities import say_cpus, say_limit, say_number, say_size
from context_bus.config.supervision import (
    Feedback,
    Liveness,
    LivenessKind,
    Output,
    Probe,
    Readiness,
    ReadinessKind,
    Restart,
    RestartWhen,
    Stop,
)
from context_bus.kernel.schedule import next_after
from context_bus.kernel.surroundings import Surroundings

#: Times of a schedule that are shown.
NEXT_TIMES = 3
_WHEN = {RestartWhen.ON_FAILURE: "restarts on failure", RestartWhen.ALWAYS: "restarts always"}


def explain(service: TaskServiceConf) -> str:
    """How a service is kept, in one line; empty if it says nothing of it."""
    kept = service.supervision
    parts = [
        *_restart(kept.restart),
        *_readiness(kept.readiness, service.service_type),
        *_liveness(kept.liveness),
        *_feedback(kept.feedback),
        *_requires(service),
        *_stop(kept.stop),
        *([f"{kept.instances} instances"] if kept.instances > 1 else []),
        *([f"starts at {kept.schedule}"] if kept.schedule else []),
        *_surroundings(kept.surroundings),
        *_output(kept.output),
    ]
    return "; ".join(parts)


def next_times(expression: str, now: float) -> tuple[str, ...]:
    """When a schedule comes due next, in local time, such as ``2026-11-24 20:25:00``.

    Args:
        expression: A sound one; of an empty one there are none.
        now: Seconds since the epoch.
    """
    found = []
    for _ in range(NEXT_TIMES if expression else 0):
        now = next_after(expression, now)
        found.append(datetime.fromtimestamp(now).isoformat(" ", "seconds"))
    return tuple(found)


def _restart(conf: Restart) -> Iterator[str]:
    if conf.policy is not RestartWhen.NEVER:
        yield f"{_WHEN[conf.policy]}: at once{_growth(conf)}"
        yield f"fatal after {conf.max_restarts} in {_seconds(conf.window)}"
    if conf.success_codes != Restart().success_codes:
        yield f"exit code {' or '.join(map(str, conf.success_codes))} is success"


def _growth(conf: Restart) -> str:
    """How long it waits after ends that come early."""
    if not conf.max_delay:
        return ""
    begin = f", after failed boots in {_seconds(conf.delay)}"
    if not conf.delay or conf.factor == 1.0 or conf.delay == conf.max_delay:
        return begin
    growing = "doubling" if conf.factor == 2.0 else f"growing by {say_number(conf.factor)}"
    return f"{begin} {growing} to {_seconds(conf.max_delay)}"


def _readiness(conf: Readiness, service_type: ServiceType) -> Iterator[str]:
    within = "" if conf.deadline is None else f" within {_seconds(conf.deadline)}"
    if conf.kind is ReadinessKind.MESSAGE:
        how = "executed" if service_type is ServiceType.COMMAND else "says so"
        if within:
            yield f"ready: {how}{within}"
    elif conf.kind is ReadinessKind.TIME:
        yield f"ready: after {_seconds(conf.after)}"
    elif conf.kind is ReadinessKind.LOG:
        yield f'ready: a line like "{conf.probe.target}"{within}'
    else:
        yield f"ready: {_probe(conf.kind, conf.probe)}{within}"


def _liveness(conf: Liveness | None) -> Iterator[str]:
    if conf is None:
        return
    every = f"every {_seconds(conf.probe.every)}"
    if conf.kind is LivenessKind.HEARTBEAT:
        yield f"alive: heartbeat {every}"
    else:
        failures = "a failure" if conf.failures == 1 else f"{conf.failures} failures"
        yield f"alive: {_probe(conf.kind, conf.probe)} {every}, hung after {failures}"


def _feedback(conf: Feedback | None) -> Iterator[str]:
    if conf is not None:
        hung = "" if conf.timeout is None else f", hung after {_seconds(conf.timeout)} without"
        where = f" in {conf.file}" if conf.file else ""
        yield f"feedback{where} told at most every {_seconds(conf.every)}{hung}"


def _probe(kind: str, conf: Probe) -> str:
    return f'"{shlex.join(conf.command)}" succeeds' if kind == "command" else f"{kind} {conf.target}"


def _requires(service: TaskServiceConf) -> Iterator[str]:
    required = [f"{each.service_id} {each.condition}" for each in service.supervision.requires]
    if required:
        yield f"requires {', '.join(required)}"


def _stop(conf: Stop) -> Iterator[str]:
    if conf == Stop():
        return
    killed = "" if conf.grace is None else f", killed after {_seconds(conf.grace)}"
    yield f"stops on {conf.signal}{killed}"


def _surroundings(conf: Surroundings) -> Iterator[str]:
    who = ":".join(part for part in (conf.user, conf.group) if part)
    parts = [
        f"in {conf.cwd}" if conf.cwd else "",
        f"as {who}" if conf.user else f"with group {conf.group}" if conf.group else "",
        f"with umask {conf.umask:03o}" if conf.umask is not None else "",
        f"at niceness {conf.nice:+}" if conf.nice else "",
        f"on processors {say_cpus(conf.cpus)}" if conf.cpus else "",
        f"with {', '.join(conf.env)} set" if conf.env else "",
        *(
            f"at most {say_limit(soft)} of {name}"
            if soft == hard
            else f"{say_limit(soft)} to {say_limit(hard)} of {name}"
            for name, (soft, hard) in conf.limits.items()
        ),
    ]
    if said := [part for part in parts if part]:
        yield f"runs {', '.join(said)}"


def _output(conf: Output) -> Iterator[str]:
    usual = Output()
    if conf.stdout != usual.stdout or conf.stderr != usual.stderr:
        errors = "" if conf.stderr == "stdout" else f", errors to {conf.stderr}"
        yield f"output to {conf.stdout}{errors}"
    if (conf.max_bytes, conf.backups) != (usual.max_bytes, usual.backups):
        size = f"at {say_size(conf.max_bytes)}, {conf.backups} kept" if conf.max_bytes else "never"
        yield f"output rotated {size}"
    if not conf.show:
        yield "output not shown"


def _seconds(seconds: float) -> str:
    return f"{say_number(seconds)} s"
