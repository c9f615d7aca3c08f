"""A program to be watched, as the original tool has one: it sleeps, plays feedback, or makes progress.

Run it by path or as ``python -m tests.watch.testprog``; it knows the standard library only. This is a command
for tests, so it sleeps as long as it is told to; no test waits by it for anything but its end.

- ``sleeping``: sleeps ``--sleep`` seconds and writes nothing;
- ``feedbacking``: writes the lines of ``--textfile`` to the feedback file, ``--delay`` seconds after each,
  then sleeps ``--sleep`` seconds if that is given;
- ``progressing``: ten test cases of hundred steps each, ``--delay`` seconds after each step.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import TextIO

#: Steps of each of the ten test cases of ``progressing``.
STEPS = 100


def main() -> None:
    args = parser().parse_args()
    if args.scenario == "sleeping":
        time.sleep(30.0 if args.sleep is None else args.sleep)
        return
    if not args.feedback:
        raise SystemExit("testprog: no feedback file; give --feedback PATH, or set CONTEXT_BUS_FEEDBACK")
    with open(args.feedback, "a", encoding="utf-8", newline="") as feedback:
        if args.scenario == "feedbacking":
            play(feedback, args.textfile, args.delay)
            time.sleep(args.sleep or 0.0)
        else:
            progress(feedback, args.delay)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="a program to be watched")
    made.add_argument("--scenario", choices=["sleeping", "feedbacking", "progressing"], required=True)
    made.add_argument("--sleep", type=float, metavar="SECONDS", help="30 when sleeping, else 0")
    made.add_argument("--textfile", metavar="PATH", help="feedback to play")
    made.add_argument("--feedback", metavar="PATH", default=os.environ.get("CONTEXT_BUS_FEEDBACK"))
    made.add_argument("--delay", type=float, default=1.0, metavar="SECONDS", help="after each line or step")
    return made


def play(feedback: TextIO, textfile: str, delay: float) -> None:
    """Write the lines of a file one by one, as they are."""
    with open(textfile, encoding="utf-8", newline="") as lines:
        for line in lines:
            tell(feedback, line)
            time.sleep(delay)


def progress(feedback: TextIO, delay: float) -> None:
    """Tell of ten test cases, each of hundred steps."""
    tell(feedback, f"[playbook]testprogr\n[start_time]{time.time():.0f}\n[run]1\n")
    for case in range(10):
        tell(feedback, f"[progress]{case * 10}\n[testcase_id]{case}0\n[testcase_name]testcase_nb_0{case}\n")
        for step in range(1, STEPS + 1):
            tell(feedback, f"[testcase_progress]{step}\n")
            time.sleep(delay)
    tell(feedback, f"[progress]100\n[end_time]{time.time():.0f}\n")


def tell(feedback: TextIO, text: str) -> None:
    feedback.write(text)
    feedback.flush()


if __name__ == "__main__":
    main()
