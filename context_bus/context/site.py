"""What all services of one provider are given to begin with. Must not know processes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from context_bus.config.model import ServiceType, TaskServiceConf, is_built_in
from context_bus.config.supervision import LivenessKind
from context_bus.context.adopting import Note
from context_bus.context.events import Key
from context_bus.context.feedback import VARIABLE, FeedbackFiles
from context_bus.context.instances import number_of
from context_bus.context.instructions import SpawnChild
from context_bus.context.journal import STATE_VARIABLE
from context_bus.context.logs import Logs
from context_bus.context.preloading import SERVICE
from context_bus.context.roots import Roots
from context_bus.errors import ServiceError
from context_bus.kernel.surroundings import Surroundings
from context_bus.process.asked import Wish
from context_bus.process.child import Child
from context_bus.process.freight import pack
from context_bus.process.spawn import begin, warm_up
from context_bus.service.boot import Boot, BuiltIn

#: Seconds before its kill at which a service gives up by itself: then it can still say so.
EARLIER = 0.5
#: Where the classes of our own services are. By name: no room on this floor imports another.
BUILT_IN = {"Monitor": "context_bus.monitor.service:ServiceMonitor"}


@dataclass(frozen=True, slots=True)
class Site:
    """What all services of a provider have in common.

    Args:
        listen_on: Endpoint where they listen.
        publish_to: Endpoint where they publish.
        roots: Where they may come from, and where relative paths start.
        logs: Where they write.
        grace: Seconds a service has to stop by itself.
        prepare: Called first of all in each process; must pickle.
        state: Directory of the state, by which all that services start is known; empty if there is none.
        store: URL of the database in place of the file there, for services of our own.
        insecure: Endpoints that other machines reach may be bound, for services of our own.
        feedback: Where programs write their feedback.
    """

    listen_on: str
    publish_to: str
    roots: Roots
    logs: Logs
    grace: float
    prepare: Callable[[], None] | None = None
    state: str = ""
    store: str = field(default="", repr=False)
    insecure: bool = False
    feedback: FeedbackFiles = field(default_factory=FeedbackFiles)

    def boot(self, order: SpawnChild) -> Boot:
        """What one service is given.

        Raises:
            ServiceError: It comes from where services may not come from.
        """
        refusal = self.roots.refuse(order.conf)
        if refusal:
            raise ServiceError(refusal)
        return Boot(
            order.conf,
            order.key.transaction,
            self.listen_on,
            self.publish_to,
            location=str(self.roots.resolve(order.conf)),
            run_now=order.run_now,
            grace=self.grace_of(order.conf),
            heartbeat=_heartbeat(order.conf),
            prepare=self.prepare,
            built_in=self._built_in(order.conf),
        )

    def _built_in(self, conf: TaskServiceConf) -> BuiltIn | None:
        """What a service of our own is given besides; None for any other."""
        name = BUILT_IN.get(conf.instance, "") if is_built_in(conf) else ""
        return BuiltIn(name, self.roots.file, self.state, self.store, self.insecure) if name else None

    def grace_of(self, conf: TaskServiceConf) -> float:
        """Seconds a service has to end by itself before it is killed from outside."""
        own = conf.supervision.stop.grace
        return self.grace if own is None else max(0.1, own - EARLIER)

    @staticmethod
    def beats(conf: TaskServiceConf) -> bool:
        """Whether the process of a service is to send heartbeats."""
        return _heartbeat(conf) > 0.0

    def begin(self, order: SpawnChild, stdout: int, stderr: int) -> Future[Child]:
        """Order the process of a service; the future fails with ProcessError if it cannot be executed.

        Raises:
            ServiceError: It comes from where services may not come from.
        """
        conf, surroundings = order.conf, self.surroundings(order.key, order.conf)
        note = Note("service", *order.key, order.incarnation).text()
        streams = {"stdout": stdout, "stderr": stderr}
        if conf.service_type is ServiceType.COMMAND:
            return begin(Wish(conf.id, conf.command, None, surroundings, streams, note=note))
        from context_bus.service.host import run_service  # a provider of programs does without

        warm_up(SERVICE)
        freight = pack(run_service, (self.boot(order),))
        return begin(Wish(conf.id, (), freight, surroundings, streams, note=note))

    def surroundings(self, key: Key, conf: TaskServiceConf) -> Surroundings:
        """What the process of a service runs in; a program also learns what a Python service is told."""
        given = conf.supervision.surroundings
        own = {STATE_VARIABLE: self.state} if self.state else {}
        if conf.service_type is not ServiceType.COMMAND:
            cwd = str(self.roots.home / given.cwd) if given.cwd else ""
            return replace(given, cwd=cwd, env={**own, **given.env})
        env = {
            **own,
            "CONTEXT_BUS_TRANSACTION": key.transaction,
            "CONTEXT_BUS_SERVICE": key.service_id,
            "CONTEXT_BUS_INSTANCE": str(number_of(key.service_id)),
            "CONTEXT_BUS_PUBLISH_TO": self.publish_to,
            "CONTEXT_BUS_LISTEN_ON": self.listen_on,
            **given.env,
            **({VARIABLE: str(file)} if (file := self.feedback_file(key, conf)) else {}),
        }
        return replace(given, cwd=str(self.roots.home / given.cwd), env=env)


    def feedback_file(self, key: Key, conf: TaskServiceConf) -> Path | None:
        """The file into which a program writes its feedback; None if nobody would read it."""
        given = conf.supervision.feedback
        if given is None or conf.service_type is not ServiceType.COMMAND:
            return None
        return self.roots.home / given.file if given.file else self.feedback.of(key)


def _heartbeat(conf: TaskServiceConf) -> float:
    liveness = conf.supervision.liveness
    return liveness.probe.every if liveness and liveness.kind is LivenessKind.HEARTBEAT else 0.0
