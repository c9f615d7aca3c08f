"""The life of one task service as its context sees it. Pure: knows the state machine glue only.

A state says what there is (a process or none); the word in the record and on the wire follows from it,
since older tools know fewer words than there are states.
"""

from __future__ import annotations

from enum import StrEnum

from context_bus.kernel.machine import Row, StateTable


class State(StrEnum):
    """Where a service stands."""

    DEFINED = "defined"  # known, never started
    WAITING = "waiting"  # to be started: when what it requires is there, at its time, or when told to run
    STARTING = "starting"  # a process was asked for and has not reported yet
    CREATED = "created"  # the process is ready and waits to be told to run
    WARMING = "warming"  # the task runs; whether it is ready is being asked
    STARTED = "started"  # the task runs and is ready
    UPDATED = "updated"  # the task runs and has reported a result
    STOPPING = "stopping"  # told to stop, the process has not ended yet
    ENDING = "ending"  # said its last word by itself, the process has not ended yet
    STOPPED = "stopped"  # ended because it was told to
    EXITED = "exited"  # ended by itself, as planned
    FAILED = "failed"  # ended by failure, or could not start
    BACKOFF = "backoff"  # failed, and will be started again after a delay
    FATAL = "fatal"  # failed too often: only a command starts it again


#: States with a process (or a thread) behind them.
ALIVE = frozenset(
    {
        State.STARTING,
        State.CREATED,
        State.WARMING,
        State.STARTED,
        State.UPDATED,
        State.STOPPING,
        State.ENDING,
    }
)
#: States in which the task runs and is ready.
RUNNING = frozenset({State.STARTED, State.UPDATED})
#: States without a process.
DOWN = frozenset(State) - ALIVE
#: States without a process that end by themselves in a start.
PENDING = frozenset({State.WAITING, State.BACKOFF})
#: States after a failure that nobody has looked into.
BROKEN = frozenset({State.FAILED, State.FATAL})
#: States that wait for somebody, so each has a deadline.
TRANSIENT = frozenset({State.STARTING, State.WARMING, State.STOPPING, State.ENDING})

_HARMLESS = (State.DEFINED, State.STOPPED, State.EXITED)
_RESTING = (*_HARMLESS, State.FAILED, State.FATAL)
_OBEYING = (State.STARTING, State.CREATED, State.WARMING, State.STARTED, State.UPDATED)

#: The table; the machine runs on it and the page in doc/ is drawn from it.
TABLE: StateTable[State] = StateTable(
    State,
    State.DEFINED,
    [
        Row("launch", (*_RESTING, State.WAITING, State.BACKOFF), State.STARTING, "start"),
        Row("hold", (*_RESTING, State.BACKOFF), State.WAITING, "start, but not yet"),
        Row("report_created", (State.STARTING,), State.CREATED, "reports created"),
        Row("tell_run", (State.CREATED,), State.STARTING, "start"),
        Row("warm", (State.STARTING, State.CREATED), State.WARMING, "runs, to be probed"),
        Row("report_started", (State.STARTING, State.CREATED, State.WARMING), State.STARTED, "ready"),
        Row("report_updated", (State.STARTED, State.UPDATED), State.UPDATED, "reports updated"),
        Row("tell_stop", _OBEYING, State.STOPPING, "stop, restart, hung, or a deadline passed"),
        Row("report_end", _OBEYING, State.ENDING, "reports stopped or failed"),
        Row("end_stopped", (*_OBEYING, State.STOPPING, State.ENDING), State.STOPPED, "ended as told"),
        Row("end_exited", (*_OBEYING, State.ENDING), State.EXITED, "ended by itself"),
        Row("end_failed", (*_OBEYING, State.STOPPING, State.ENDING), State.FAILED, "failed"),
        Row("back_off", (State.EXITED, State.FAILED), State.BACKOFF, "again, after a delay"),
        Row("give_up", (State.EXITED, State.FAILED), State.FATAL, "failed too often"),
        Row("block", (State.WAITING,), State.FAILED, "what it requires has failed"),
        Row("call_off", (State.WAITING, State.BACKOFF), State.STOPPED, "stop"),
        Row("settle", (State.FAILED, State.FATAL), State.STOPPED, "stop"),
        Row("cut", (*_HARMLESS, State.WAITING, State.BACKOFF), State.FAILED, "started too often"),
    ],
)

_MACHINE = TABLE.machine()
#: States by their names in the machine.
_STATES = {str(state): state for state in State}

#: What the record shows for a state: its ``action`` and its ``state``.
WORDS: dict[State, tuple[str, str]] = {
    State.DEFINED: ("defined", "success"),
    State.WAITING: ("start", "in_progress"),
    State.STARTING: ("start", "in_progress"),
    State.CREATED: ("created", "success"),
    State.WARMING: ("start", "in_progress"),
    State.STARTED: ("started", "success"),
    State.UPDATED: ("updated", "success"),
    State.STOPPING: ("stop", "in_progress"),
    State.ENDING: ("stop", "in_progress"),
    State.STOPPED: ("stopped", "success"),
    State.EXITED: ("stopped", "success"),
    State.FAILED: ("failed", "failure"),
    State.BACKOFF: ("failed", "failure"),
    State.FATAL: ("failed", "failure"),
}


class Lifecycle:
    """The state of one service; it moves along ``TABLE`` and in no other way."""

    state: str

    def __init__(self) -> None:
        # Not a model that the machine knows: it would keep each for ever, and give it thirty methods.
        _MACHINE.set_state(str(TABLE.initial), self)

    @property
    def now(self) -> State:
        """The state as an enumeration."""
        return _STATES[self.state]

    def fire(self, trigger: str) -> State:
        """Follow a row of the table.

        Returns:
            The new state.

        Raises:
            transitions.MachineError: The table has no such row; a fault of the caller.
        """
        _MACHINE.events[trigger].trigger(self)
        return self.now

    def become(self, state: State) -> None:
        """Be in a state that was reached elsewhere: the service outlived whoever led it there."""
        _MACHINE.set_state(str(state), self)


def mermaid() -> str:
    """The diagram of a service's life."""
    return TABLE.mermaid()
