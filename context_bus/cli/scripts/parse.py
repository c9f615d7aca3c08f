"""``parse.py``: print what a feedback file says, as a JSON object.

Knows the parser of feedback only; needs no database.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence

from context_bus.cli.scripts import ending
from context_bus.cli.scripts.arguments import Parser

EXAMPLES = (
    "parse.py --feedback feedback_1.log",
    "parse.py --feedback feedback_1.log --double   # a string with the object in it, as taskwatcher printed",
)

#: Bytes read at once.
_CHUNK = 256 * 1024


def main(args: Sequence[str] | None = None) -> int:
    """Run the script; returns the exit code."""
    return ending.run(_parse, _act, args)


def _parse(args: Sequence[str] | None) -> Namespace:
    parser = Parser(
        description="Print the values of a feedback file as a JSON object.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "--feedback",
        metavar="FILE",
        required=True,
        help="feedback file; one that is not there yet has no values: {}, and a remark on stderr",
    )
    parser.add_argument(
        "--double", action="store_true", help="print the object within a JSON string, as taskwatcher 1.7 did"
    )
    parser.add_debug()
    return parser.parse_args(args)


def values_of(path: str) -> dict[str, str]:
    """What a feedback file says now.

    Raises:
        OSError: It cannot be read.
    """
    from context_bus.kernel.feedback import Feedback

    feedback = Feedback()
    with open(path, "rb") as file:
        while data := file.read(_CHUNK):
            feedback.feed(data)
    return feedback.values


def _act(options: Namespace) -> int:
    try:
        values = values_of(options.feedback)
    except FileNotFoundError:
        # Whoever asks before the first line was written asks too early, and not for something wrong.
        ending.remark(f"{options.feedback} does not exist; no feedback yet, or a wrong path")
        values = {}
    text = json.dumps(values)
    print(json.dumps(text) if options.double else text)
    return 0
