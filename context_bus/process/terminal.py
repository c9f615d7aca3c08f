"""Shows the lines of many children on one terminal, each behind its name. Must not know children.

Nobody waits for a terminal: each name has a queue of its own, so that one that floods takes no place from
the others, and what does not fit is dropped and counted.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import zlib
from collections import deque

#: Bytes one name may have waiting for the terminal; beyond that its lines are dropped.
LANE_BYTES = 128 * 1024
#: Bytes of one name that are shown before it is the turn of the next.
TURN_BYTES = 8 * 1024
#: Bytes after which a line is cut.
LONGEST_LINE = 64 * 1024
#: Bytes of lines that get their prefix at once.
_PIECE = 16 * 1024
#: Bytes written at once to what can only be asked whether it takes some.
_CAREFUL = 512
#: Foreground colours of names: all but black, white, and the red of errors.
_COLOURS = (32, 33, 34, 35, 36, 92, 93, 94, 95, 96)


class Outlet:
    """A descriptor that is written to without ever waiting, and without changing it for its other users.

    Args:
        descriptor: Terminal, pipe, file or socket of somebody else; taken over.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        mode = os.fstat(descriptor).st_mode
        self.can_wait = not stat.S_ISREG(mode)
        self._socket = socket.socket(fileno=descriptor) if stat.S_ISSOCK(mode) else None
        self._is_careful = False
        if self._socket is None and self.can_wait:
            self._open_again()

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._descriptor

    def write(self, data: bytes) -> int:
        """Write what is taken at once; returns the bytes.

        Raises:
            OSError: It is gone.
        """
        try:
            if self._socket is not None:
                return self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            if self._is_careful:
                poller = select.poll()
                poller.register(self._descriptor, select.POLLOUT)
                return os.write(self._descriptor, data[:_CAREFUL]) if poller.poll(0) else 0
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0

    def _open_again(self) -> None:
        # O_NONBLOCK belongs to what was opened, not to the descriptor: set on the terminal of a shell it
        # would break every program there. What is opened anew is ours.
        try:
            own = os.open(
                f"/proc/self/fd/{self._descriptor}",
                os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC,
            )
        except OSError:  # a terminal of another user
            self._is_careful = True
            return
        os.close(self._descriptor)
        self._descriptor = own


class Lane:
    """What one name has to show."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()
        self.waiting = bytearray()
        self.partial = bytearray()
        self.unseen = 0
        self.is_cut = False


class Terminal:
    """Shows lines; what cannot be shown in time is counted.

    Args:
        outlet: Where they go.
        colour: Whether names are coloured.
    """

    def __init__(self, outlet: Outlet, colour: bool) -> None:
        self.outlet = outlet
        self._is_gone = False
        self._colour = colour
        self._width = 0
        self._turns: deque[Lane] = deque()
        self._current = b""

    @property
    def has_more(self) -> bool:
        """Whether something waits for the terminal to take it."""
        return bool(self._current or self._turns)

    def lane(self, name: str) -> Lane:
        """A new name, or a new stream of one."""
        self._width = max(self._width, len(name))
        return Lane(name)

    def take(self, lane: Lane, data: bytes) -> None:
        """Show the lines that are complete, and keep the rest of the last one."""
        end = data.rfind(b"\n") + 1
        if end:
            lines = data[:end]
            if lane.is_cut:
                lane.is_cut = False
                lines = lines[lines.find(b"\n") + 1 :]
            elif lane.partial:
                lines = bytes(lane.partial) + lines
            lane.partial.clear()
            self._show(lane, lines)
        if end < len(data) and not lane.is_cut:
            lane.partial += data[end:]
            if len(lane.partial) > LONGEST_LINE:
                self.complete(lane)
                lane.is_cut = True

    def complete(self, lane: Lane) -> None:
        """Show the last line although it has no end yet."""
        if lane.partial:
            line = bytes(lane.partial) + b"\n"
            lane.partial.clear()
            self._show(lane, line)

    def flush(self) -> None:
        """Give the terminal what it takes, in turns."""
        while self._current or self._next_turn():
            try:
                written = self.outlet.write(self._current)
            except OSError:  # hung up: from now on there is nobody to show anything
                self._is_gone = True
                self._turns.clear()
                self._current = b""
                return
            self._current = self._current[written:]
            if not written:
                return

    # -- lines -----------------------------------------------------------------------------------

    def _show(self, lane: Lane, lines: bytes) -> None:
        start = 0
        while start < len(lines) and not self._is_gone:
            if not self._has_room(lane):
                lane.unseen += lines.count(b"\n", start)
                return
            end = lines.rfind(b"\n", start, start + _PIECE) + 1 or lines.find(b"\n", start) + 1
            self._queue(lane, self._dress(lane, lines[start:end]))
            start = end

    def _has_room(self, lane: Lane) -> bool:
        """Whether a name may show more; one that dropped lines begins again when half its place is free."""
        limit = LANE_BYTES // 2 if lane.unseen else LANE_BYTES
        if len(lane.waiting) >= limit:
            self.flush()
        if len(lane.waiting) >= limit:
            return False
        if lane.unseen:
            self._queue(lane, self._note(lane))
        return True

    def _queue(self, lane: Lane, text: bytes) -> None:
        if not lane.waiting:
            self._turns.append(lane)
        lane.waiting += text

    def _dress(self, lane: Lane, lines: bytes) -> bytes:
        """Put the name before each line, and cut those that are too long."""
        if len(lines) > LONGEST_LINE:  # longer than a piece, so it is one
            lines = lines[:LONGEST_LINE] + b" ...\n"
        prefix = self._prefix(lane)
        return prefix + lines[:-1].replace(b"\n", b"\n" + prefix) + b"\n"

    def _note(self, lane: Lane) -> bytes:
        count, lane.unseen = lane.unseen, 0
        return self._prefix(lane) + b"... %d lines not shown\n" % count

    def _prefix(self, lane: Lane) -> bytes:
        label = lane.name.ljust(self._width) + b" | "
        if not self._colour:
            return label
        return b"\x1b[%dm%s\x1b[0m" % (_COLOURS[zlib.crc32(lane.name) % len(_COLOURS)], label)

    def _next_turn(self) -> bool:
        """Take the next piece of whole lines, from the name whose turn it is."""
        if not self._turns:
            return False
        lane = self._turns.popleft()
        waiting = lane.waiting
        end = waiting.rfind(b"\n", 0, TURN_BYTES) + 1 or waiting.find(b"\n") + 1
        self._current = bytes(waiting[:end])
        del waiting[:end]
        if not waiting and lane.unseen:
            waiting += self._note(lane)
        if waiting:
            self._turns.append(lane)
        return True
