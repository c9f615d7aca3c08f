"""What the children of these tests run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection

#: Longer than any test may take; a child that sleeps this long is ended by somebody.
LONG = 300
#: Starts a daemon by the book: fork, setsid, fork; tells its pid.
DAEMON = (
    "import os, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        print(os.getpid(), flush=True)\n"
    "        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)\n"
    f"        os.execvp('sleep', ['sleep', '{LONG}'])\n"
    "    os._exit(0)\n"
    "os.wait()\n"
)


def say(channel: Connection, text: str) -> int:
    """Say one word and end well."""
    channel.send_bytes(text.encode())
    return 0


def describe(channel: Connection) -> int:
    """Tell what the child finds itself to be."""
    facts = {
        "leads": os.getsid(0) == os.getpid(),
        "ignores_ctrl_c": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    }
    channel.send(facts)
    return 0


def leave(_: Connection, code: int) -> int:
    """End with a code of one's choice."""
    sys.exit(code)


def fail(_: Connection) -> int:
    """Raise."""
    raise ValueError("as the test wants it")


def forget_thread(channel: Connection) -> int:
    """Return while a thread goes on that nobody made a daemon."""
    threading.Thread(target=time.sleep, args=(LONG,)).start()
    channel.send_bytes(b"returning")
    return 0


def sleep(channel: Connection) -> int:
    """Be there until somebody ends it; SIGTERM does."""
    channel.send_bytes(b"ready")
    time.sleep(LONG)
    return 0


def obey(channel: Connection) -> int:
    """End when asked on the channel."""
    channel.send_bytes(b"ready")
    channel.recv_bytes()
    return 7


def stay(channel: Connection) -> int:
    """Heed neither the channel nor SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel.send_bytes(b"ready")
    while True:
        time.sleep(LONG)


def breed(channel: Connection) -> int:
    """Have a child, a child in a session of its own, and a daemon; tell their pids, then stay."""
    plain = subprocess.Popen(["sleep", str(LONG)])
    apart = subprocess.Popen(["sleep", str(LONG)], start_new_session=True)
    daemon = subprocess.run([sys.executable, "-c", DAEMON], stdout=subprocess.PIPE, check=True, text=True)
    channel.send([plain.pid, apart.pid, int(daemon.stdout)])
    return stay(channel)


def breed_restless(channel: Connection, script: str, count: int) -> int:
    """Have daemons that do nothing but execute themselves again and again; tell their pids, then stay."""
    with open(script, "w") as file:
        file.write('#!/bin/sh\nexec "$0"\n')
    os.chmod(script, 0o700)
    pids = [subprocess.Popen([script], start_new_session=True).pid for _ in range(count)]
    channel.send(pids)
    return stay(channel)


def breed_slowly(channel: Connection) -> int:
    """Have a fork in a session of its own that is slow to execute something; tell its pid, then stay."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        os.setsid()
        os.write(write_end, b"x")
        time.sleep(0.1)
        os.execvp("sleep", ["sleep", str(LONG)])
    os.read(read_end, 1)
    channel.send([pid])
    return stay(channel)


def print_and_stay(channel: Connection) -> int:
    """Print a line, and be killed before anything is flushed."""
    print(os.environ["GREETING"], "from", os.getcwd())
    return stay(channel)


def introduce(channel: Connection) -> int:
    """Tell who multiprocessing takes this process for, and what a child of its own says."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.Process(target=say, args=(theirs, "grandchild"))
    child.start()
    channel.send(
        {
            "name": multiprocessing.current_process().name,
            "parent": parent.pid,
            "parent_lives": parent.is_alive(),
            "grandchild": ours.recv_bytes().decode(),
        }
    )
    child.join()
    return child.exitcode or 0


def answer(_: Connection, other: Connection) -> int:
    """Say a word on a connection that came as an argument."""
    other.send_bytes(b"through the argument")
    return 0


def measure(channel: Connection, load: bytes) -> int:
    """Tell how much came."""
    channel.send(len(load))
    return 0


def say_when_told(channel: Connection) -> int:
    """Repeat what comes on the channel; say goodbye at SIGTERM."""

    def leave(*_: object) -> None:
        channel.send_bytes(b"goodbye")
        os._exit(3)

    signal.signal(signal.SIGTERM, leave)
    channel.send_bytes(b"ready")
    while True:
        channel.send_bytes(channel.recv_bytes())
