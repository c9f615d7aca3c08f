"""Tells the bus what becomes of a task, as services do on topic ``control``. Knows the bus; holds nobody up.

All of it happens in a thread of its own, which also imports what it needs: whoever watches a command must
never wait for a bus that is away, full or slow. Reports wait in line until somebody is known to listen, so
none is lost because the connection was not up yet; the line holds the start, the newest feedback and the
end, whatever comes meanwhile.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from context_bus.kernel.closing import Closing
from context_bus.watch.values import Outcome

if TYPE_CHECKING:
    from context_bus.bus.publisher import Publisher
    from context_bus.watch.values import Ending

#: ``device_action`` of all reports of tasks, by which listeners tell them from those of services.
DEVICE_ACTION = "task"
#: Seconds between two reports of feedback; what comes faster is told by the next one.
EVERY = 0.1
#: Seconds from the beginning within which a bus that is there has answered; a task that ends sooner waits.
HEARD_WITHIN = 1.0
#: Seconds that are left to be heard to a task that ends later.
LAST_CHANCE = 0.1
#: Seconds without a listener after which that is said.
SAID_AFTER = 5.0
#: Seconds that what was sent has to leave at the end.
LINGER = 1.0
#: Seconds one send waits for a bus that takes nothing, before the line is looked at again.
SEND_TIMEOUT = 0.25
#: Messages that may wait in a socket for a bus that is slow; older feedback interests nobody.
HWM = 100
#: Sockets of the zmq context: the publisher's, and some of libzmq's own.
_MAX_SOCKETS = 16
#: Seconds beyond all of these that the thread has to end: importing may be slow on a busy machine.
_MARGIN = 2.0

_UPDATED = "updated"


class Subject(Protocol):
    """What is told of a task; a row of the running tasks is one."""

    @property
    def id(self) -> int:
        """Id of the task."""
        ...

    @property
    def name(self) -> str | None:
        """Its name."""
        ...

    @property
    def pid(self) -> int | None:
        """Process id of its command."""
        ...


class Word(NamedTuple):
    """One report: its verb and its status."""

    action: str
    status: dict[str, object]


class Teller(Closing):
    """Reports one task on topic ``control``; no call waits but ``close``, and that not for long.

    Make it when the command is born: no process may be forked from here on.

    Args:
        endpoint: Where publishers connect (the context's ``BackendEndpoint``).
        task: Whom to report; ``service_id`` is ``task_<id>``, ``service_name`` the task's name.
        transaction: ``service_transaction`` of the reports; a task by itself belongs to none.
        say: Told, once and from another thread, that the reports are not heard.
    """

    def __init__(
        self, endpoint: str, task: Subject, *, transaction: str = "", say: Callable[[str], None] | None = None
    ) -> None:
        self._service_id, self._pid = f"task_{task.id}", task.pid
        self._values: dict[str, str] | None = None
        name = task.name or self._service_id
        self._mouth = _Mouth(endpoint, self._service_id, name, transaction, say or _warn)

    def started(self) -> None:
        """The command runs."""
        self._mouth.put(Word("started", self._status("success")))

    def updated(self, values: Mapping[str, str]) -> None:
        """There is feedback; its values go into the status, where they may replace ``result``.

        The same values again are no news, and not told.
        """
        if values == self._values:
            return
        self._values = dict(values)
        status: dict[str, object] = {"device_action": DEVICE_ACTION, "result": "success"}
        self._mouth.put(Word(_UPDATED, status | {_clean(key): _clean(text) for key, text in values.items()}))

    def failed(self, reason: str, exitcode: int | None = None, signal: str = "") -> None:
        """The command failed, or was ended as a failure.

        Args:
            reason: Why, in one line.
            exitcode: Its exit code; None if it has none.
            signal: Name of the signal that ended it; empty if none did.
        """
        status = self._status("failure") | {"reason": _clean(reason)}
        if exitcode is not None:
            status["exit_code"] = exitcode
        if signal:
            status["signal"] = signal
        self._mouth.put(Word("failed", status))

    def stopped(self, *, commanded: bool = False, reason: str = "") -> None:
        """The command ended well, or because somebody asked for its end."""
        status = self._status("success")
        if commanded:
            status["commanded"] = True
        if reason:
            status["reason"] = _clean(reason)
        self._mouth.put(Word("stopped", status))

    def ended(self, ending: Ending) -> None:
        """The task ended, in whichever way: well, on request, or as a failure."""
        is_killed = ending.outcome is Outcome.KILLED
        if is_killed or ending.outcome is Outcome.DONE:
            self.stopped(commanded=is_killed, reason=ending.termerror)
        else:
            self.failed(ending.termerror, ending.exitcode, ending.termsignal)

    def close(self) -> None:
        """Send what is left to say, and end: in about a second at most, whatever the bus does."""
        self._mouth.close()

    @property
    def merged(self) -> int:
        """Feedback that was not told, because newer came before it could be."""
        return self._mouth.merged

    @property
    def unsent(self) -> int:
        """Reports that nobody on the bus can have got; final once closed."""
        return len(self._mouth.line)

    def _status(self, result: str) -> dict[str, object]:
        status: dict[str, object] = {"device_action": DEVICE_ACTION, "result": result}
        return status | {"pid": self._pid} if self._pid else status


class _Mouth:
    """The line of reports, and the thread that sends them."""

    def __init__(
        self, endpoint: str, service_id: str, name: str, transaction: str, say: Callable[[str], None]
    ) -> None:
        self._endpoint, self._service_id, self._name = endpoint, service_id, name
        self._transaction, self._say = transaction, say
        self.line: list[Word] = []
        self.merged = 0
        self._lock = threading.Lock()
        self._has_said = False
        self._began = time.monotonic()
        self._next_update = -math.inf
        self._closing_at = math.inf
        self._is_closed = False
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="task-teller", daemon=True)
        self._thread.start()

    # -- for the watcher -------------------------------------------------------------------------

    def put(self, word: Word) -> None:
        """Put a report in line; of feedback in a row only the newest stays there."""
        with self._lock:
            if word.action == _UPDATED and self.line and self.line[-1].action == _UPDATED:
                self.line.pop()
                self.merged += 1
            self.line.append(word)
        self._ring()

    def close(self) -> None:
        """End; safe to repeat."""
        if self._is_closed:
            return
        self._closing_at = time.monotonic()
        self._ring()
        self._thread.join(HEARD_WITHIN + SEND_TIMEOUT + LINGER + _MARGIN)
        self._is_closed = True
        if not self._thread.is_alive():  # else it still waits for the bell; it ends with this process
            os.close(self._bell)

    def _ring(self) -> None:
        if not self._is_closed:
            os.eventfd_write(self._bell, 1)

    # -- its thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        # Signals are for the thread that waits for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        import zmq

        from context_bus.bus.publisher import Publisher
        from context_bus.bus.sockets import new_context, released_on_failure
        from context_bus.errors import BusError

        context = new_context(_MAX_SOCKETS)
        try:
            with released_on_failure(context):
                publisher = Publisher(
                    self._endpoint,
                    service_id=self._service_id,
                    service_name=self._name,
                    transaction=self._transaction,
                    send_timeout=SEND_TIMEOUT,
                    hwm=HWM,
                    zmq_context=context,
                )
        except (BusError, OSError, zmq.ZMQError) as error:  # malformed, or no means for a socket
            self._say_once(str(error))
            return
        self._began = time.monotonic()
        self._attend(publisher)
        left = max(LAST_CHANCE, self._closing_at + LINGER - time.monotonic())
        publisher.close(left)
        began = time.monotonic()
        context.term()
        if time.monotonic() - began >= left:
            self._say_once(f"the bus at {self._endpoint} did not take all reports in time")

    def _attend(self, publisher: Publisher) -> None:
        """Send what comes, until all is said."""
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        poll.register(publisher.audience.descriptor, select.POLLIN)
        while True:
            publisher.audience.refresh()  # sending may have taken the signal of news off the descriptor
            is_heard = publisher.audience.reaches("control")
            if is_heard:
                self._send(publisher)
            left = self._left(time.monotonic(), is_heard)
            if left is None:
                return
            poll.poll(None if left == math.inf else math.ceil(left * 1000))
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._bell)

    def _send(self, publisher: Publisher) -> None:
        """Send what is due, as far as the bus takes it."""
        from context_bus.errors import SendTimeout

        while (word := self._take(time.monotonic())) is not None:
            try:
                publisher.publish("control", {"status": word.status}, action=word.action)
            except SendTimeout:
                self._put_back(word)
                return
            if word.action == _UPDATED:
                self._next_update = time.monotonic() + EVERY

    def _take(self, now: float) -> Word | None:
        """Take the next report out of the line, if it is due."""
        with self._lock:
            if not self.line:
                return None
            if now < self._next_update and self._closing_at == math.inf and self._is_only_feedback():
                return None
            return self.line.pop(0)

    def _is_only_feedback(self) -> bool:
        return [word.action for word in self.line] == [_UPDATED]

    def _put_back(self, word: Word) -> None:
        with self._lock:
            if word.action == _UPDATED and self.line and self.line[0].action == _UPDATED:
                self.merged += 1
            else:
                self.line.insert(0, word)

    def _left(self, now: float, is_heard: bool) -> float | None:
        """Seconds until there is something to do; None when there is nothing more."""
        closing = self._closing_at
        if not self.line:
            return math.inf if closing == math.inf else None
        if is_heard:
            if now >= closing + LINGER:
                self._say_once(f"the bus at {self._endpoint} takes no reports")
                return None
            return max(0.0, self._next_update - now) if closing == math.inf else 0.0
        end = max(self._began + HEARD_WITHIN, closing + LAST_CHANCE)
        due = min(end, self._began + SAID_AFTER) if not self._has_said else end
        if now >= due:
            self._say_once(f"nobody listens to its reports on the bus at {self._endpoint}")
        return None if now >= end else max(0.0, min(end, math.inf if self._has_said else due) - now)

    def _say_once(self, reason: str) -> None:
        if not self._has_said:
            self._has_said = True
            self._say(f"{self._service_id.replace('_', ' ')} is not reported: {reason}; it runs all the same")


def _clean(text: str) -> str:
    """Text that can go onto the wire: what was no UTF-8 in a file is replaced."""
    return text.encode(errors="replace").decode()


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
