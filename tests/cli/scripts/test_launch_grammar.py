"""The command line of ``launch.py``: its options, and a command that arrives as it was typed."""

from __future__ import annotations

import pytest

from context_bus.cli.scripts.launch import order_of
from context_bus.cli.scripts.launch_grammar import parse
from context_bus.watch.order import Order


@pytest.mark.parametrize(
    ("words", "argv"),
    [
        (["--", "sh", "-c", "exit 7"], ["sh", "-c", "exit 7"]),
        (["--", "echo", "a  b", "--", "--x", ""], ["echo", "a  b", "--", "--x", ""]),
        (["--", "--", "x"], ["--", "x"]),
        (["sleep", "1"], ["sleep", "1"]),
        (["printf", "%s", "--", "--db", "y"], ["printf", "%s", "--", "--db", "y"]),
        (["--", "x", "--db", "other", "--help", "--debug"], ["x", "--db", "other", "--help", "--debug"]),
        (["--command", "sh -c 'exit 7'"], ["sh", "-c", "exit 7"]),
        (["--command", "echo \"a  b\" ''"], ["echo", "a  b", ""]),
    ],
)
def test_command_arrives_untouched(words: list[str], argv: list[str]) -> None:
    """T10: blanks, empty arguments, further ``--`` and options that are ours elsewhere."""
    options = parse(["--db", "x.db", *words])
    assert options.argv == argv
    assert (options.db, options.debug) == ("x.db", False)


def test_every_option_has_its_place() -> None:
    """Those of the document and those of our own."""
    words = (
        "--db x.db --taskid 4 --name n --info1 a --info2 b --info3 c --feedpath /tmp --timeout 1.5 "
        "--grace 0.5 --max_runtime 1h30m --env A=1 --env B=x=y --cwd / --stdin close --output o --error e "
        "--max_bytes 2K --backups 0 --on_orphan adopt --instances 3 --detach --expect_feedback --retain 30d "
        "--bus tcp://127.0.0.1:5556 --compat-rc --debug -- true"
    )
    options = vars(parse(words.split()))
    expected = {
        "taskid": 4, "name": "n", "info1": "a", "info2": "b", "info3": "c", "feedpath": "/tmp",
        "timeout": 1.5, "grace": 0.5, "max_runtime": 5400.0, "env": [("A", "1"), ("B", "x=y")], "cwd": "/",
        "stdin": "close", "output": "o", "error": "e", "max_bytes": 2048, "backups": 0, "on_orphan": "adopt",
        "instances": 3, "detach": True, "expect_feedback": True, "retain": 30 * 86400.0, "bus": "tcp://127.0.0.1:5556",
        "compat_rc": True, "debug": True,
    }  # fmt: skip
    assert {name: options[name] for name in expected} == expected


def test_order_is_what_the_options_say() -> None:
    """Each option has its field; without one, it is as the order has it anyway."""
    words = (
        "--db x.db --taskid 4 --name n --info1 a --info2 b --info3 c --feedpath /tmp --timeout 1.5 "
        "--grace 0.5 --max_runtime 90 --env A=1 --cwd / --stdin close --output o --error e --max_bytes 2K "
        "--backups 0 --on_orphan adopt --instances 3 --expect_feedback --retain 1d "
        "--bus tcp://127.0.0.1:5556 -- true x"
    )
    assert order_of(parse(words.split())) == Order(
        argv=("true", "x"), taskid=4, name="n", info=("a", "b", "c"), feedpath="/tmp", expects_feedback=True,
        timeout=1.5, grace=0.5, max_runtime=90.0, cwd="/", env={"A": "1"}, stdin="close", output="o",
        error="e", max_bytes=2048, backups=0, on_orphan="adopt", bus="tcp://127.0.0.1:5556", retain=86400.0,
        instances=3,
    )  # fmt: skip
    assert order_of(parse(["--db", "x.db", "--", "true"])) == Order(("true",))


def test_defaults_are_the_originals() -> None:
    """A timeout of 30 s, no task id; an empty id is none."""
    options = parse(["--db", "x.db", "--taskid", "", "--", "true"])
    assert (options.taskid, options.timeout, options.feedpath, options.name) == (None, 30.0, "", "")
    assert parse(["--db", "x.db", "--", "true"]).taskid is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--db x.db", "no command was given; put it after '--'"),
        ("--db x.db --", "no command was given"),
        ("-- true", "the following arguments are required: --db"),
        (
            "--db x.db --timeout abc -- true",
            "argument --timeout: 'abc' is no number of seconds above 0, such as 30 or 1.5",
        ),
        ("--db x.db --timeout nan -- true", "argument --timeout: 'nan' is no number of seconds"),
        ("--db x.db --timeout 0 -- true", "'0' is no number of seconds above 0"),
        ("--db x.db --grace abc -- true", "argument --grace: 'abc' is no number of seconds, such as 30"),
        ("--db x.db --timeout -1 -- true", "argument --timeout: '-1' is no number of seconds"),
        ("--db x.db --taskid x7 -- true", "argument --taskid: 'x7' is no whole number from 1 on"),
        (
            "--db x.db --max_runtime soon -- true",
            'argument --max_runtime/--max-runtime: "soon" is no duration',
        ),
        ("--db x.db --max_bytes 0 -- true", "'0' is no size at all"),
        ("--db x.db --env A -- true", "argument --env: 'A' sets no variable, expected NAME=VALUE"),
        ("--db x.db --stdin open -- true", "argument --stdin: invalid choice: 'open'"),
        ("--db x.db --feed x -- true", "unrecognized arguments: --feed"),
        ("--db x.db --command true -- true", "--command and a command after '--' were given; choose one"),
        (
            "--db x.db --command 'true",
            "--command cannot be split as a shell would do it: no closing quotation",
        ),
    ],
)
def test_wrong_words_are_one_line_and_exit_2(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """T9's neighbours: a number that is none was a traceback."""
    with pytest.raises(SystemExit) as ended:
        parse(words.split())
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_retention_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option is stronger; a value that is none is refused as one of the option."""
    monkeypatch.setenv("CONTEXT_BUS_TASK_RETAIN", "2d")
    assert parse(["--db", "x.db", "--", "true"]).retain == 2 * 86400.0
    assert parse(["--db", "x.db", "--retain", "1d", "--", "true"]).retain == 86400.0
    monkeypatch.setenv("CONTEXT_BUS_TASK_RETAIN", "long")
    with pytest.raises(SystemExit):
        parse(["--db", "x.db", "--", "true"])
    assert 'CONTEXT_BUS_TASK_RETAIN: "long" is no duration' in capsys.readouterr().err
