"""Both grammars of ``control.py``: the document's flat one, and the later one of sub-commands."""

from __future__ import annotations

import pytest

from context_bus.cli.scripts.control_grammar import ACTIONS, parse

VALUES = {"feedback": "3", "kill": "3", "killall": "backup"}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: str(action.name))
def test_every_action_is_there_in_both_grammars(action) -> None:  # type: ignore[no-untyped-def]
    """The flat option and the one of the sub-command ask for the same."""
    value = [VALUES[action.name]] if action.name in VALUES else []
    flat = parse(["--db", "x.db", action.flat_option, *value])
    sub = parse(["--db", "x.db", action.sub_command, action.sub_option, *value])
    assert flat.actions == sub.actions
    assert [name for name, _ in flat.actions] == [action.name]
    assert flat.db == sub.db == "x.db"


def test_database_is_named_before_or_after_the_sub_command() -> None:
    """Or not at all: then it is ``sqlite.db``; the last one named is the one."""
    assert parse(["--db", "x.db", "task", "--list"]).db == "x.db"
    assert parse(["task", "--db", "x.db", "--list"]).db == "x.db"
    assert parse(["task", "--list"]).db == parse(["--list"]).db == "sqlite.db"
    assert parse(["--db", "a.db", "task", "--list", "--db", "b.db"]).db == "b.db"


def test_modifiers_are_the_same_in_both_grammars() -> None:
    """Those of a reservation, of the list and of the history."""
    words = ["--reserve", "--unique", "--taskname", "n", "--info1", "a", "--info2", "b", "--info3", "c"]
    for options in (parse(words), parse(["task", *words])):
        assert (options.unique, options.taskname) == (True, "n")
        assert (options.info1, options.info2, options.info3) == ("a", "b", "c")
    for options in (parse(["--reserve"]), parse(["task", "--reserve"])):
        assert (options.unique, options.taskname, options.info1, options.json) == (False, None, None, False)
    assert parse(["--list", "--json"]).json
    assert parse(["task", "--json", "--list"]).json
    assert parse(["--history", "--human"]).human
    assert parse(["history", "--list", "--human"]).human
    assert parse(["--initialize", "--force"]).force
    assert parse(["database", "--initialize", "--force"]).force


@pytest.mark.parametrize(
    ("words", "done"),
    [
        ("task --killall n --kill 1 --reserve --list", ["list"]),
        ("task --killall n --kill 1 --reserve", ["reserve"]),
        ("task --killall n --kill 1", ["kill"]),
        ("task --kill 1 --feedback 1", ["feedback"]),
        ("history --clear --list", ["history"]),
        ("database --update --initialize", ["initialize", "update"]),
        ("--update --list", ["update", "list"]),
        ("--clear --history", ["history"]),
    ],
)
def test_one_of_several_actions_is_done(
    words: str, done: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the original's order: list, reserve, kill, killall; initialize, then update. The rest is told of."""
    assert [name for name, _ in parse(words.split()).actions] == done
    out, err = capsys.readouterr()
    assert out == ""
    left = words.count("--") - len(done)
    assert err.count(" is left out beside ") == len(err.splitlines()) == left


@pytest.mark.parametrize("words", ["", "task", "history", "database", "task --json", "--unique", "--db x.db"])
def test_nothing_to_do_is_the_help_and_no_success(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A script whose option got lost must not believe that something was done."""
    with pytest.raises(SystemExit) as ended:
        parse(words.split())
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.startswith("usage: ")
    assert "examples:" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--lis", "unrecognized arguments: --lis"),
        ("task --feed 3", "unrecognized arguments: --feed 3"),
        ("--kill x", "argument --kill: 'x' is no whole number from 1 on"),
        ("--kill 0", "argument --kill: '0' is no whole number from 1 on"),
        ("task --feedback", "argument --feedback: expected one argument"),
        ("jobs --list", "invalid choice: 'jobs'"),
        ("--list task --reserve", "--list belongs behind 'task', or without it"),
        ("history --reserve", "unrecognized arguments: --reserve"),
    ],
)
def test_wrong_words_are_one_line_and_exit_2(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the way to the help; no option may be abbreviated."""
    with pytest.raises(SystemExit) as ended:
        parse(words.split())
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert " --help'" in err


@pytest.mark.parametrize("option", ["--taskname", "--info1", "--killall"])
def test_bytes_that_are_no_text_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As Python hands them over: a database of text cannot keep them."""
    with pytest.raises(SystemExit) as ended:
        parse(["task", "--reserve", option, "a\udcff"])
    assert ended.value.code == 2
    assert f"argument {option}: b'a\\xff' is no text in UTF-8" in capsys.readouterr().err


def test_empty_name_kills_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """It may be a variable that is not set."""
    with pytest.raises(SystemExit):
        parse(["--killall", ""])
    assert "argument --killall: is empty" in capsys.readouterr().err
