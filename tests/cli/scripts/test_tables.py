"""The tables and JSON objects of the watched tasks' document, to the character."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from context_bus.cli.scripts import tables

RUNNING = (1, "sl", None, None, None, 19384, "RUNNING", 0, 1795342205, 1795342205, 1, 1795342206, 12)
RESERVED = (2, "noname", None, None, None, None, "RESERVED", None, 1795342125, None, None, None, None)
ENDED = (1, 1, "task0", "i1", "i2", "i3", "0", "TBD", 1795342183, 1795342186, 3, "to be implemented")

TASK_HEAD = (
    "| task id  |      task name       |     info1    |     info2    |     info3    |   pid  |   status   "
    "| feedback | reserve time | starting time | duration | last update  | timeout  |"
)
PAST_HEAD = (
    "|    id    | task id  |      task name       |     info1    |     info2    |     info3    |termsignal "
    "| termerror | starting time | ending time | duration |      feedback         |"
)


def test_task_table_is_the_documents() -> None:
    """Rules of 181 dashes, the head, a row for each task (T13), and ``None`` for what is not known."""
    assert list(tables.task_table([RUNNING, RESERVED])) == [
        "-" * 181,
        TASK_HEAD,
        "-" * 181,
        "|        1 | sl                   | None         | None         | None         |  19384 |"
        "    RUNNING |        0 |   1795342205 |    1795342205 |        1 |   1795342206 |       12 |",
        "|        2 | noname               | None         | None         | None         |   None |"
        "   RESERVED |     None |   1795342125 |          None |     None |         None |     None |",
        "-" * 181,
    ]


def test_task_table_without_tasks_is_a_sentence() -> None:
    """As the original says it."""
    assert list(tables.task_table([])) == ["No tasks."]


def test_past_table_is_the_documents() -> None:
    """Rules of 180 dashes, the head, a row for each that has ended."""
    assert list(tables.past_table([ENDED])) == [
        "-" * 180,
        PAST_HEAD,
        "-" * 180,
        "|        1 |        1 | task0                | i1           | i2           | i3           |"
        "         0 |       TBD |    1795342183 |  1795342186 |        3 |     to be implemented |",
        "-" * 180,
    ]


def test_past_table_has_its_head_even_without_rows() -> None:
    """Three rules and the head, as the original prints them."""
    assert list(tables.past_table([])) == ["-" * 180, PAST_HEAD, "-" * 180, "-" * 180]


def test_longer_values_overflow_their_cell() -> None:
    """Nothing is cut."""
    row = list(tables.task_table([(1, "n" * 30, *RUNNING[2:])]))[3]
    assert row.startswith("|        1 | " + "n" * 30 + " | None         |")


def test_a_row_is_one_line_whatever_the_name_holds() -> None:
    """Line ends and orders to the terminal are spelled out; letters of any alphabet are not."""
    row = list(tables.task_table([(1, "é\n\x1b[2J", *RUNNING[2:])]))[3]
    assert row.startswith("|        1 | é\\n\\x1b[2J           | None ")


def test_columns_of_our_own_are_not_shown() -> None:
    """Rows have more columns than the document knows."""
    assert list(tables.task_table([(*RUNNING, "more")])) == list(tables.task_table([RUNNING]))
    assert list(tables.past_table([(*ENDED, "more")])) == list(tables.past_table([ENDED]))
    assert "more" not in "".join(tables.task_json([(*RUNNING, "more")]))
    assert "more" not in "".join(tables.past_json([(*ENDED, "more")]))


def test_task_json_is_the_documents() -> None:
    """One line, an object by ids as text, its members in order."""
    assert "".join(tables.task_json([(1, *RESERVED[1:])])) == (
        '{"1": {"name": "noname", "info1": null, "info2": null, "info3": null, "pid": null, "status": '
        '"RESERVED", "feedback": null, "reservetime": 1795342125, "starttime": null, "duration": null, '
        '"lastupdate": null, "timeout": null}}'
    )


def test_past_json_is_the_documents() -> None:
    """The same of the history."""
    assert "".join(tables.past_json([(1, 1, "t1", None, None, None, *ENDED[6:])])) == (
        '{"1": {"taskid": 1, "taskname": "t1", "info1": null, "info2": null, "info3": null, "termsignal": '
        '"0", "termerror": "TBD", "starttime": 1795342183, "endtime": 1795342186, "duration": 3, '
        '"feedback": "to be implemented"}}'
    )


def test_json_of_nothing_is_an_empty_object() -> None:
    """For tasks and for the history."""
    assert "".join(tables.task_json([])) == "".join(tables.past_json([])) == "{}"


def test_json_of_several_rows_is_one_object() -> None:
    """As ``json.dumps`` would write it."""
    text = "".join(tables.task_json([RUNNING, RESERVED]))
    assert list(json.loads(text)) == ["1", "2"]
    assert text == json.dumps(json.loads(text))


@pytest.mark.parametrize("form", [tables.past_json, tables.past_table])
def test_long_history_is_never_held_as_a_whole(form: Callable[..., Iterator[str]]) -> None:
    """T27: no row is asked for before the one before it is on its way."""
    asked: list[int] = []

    def rows() -> Iterator[tuple[object, ...]]:
        for number in range(1, 1001):
            asked.append(number)
            yield (number, *ENDED[1:])

    said = [len(asked) for piece in form(rows()) if "task0" in piece]
    assert said == list(range(1, 1001))
