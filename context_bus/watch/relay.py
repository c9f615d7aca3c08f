"""Which signals of a launcher are for its command. Pure; must not know processes."""

from __future__ import annotations

import signal

from context_bus.process.signalfile import SI_KERNEL

#: Signals by which a launcher is told to end: its command is ended gracefully.
ENDING = frozenset({signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
#: Signals that are for the command and nobody else.
PASSED = frozenset({signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2})
#: Signals by which a terminal stops a launcher, as all of its group.
STOPPING = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})


class Relay:
    """Tells what a signal to the launcher is to its command."""

    def __init__(self) -> None:
        self._interrupts = 0

    def meaning(self, number: int, code: int) -> int:
        """What to do about a signal.

        Args:
            number: Which.
            code: Where it came from, as ``si_code`` of sigaction(2).

        Returns:
            The signal to pass on, SIGKILL to end the command at once; 0 for none.
        """
        if number != signal.SIGINT:
            return number
        self._interrupts += 1
        if self._interrupts > 1:
            return signal.SIGKILL
        # Ctrl-C goes to the whole group of processes in the terminal, and the command is one of it.
        return 0 if code == SI_KERNEL else number
