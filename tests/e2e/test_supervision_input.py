"""What cannot work is told before anything is started: a line for each fault, with file, line and remedy.

Both by ``check`` and by the provider, in the same words; for faults of the file, and for those of the
machine that it would run on.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tests.e2e.others import NOBODY, as_nobody, open_directory
from tests.e2e.project import Project
from tests.e2e.refusals import CHECK, SERVICE_CONTEXT, refused
from tests.e2e.shells import write

#: Most open files that this kernel lets anybody have, root included.
NR_OPEN = int(Path("/proc/sys/fs/nr_open").read_text())

#: Of each fault of a file: what to write below the service, where it is, what is wrong, what to do.
WRONG_FILE = {
    "self": ('<requires service="self"/>', "supervision/requires", "requires itself", "remove it"),
    "stray": (
        '<requires service="selv"/>',
        "supervision/requires",
        'no service has the id "selv"',
        'did you mean "self"?',
    ),
    "negative": (
        '<stop grace="-1"/>',
        "supervision/stop/grace",
        '"-1" is no duration',
        "expected seconds, such as 0.5",
    ),
    "never": (
        "<schedule>0 0 31 2 *</schedule>",
        "supervision/schedule",
        "never comes due: no such day in these months",
        "choose a day that exists",
    ),
    "words": (
        "<schedule>every day</schedule>",
        "supervision/schedule",
        "2 fields, expected minute, hour",
        "for instance */5 * * * *",
    ),
    "bounds": (
        '<process><limit name="nofile" soft="9" hard="8"/></process>',
        "supervision/process/limit/soft",
        "9 is more than the hard limit of 8",
        "lower soft or raise hard",
    ),
    "limit": (
        '<process><limit name="nofiles" soft="9"/></process>',
        "supervision/process/limit/name",
        '"nofiles" is no limit',
        'did you mean "nofile"?',
    ),
    "signal": (
        '<stop signal="SIGTREM"/>',
        "supervision/stop/signal",
        "is no signal",
        'did you mean "SIGTERM"?',
    ),
    "one": (
        '<requires service="two"/>',
        "supervision/requires",
        "a circle, of which none can start first: one -> two -> three -> one",
        "remove one of these requirements",
    ),
}
#: The rest of the circle, which is told once.
CIRCLE = {"two": '<requires service="three"/>', "three": '<requires service="one"/>'}

#: The same of each fault of a machine, with the command.
WRONG_HERE = {
    "user": ("sleep 9", '<process user="nobody-here"/>', "there is no user 'nobody-here'", "getent passwd"),
    "group": ("sleep 9", '<process group="nobody-here"/>', "there is no group 'nobody-here'", "getent group"),
    "hard": (
        "sleep 9",
        f'<process><limit name="nofile" hard="{NR_OPEN + 1}"/></process>',
        f"limit nofile: hard {NR_OPEN + 1} is above",
        "ask for less",
    ),
    "endless": (
        "sleep 9",
        '<process><limit name="nofile" hard="unlimited"/></process>',
        "limit nofile: hard unlimited is above",
        "ask for less",
    ),
    "cpu": ("sleep 9", '<process cpus="8190"/>', "there is no processor 8190", "there are 0"),
    "directory": ("sleep 9", '<process cwd="nowhere"/>', "nowhere: No such file or directory", "make it"),
    "program": ("no-such-program", "", "program no-such-program is not in its PATH", "install it"),
    "path": ("./no-such-program", "", "program ./no-such-program is not there", "mend the path"),
    "text": ("./text", "", "text may not be executed by", "chmod +x"),
    "script": ("./script", "", "asks for /no/interpreter, which is not there", "mend its first line"),
    "probe": (
        "sleep 9",
        '<readiness type="command"><command>no-such-probe</command></readiness>',
        "program no-such-probe is not in its PATH",
        "install it",
    ),
}


def service(service_id: str, inner: str, command: str = "sleep 9") -> str:
    """One program, alone on its line of the file."""
    kept = f"<supervision>{inner}</supervision>" if inner else ""
    return (
        f'<TaskService id="{service_id}" serviceType="Command"><command>{command}</command>{kept}'
        "</TaskService>"
    )


def check_lines(lines: list[str], file: Path, wanted: dict[str, tuple[str, str, str]]) -> None:
    """See that there is one line for each fault, and no other.

    Args:
        lines: What a command said.
        file: What about.
        wanted: By service, the words in which element, fault and remedy are told.
    """
    rows = file.read_text().splitlines()
    number = {name: next(n for n, row in enumerate(rows, 1) if f'id="{name}"' in row) for name in wanted}
    for name, (element, fault, remedy) in wanted.items():
        start = f"{file}:{number[name]}: TaskService[{name}]/{element}: "
        (line,) = [line for line in lines if line.startswith(start)]
        assert fault in line
        assert remedy in line.partition(fault)[2]
    assert len(lines) == len(wanted), lines


@pytest.mark.parametrize("command", [CHECK, SERVICE_CONTEXT], ids=["check", "service_context"])
def test_faults_of_a_file_are_a_line_each(project: Project, command: tuple[str, ...]) -> None:
    """All at once; a circle is shown as the chain that it is, and once."""
    services = [service("good", "")]
    services += [service(name, inner) for name, (inner, *_) in WRONG_FILE.items()]
    services += [service(name, inner) for name, inner in CIRCLE.items()]
    file = write(project, "\n" + "\n".join(services))
    options = () if command == CHECK else ("--start",)
    lines = refused(command, file, *options, code=2)
    check_lines(lines, file, {name: (place, *told) for name, (_, place, *told) in WRONG_FILE.items()})


@pytest.mark.parametrize("command", [CHECK, SERVICE_CONTEXT], ids=["check", "service_context"])
def test_faults_of_the_machine_are_a_line_each(project: Project, command: tuple[str, ...]) -> None:
    """Whatever the kernel would refuse to the very process, to that of root as well."""
    (project.directory / "text").write_text("no program")
    (project.directory / "script").write_text("#!/no/interpreter\n")
    (project.directory / "script").chmod(0o755)
    services = [service("good", "")]
    services += [service(name, inner, line) for name, (line, inner, *_) in WRONG_HERE.items()]
    file = write(project, "\n" + "\n".join(services))
    options = () if command == CHECK else ("--start",)
    lines = refused(command, file, *options, code=2)
    places = {name: "command" for name, (_, inner, *_) in WRONG_HERE.items() if not inner}
    places["probe"] = "supervision/readiness"
    wanted = {
        name: (places.get(name, "supervision/process"), fault, remedy)
        for name, (_, _, fault, remedy) in WRONG_HERE.items()
    }
    check_lines(lines, file, wanted)


@pytest.mark.parametrize("command", [CHECK, SERVICE_CONTEXT], ids=["check", "service_context"])
def test_rights_that_the_provider_lacks_are_a_line_each(command: tuple[str, ...]) -> None:
    """One that is not root can neither become another user nor raise what it is bound by."""
    with open_directory() as directory:
        (directory / "aside").mkdir()
        account = pwd.getpwnam(NOBODY)
        bounded = ("prlimit", "--nofile=512:1024", *as_nobody(directory / "aside"))
        project = Project(directory)
        services = {
            "root": ('<process user="root"/>', "only root may run it as user root", "or leave user away"),
            "group": (
                '<process group="daemon"/>',
                "only root may run it as group daemon",
                "leave group away",
            ),
            "nicer": ('<process nice="-5"/>', "only root may lower the niceness by 5", "or do not lower it"),
            "hard": (
                '<process><limit name="nofile" hard="2048"/></process>',
                "limit nofile: hard 2048 is above 1024, which this process has",
                "run as root, or ask for less",
            ),
        }
        text = "\n" + "\n".join(service(name, inner) for name, (inner, *_) in services.items())
        file = write(project, text + "\n" + service("own", f'<process user="{NOBODY}" nice="1"/>'))
        os.chown(directory, account.pw_uid, account.pw_gid)
        lines = refused((*bounded, *command), file, code=2)
        place = "supervision/process"
        check_lines(lines, file, {name: (place, *told) for name, (_, *told) in services.items()})


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"\xff\xfe", "begins with <Context>"), (b"<Context>", "</Context>")],
    ids=["missing", "binary", "cut"],
)
def test_what_is_no_context_file_is_a_line(project: Project, content: bytes | None, words: str) -> None:
    """With what a file ought to have."""
    file = project.directory / "Context.xml"
    if content is not None:
        file.write_bytes(content)
    for command in (CHECK, SERVICE_CONTEXT):
        (line,) = refused(command, file, code=2)
        assert words in line
