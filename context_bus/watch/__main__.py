"""``python -m context_bus.watch launch``: the launcher that the library starts. Knows the order's fields.

It imports nothing but the standard library, since it is to begin within a tenth of a second.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from context_bus.errors import ContextBusError
from context_bus.watch import front
from context_bus.watch.order import ON_ORPHAN, STDIN, Order


def main(args: Sequence[str]) -> int:
    """Launch; returns the exit code."""
    cut = args.index("--") if "--" in args else len(args)
    options = vars(_parser().parse_args(args[:cut]))
    path, is_detached = Path(options.pop("db")), options.pop("detach")
    del options["verb"]
    info = tuple(options.pop(f"info{number}") for number in (1, 2, 3))
    env = dict(text.partition("=")[::2] for text in options.pop("env"))
    order = Order(argv=tuple(args[cut + 1 :]), info=info, env=env, **options)
    try:
        if not is_detached:
            return front.launch(path, order)
        from context_bus.watch.detaching import detach

        print(*detach(path, order))
        return 0
    except ContextBusError as error:
        print(f"context-bus: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m context_bus.watch", allow_abbrev=False)
    launch = parser.add_subparsers(dest="verb", required=True).add_parser("launch", allow_abbrev=False)
    launch.add_argument("--db", required=True)
    launch.add_argument("--detach", action="store_true")
    launch.add_argument("--expect_feedback", dest="expects_feedback", action="store_true")
    launch.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    for name in ("name", "info1", "info2", "info3", "feedpath", "cwd", "output", "error", "bus"):
        launch.add_argument(f"--{name}", default="")
    for name, kind in (("taskid", int), ("max_runtime", float), ("retain", float)):
        launch.add_argument(f"--{name}", type=kind)
    defaults = Order(())
    for name in ("timeout", "grace", "max_bytes", "backups", "instances"):
        default = getattr(defaults, name)
        launch.add_argument(f"--{name}", type=type(default), default=default)
    launch.add_argument("--stdin", choices=STDIN, default=defaults.stdin)
    launch.add_argument("--on_orphan", choices=ON_ORPHAN, default=defaults.on_orphan)
    return parser


if __name__ == "__main__":
    front.leave(main(sys.argv[1:]))  # what an interpreter does at its end takes longer than some commands
