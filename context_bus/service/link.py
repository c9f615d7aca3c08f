"""What joins a task with the bus. Knows the bus and reports; must not know the host."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping

from context_bus.bus.publisher import Publisher
from context_bus.bus.requests import Requester
from context_bus.bus.sockets import LINGER, new_context, released_on_failure
from context_bus.bus.subscriber import Subscriber
from context_bus.errors import BusError, NotConnected, ServiceError
from context_bus.kernel.ids import new_request
from context_bus.service.boot import Boot
from context_bus.service.reports import (
    CONTROL_TOPIC,
    ControlContent,
    Report,
    lifecycle_content,
    update_content,
)
from context_bus.service.stopping import Stopping

#: Verbs that only the framework sends: they say what it has seen to be true.
_RESERVED = frozenset(Report) - {Report.UPDATED}

#: Sockets that a link makes at most: publisher, inbox, the listener of a barrier, handlers with a
#: socket for each topic that conflates, and some of libzmq's own.
_MAX_SOCKETS = 1024


class ServiceLink:
    """The link of one service that runs.

    Args:
        boot: Who the service is and where the bus is.
    """

    def __init__(self, boot: Boot) -> None:
        conf = boot.conf
        self.transaction = boot.transaction
        self.service_id = conf.id
        self.service_name = conf.service_name
        self.device_action = conf.device_action
        self.logger = logging.getLogger(f"service.{conf.id}")
        self.stopping = Stopping()
        self._listen_on = boot.listen_on
        self._timeout = boot.connect_timeout
        self._zmq_context = new_context(_MAX_SOCKETS)
        #: What all threads of the service send goes through this one, and so keeps its order.
        with released_on_failure(self._zmq_context):
            self.publisher = Publisher(
                boot.publish_to,
                service_id=conf.id,
                service_name=conf.service_name,
                transaction=boot.transaction,
                zmq_context=self._zmq_context,
            )
        self._lock = threading.Lock()
        self._requester: Requester | None = None
        self._has_joined = False
        self._has_ended = False

    def connect(self) -> None:
        """Wait until reports reach whoever listens to them.

        Raises:
            NotConnected: Nobody listens on topic ``control`` in time.
        """
        try:
            self.publisher.wait_for_subscriber(CONTROL_TOPIC, self._timeout)
        except BusError:
            raise NotConnected(
                f"no provider listens on the bus at {self.publisher.endpoint} within {self._timeout:g} s"
            ) from None

    def _join(self) -> None:
        """Wait, once, until all topics that anybody listens to are known here.

        A new publisher is told of them in any order, and would drop what it sends too soon. A filter
        that only we know comes after them all. Reports do without: `connect` waits for their topic, and
        what every service does, every other service is told of.
        """
        with self._lock:
            if self._has_joined:
                return
            tag = f"barrier.{new_request()}"
            with Subscriber(self._listen_on, zmq_context=self._zmq_context) as listener:
                listener.subscribe(tag)
                self.publisher.wait_for_subscriber(tag, self._timeout)
            self._has_joined = True

    def notify(self, action: str, result: str, items: Mapping[str, object]) -> None:
        """Report on topic ``control``.

        Raises:
            ServiceError: The verb is the framework's.
            SendTimeout: The forwarder did not take it.
        """
        if action in _RESERVED:
            raise ServiceError(
                f"notify({action!r}) is for the framework: return from run() to stop, raise to fail, "
                "or report notify('updated', result='failed')"
            )
        self.send(action, update_content(result, self.device_action, items))

    def report(self, report: Report, *, commanded: bool = False, reason: str = "", where: str = "") -> None:
        """Report a step of the lifecycle."""
        content = lifecycle_content(
            report, self.device_action, commanded=commanded, reason=reason, where=where
        )
        self.send(report, content)

    def send(self, action: str, content: ControlContent) -> None:
        """Send a report as it is; after `end` only the framework's last word goes out."""
        if self._has_ended and action not in (Report.STOPPED, Report.FAILED):
            raise ServiceError(f"service {self.service_id} has ended; {action!r} was not sent")
        self.publisher.publish(CONTROL_TOPIC, content, action=action)

    def publish(self, topic: str, content: object, action: str) -> None:
        """Send a message to whoever subscribes."""
        self._check_alive(topic)
        if not self._has_joined:
            self._join()
        self.publisher.publish(topic, content, action=action)

    def keep(self, topics: tuple[str, ...]) -> None:
        """Keep the last message of topics for those who join late."""
        self.publisher.keep(*topics)

    def request(self, topic: str, content: object, timeout: float, reply_type: type[object] | None) -> object:
        """Send a message and wait for its answer."""
        self._check_alive(topic)
        if not self._has_joined:
            self._join()
        requester = self._get_requester(timeout)
        return requester.request(topic, content, action="request", timeout=timeout, type_=reply_type)

    async def request_async(
        self, topic: str, content: object, timeout: float, reply_type: type[object] | None
    ) -> object:
        """Send a message and wait for its answer without blocking the loop."""
        return await asyncio.to_thread(self.request, topic, content, timeout, reply_type)

    def _get_requester(self, timeout: float) -> Requester:
        with self._lock:
            if self._requester is None:
                requester = Requester(self.publisher, self._listen_on, self._zmq_context)
                try:
                    requester.connect(timeout)
                except BusError:
                    requester.close()
                    raise
                self._requester = requester
            return self._requester

    def _check_alive(self, topic: str) -> None:
        if self._has_ended:
            raise ServiceError(f"service {self.service_id} has ended; nothing was sent to topic {topic!r}")

    def end(self) -> None:
        """Let nothing more of the service's own go out: what comes next is its last word."""
        self._has_ended = True

    def close(self, *, by_force: bool = False) -> None:
        """Leave the bus; returns when what was sent has left, or a second later.

        Args:
            by_force: Close the sockets of handlers, too, that did not end: they would be waited for.
        """
        self._has_ended = True
        if self._requester is not None:
            self._requester.close()
        self.publisher.close(LINGER)
        if by_force:
            self._zmq_context.destroy()
        else:
            self._zmq_context.term()
