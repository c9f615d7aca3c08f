"""``context-bus task``: any command as a watched task, with a reservation, a heartbeat and a history."""

from __future__ import annotations

from context_bus.cli.lazy import LazyGroup, examples

command = LazyGroup(
    "task",
    package="context_bus.cli.commands",
    prefix="task-",
    table={
        "launch": "Run a command as a watched task.",
        "list": "Show the tasks that run or are reserved, and how far they are.",
        "wait": "Wait until tasks have ended; exits with their code.",
        "feedback": "Show what a task has reported of itself.",
        "logs": "Show what a task has written, and follow it.",
        "kill": "End a task, with all that it started.",
        "killall": "End all tasks of a name.",
        "history": "Show the tasks that have ended: when, how long, and how.",
        "stats": "Sum up the history: runs, failures, how long they took.",
        "clear": "Delete what has ended from the history.",
        "reserve": "Take a task id before the launch, alone of its name if wanted.",
        "update": "Bring the durations and statuses in the database up to date.",
        "init": "Make a database of tasks, or empty one.",
    },
    help="Run any command as a watched task: with a heartbeat, a timeout, its end and a history.",
    epilog=examples("{command} launch --name backup -- sleep 0.2", "{command} list", "{command} history"),
)
