"""The life of one supervised child, whatever it is. Pure: knows the state machine glue only.

A state says what there is (a process or none) and who moves next; why it came to be stands in the record.
"""

from __future__ import annotations

from enum import StrEnum

from context_bus.kernel.machine import Row, StateTable


class State(StrEnum):
    """Where a child stands."""

    STOPPED = "stopped"  # no process, and none is wanted
    WAITING = "waiting"  # wanted, but what it requires is not so far
    STARTING = "starting"  # a process was asked for and does not exist yet
    WARMING = "warming"  # the process exists and is not ready yet
    RUNNING = "running"  # ready
    STOPPING = "stopping"  # told to end, the process has not ended yet
    BACKOFF = "backoff"  # ended by itself, is started again after a delay
    EXITED = "exited"  # ended by itself, and by its policy stays so
    FATAL = "fatal"  # given up: only a command starts it again


#: States with a process behind them, or one that was asked for.
ALIVE = frozenset({State.STARTING, State.WARMING, State.RUNNING, State.STOPPING})
#: States without a process.
DOWN = frozenset(State) - ALIVE
#: States that wait for somebody or something, so each has an exit that needs no command.
TRANSIENT = frozenset({State.WAITING, State.STARTING, State.WARMING, State.STOPPING, State.BACKOFF})
#: States that last until a command.
RESTING = frozenset({State.STOPPED, State.EXITED, State.FATAL})
#: Triggers that come from a command; all others are what happens.
COMMANDS = frozenset({"start", "stop"})

_BORN = (State.WARMING, State.RUNNING)
_OBEYING = (State.STARTING, *_BORN)

#: The table; whoever supervises runs on it and the page in doc/ is drawn from it.
TABLE: StateTable[State] = StateTable(
    State,
    State.STOPPED,
    [
        Row("start", (State.STOPPED, State.EXITED, State.FATAL, State.BACKOFF), State.WAITING),
        Row("admit", (State.WAITING,), State.STARTING, "all it requires is so far"),
        Row("block", (State.WAITING,), State.FATAL, "what it requires has failed for good"),
        Row("exist", (State.STARTING,), State.WARMING, "its process exists"),
        Row("ready", (State.WARMING,), State.RUNNING, "is ready"),
        Row("stop", _OBEYING, State.STOPPING, "stop or restart"),
        Row("stop", (State.WAITING, State.BACKOFF, State.EXITED, State.FATAL), State.STOPPED),
        Row("condemn", _BORN, State.STOPPING, "not ready in time, or hung"),
        Row("retry", (*_OBEYING, State.STOPPING), State.BACKOFF, "ended, is started again"),
        Row("elapse", (State.BACKOFF,), State.WAITING, "the delay is over"),
        Row("exit", _BORN, State.EXITED, "ended, stays so"),
        Row("give_up", (*_OBEYING, State.STOPPING), State.FATAL, "failed too often, or for good"),
        Row("end", (State.STOPPING,), State.STOPPED, "ended as told"),
        Row("relaunch", (State.STOPPING,), State.WAITING, "ended, a restart was asked for"),
    ],
)


def mermaid() -> str:
    """The diagram of a child's life."""
    return TABLE.mermaid()
