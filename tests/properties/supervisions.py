"""Every way to be kept that a file can say: strategies for the model of ``<supervision>``."""

from __future__ import annotations

from hypothesis import strategies as st

from context_bus.config.model import ServiceType
from context_bus.config.process_reader import LIMITS
from context_bus.config.supervision import (
    Condition,
    Feedback,
    Liveness,
    LivenessKind,
    Output,
    Probe,
    Readiness,
    ReadinessKind,
    Requirement,
    Restart,
    RestartWhen,
    Stop,
    Supervision,
)
from context_bus.kernel.surroundings import Surroundings

_CHARACTERS = st.characters(min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
#: Text with outer blanks, as the words of a command may have.
RAW = st.text(_CHARACTERS | st.sampled_from("\t\n\r <>&\"'\\$#="), max_size=12)
TEXT = RAW.map(str.strip)
FILLED = TEXT.map(lambda text: text or "filled")
SECONDS = st.floats(0.0, 1e6)
PERIOD = st.floats(1e-6, 1e6)
COMMAND = st.tuples(RAW.filter(bool), st.lists(RAW, max_size=3)).map(lambda parts: (parts[0], *parts[1]))
TARGETS = {
    "tcp": st.sampled_from(["127.0.0.1:80", "[::1]:1", "localhost:65535"]),
    "http": st.sampled_from(["http://127.0.0.1/", "https://localhost:8080/a?b=c&d"]),
    "log": st.sampled_from(["up", r"<ready> \d+ \"&", "é|ß"]),
}
PLACE = st.sampled_from(["log", "inherit", "null"]) | FILLED.map(lambda text: f"./{text}")
VARIABLE = TEXT.map(lambda text: text.replace("=", "") or "A").map(str.strip).filter(bool)
LIMIT = st.integers(0, 2**40).flatmap(
    lambda soft: st.tuples(st.just(soft), st.integers(soft, 2**40) | st.just(-1))
) | st.just((-1, -1))


@st.composite
def restarts(draw: st.DrawFn) -> Restart:
    delay, max_delay = sorted((draw(SECONDS), draw(SECONDS)))
    return Restart(
        draw(st.sampled_from(RestartWhen)),
        delay,
        draw(st.floats(1.0, 100.0)),
        max_delay,
        draw(st.floats(0.0, 1.0)),
        draw(st.integers(1, 100)),
        draw(PERIOD),
        draw(SECONDS),
        draw(st.lists(st.integers(0, 255), min_size=1, max_size=3, unique=True).map(tuple)),
    )


@st.composite
def probes(draw: st.DrawFn, kind: str) -> Probe:
    target = draw(TARGETS[kind]) if kind in TARGETS else ""
    command = draw(COMMAND) if kind == "command" else ()
    return Probe(target, command, draw(PERIOD), draw(PERIOD))


@st.composite
def readinesses(draw: st.DrawFn, kinds: list[ReadinessKind]) -> Readiness:
    kind = draw(st.sampled_from(kinds))
    after = draw(PERIOD) if kind is ReadinessKind.TIME else 0.0
    deadline = draw(st.none() | PERIOD.map(lambda more: after + more))
    return Readiness(kind, draw(probes(kind)), after, deadline)


@st.composite
def livenesses(draw: st.DrawFn, kinds: list[LivenessKind]) -> Liveness | None:
    kind = draw(st.sampled_from([None, *kinds]))
    return kind and Liveness(kind, draw(probes(kind)), draw(st.integers(1, 9)))


SURROUNDINGS = st.builds(
    Surroundings,
    cwd=TEXT,
    env=st.dictionaries(VARIABLE, TEXT, max_size=3),
    user=TEXT,
    group=TEXT,
    umask=st.none() | st.integers(0, 0o777),
    nice=st.integers(-20, 19),
    cpus=st.sets(st.integers(0, 99), max_size=5).map(sorted).map(tuple),
    limits=st.dictionaries(st.sampled_from(LIMITS), LIMIT, max_size=2),
)
OUTPUT = st.builds(
    Output,
    PLACE,
    PLACE | st.just("stdout"),
    st.integers(0, 2**40) | st.integers(0, 99).map(lambda number: number * 2**20),
    st.integers(0, 99),
    st.booleans(),
)
FEEDBACK = st.none() | PERIOD.flatmap(
    lambda every: st.builds(
        Feedback, st.none() | st.floats(1e-3, 1e6).map(lambda more: every + more), st.just(every), TEXT
    )
)
STOP = st.builds(Stop, st.sampled_from(["SIGTERM", "SIGINT", "SIGUSR1"]), st.none() | SECONDS)


@st.composite
def supervisions(
    draw: st.DrawFn,
    service_type: ServiceType = ServiceType.PROCESS,
    others: tuple[tuple[str, RestartWhen], ...] = (),
) -> Supervision:
    """One that a service of this type can have.

    Args:
        draw: Of hypothesis.
        service_type: What carries it.
        others: Ids that it may require, with their policies.
    """
    if draw(st.booleans()):
        return Supervision()
    is_thread = service_type is ServiceType.THREAD
    output = Output() if is_thread else draw(OUTPUT)
    is_read = not is_thread and {output.stdout, output.stderr} - {"stdout", "null", "inherit"}
    feedback = draw(FEEDBACK) if service_type is ServiceType.COMMAND else None
    restart = draw(restarts())
    never_due = restart.policy is RestartWhen.ALWAYS
    return Supervision(
        restart=restart,
        readiness=draw(
            readinesses([kind for kind in ReadinessKind if is_read or kind is not ReadinessKind.LOG])
        ),
        liveness=draw(
            livenesses(
                [
                    kind
                    for kind in LivenessKind
                    if service_type is ServiceType.PROCESS or kind is not LivenessKind.HEARTBEAT
                ]
            )
        ),
        stop=draw(STOP),
        requires=tuple(draw(requirements(others))),
        surroundings=Surroundings() if is_thread else draw(SURROUNDINGS),
        output=output,
        feedback=feedback,
        instances=1 if is_thread or (feedback and feedback.file) else draw(st.integers(1, 3)),
        schedule="" if never_due else draw(st.sampled_from(["", "*/5 * * * *", "0 0 29 2 MON"])),
    )


@st.composite
def requirements(draw: st.DrawFn, others: tuple[tuple[str, RestartWhen], ...]) -> list[Requirement]:
    found = []
    for service_id, policy in others:
        conditions = [each for each in Condition if each is not Condition.COMPLETED or policy != "always"]
        if draw(st.booleans()):
            found.append(Requirement(service_id, draw(st.sampled_from(conditions))))
    return found
