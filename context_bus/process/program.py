"""Look whether a program could be started in its surroundings. Touches the world, starts nothing.

What it finds is what the start would fail with, or worse, what would only be seen in a log.
"""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from context_bus.errors import ProcessError
from context_bus.process.account import Account, find_account
from context_bus.process.dressing import limit_number

if TYPE_CHECKING:
    from context_bus.kernel.surroundings import Surroundings

#: Bytes in which the kernel looks for the interpreter of a script.
_FIRST_LINE = 256
#: Most open files that the kernel lets any process have, that of root included.
_MOST_FILES = "/proc/sys/fs/nr_open"
#: Where the kernel lists the processors that run.
_PROCESSORS = "/sys/devices/system/cpu/online"


def faults(argv: Sequence[str], surroundings: Surroundings) -> list[str]:
    """Find what is wrong with a program and its surroundings, all at once.

    Args:
        argv: Program and arguments; empty for a Python child, whose surroundings alone are looked at.
        surroundings: What it is to run in.

    Returns:
        One line for each fault, with the remedy; none if it can be started.
    """
    account = Account(os.geteuid(), os.getegid())
    found = []
    try:
        account = find_account(surroundings.user, surroundings.group)
    except ProcessError as error:
        found.append(str(error))
    else:
        found += _account_faults(account, surroundings)
    found += _limit_faults(surroundings)
    found += _processor_faults(surroundings)
    directory = list(_directory_faults(account, surroundings.cwd))
    found += directory
    if argv and not directory:  # a relative path can only be looked for in a directory that is there
        found += _program_faults(argv[0], account, surroundings)
    return found


def places_of(program: str, surroundings: Surroundings | None) -> tuple[str, ...]:
    """Where a program may be: the path itself, or one for each directory of the ``PATH`` it will have."""
    if "/" in program:
        return (program,)
    env = {} if surroundings is None else surroundings.env
    places = env.get("PATH", os.environ.get("PATH", os.defpath)).split(os.pathsep)
    return tuple(os.path.join(place, program) for place in places)


# -- who and how much ----------------------------------------------------------------------------


def _account_faults(account: Account, what: Surroundings) -> Iterator[str]:
    if os.geteuid() != 0 and not account.is_own:
        whom = f"user {what.user}" if what.user else f"group {what.group}"
        yield f"only root may run it as {whom}; run as root, or leave {whom.split()[0]} away"
    if os.geteuid() != 0 and what.nice < 0 and not _may_be_nicer(what.nice):
        yield f"only root may lower the niceness by {-what.nice}; run as root, or do not lower it"


def _may_be_nicer(by: int) -> bool:
    soft, _ = resource.getrlimit(resource.RLIMIT_NICE)
    return soft == resource.RLIM_INFINITY or os.getpriority(os.PRIO_PROCESS, 0) + by >= 20 - soft


def _limit_faults(what: Surroundings) -> Iterator[str]:
    for name, (soft, hard) in what.limits.items():
        try:
            number = limit_number(name)
        except ProcessError as error:
            yield str(error)
            continue
        _, own = resource.getrlimit(number)
        if _exceeds(soft, hard):
            yield f"limit {name}: soft {_amount(soft)} is above hard {_amount(hard)}; lower it, or raise hard"
        elif _exceeds(hard, own) and os.geteuid() != 0:
            yield (
                f"limit {name}: hard {_amount(hard)} is above {_amount(own)}, which this process has; "
                "run as root, or ask for less"
            )
        elif name == "nofile" and _exceeds(hard, most := _most_files()):
            yield (
                f"limit nofile: hard {_amount(hard)} is above {most}, the most there can be; "
                f"ask for less, or raise {_MOST_FILES}"
            )


def _most_files() -> int:
    try:
        with open(_MOST_FILES, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return resource.RLIM_INFINITY


def _exceeds(one: int, other: int) -> bool:
    if other == resource.RLIM_INFINITY:
        return False
    return one == resource.RLIM_INFINITY or one > other


def _amount(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)


def _processor_faults(what: Surroundings) -> Iterator[str]:
    missing = sorted(set(what.cpus) - _processors()) if what.cpus else []
    if missing:
        numbers = ", ".join(map(str, missing))
        yield f"there is no processor {numbers}; there are {_processor_text()}"


def _processor_text() -> str:
    try:
        with open(_PROCESSORS, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return f"0-{(os.cpu_count() or 1) - 1}"


def _processors() -> set[int]:
    numbers: set[int] = set()
    for part in _processor_text().split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


# -- where ---------------------------------------------------------------------------------------


def _directory_faults(account: Account, cwd: str) -> Iterator[str]:
    if not cwd:
        return
    try:
        status = os.stat(cwd)
    except OSError as error:
        yield f"directory {cwd}: {error.strerror}; make it, or name another"
        return
    if not stat.S_ISDIR(status.st_mode):
        yield f"{cwd} is not a directory; name one"
    elif not _may(account, status, os.X_OK):
        yield f"directory {cwd} may not be entered by {_whom(account)}; see `chmod` and `chown`"


def _whom(account: Account) -> str:
    return account.name or f"user {account.uid}"


def _may(account: Account, status: os.stat_result, bit: int) -> bool:
    """Whether an account has a right (R_OK, W_OK, X_OK) on a file; lists for access are not looked at."""
    mode = status.st_mode
    if account.uid == 0:
        return bit != os.X_OK or stat.S_ISDIR(mode) or bool(mode & 0o111)
    if account.uid == status.st_uid:
        return bool(mode & bit << 6)
    if account.name:
        groups = os.getgrouplist(account.name, account.gid)
    else:
        groups = [account.gid, *(os.getgroups() if account.uid == os.geteuid() else ())]
    return bool(mode & (bit << 3 if status.st_gid in groups else bit))


# -- what ----------------------------------------------------------------------------------------


def _program_faults(program: str, account: Account, what: Surroundings) -> Iterator[str]:
    path, verdict = _find(program, account, what)
    if not path:
        yield verdict
        return
    words = _interpreter(path)
    if not words:
        return
    interpreter = os.path.join(what.cwd, words[0])
    if not os.path.exists(interpreter):
        yield f"script {path} asks for {words[0]}, which is not there; install it, or mend its first line"
    elif os.path.basename(interpreter) == "env":
        names = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        if names and not _find(names[0], account, what)[0]:
            yield f"script {path} asks for {names[0]}, which is not in its PATH; install it, or mend line 1"


def _find(program: str, account: Account, what: Surroundings) -> tuple[str, str]:
    """Find a program as the start will; returns its path, or why there is none."""
    verdict = f"program {program} is not in its PATH; install it, or name it with its directory"
    if "/" in program:
        verdict = f"program {program} is not there; mend the path"
    for place in places_of(program, what):
        path = os.path.join(what.cwd, place)
        try:
            status = os.stat(path)
        except PermissionError:
            verdict = f"program {path} may not be reached by us; see the rights of its directories"
            continue
        except OSError:
            continue
        if stat.S_ISDIR(status.st_mode):
            verdict = f"program {path} is a directory; name a file" if "/" in program else verdict
        elif not stat.S_ISREG(status.st_mode):
            verdict = f"program {path} is not a file that can be executed"
        elif not _may(account, status, os.X_OK):
            verdict = f"program {path} may not be executed by {_whom(account)}; see `chmod +x`"
        else:
            return path, ""
    return "", verdict


def _interpreter(path: str) -> list[str]:
    """The first line of a script, in words; none if it is not one, or cannot be read."""
    try:
        with open(path, "rb") as file:
            line = file.read(_FIRST_LINE).partition(b"\n")[0]
    except OSError:
        return []
    return os.fsdecode(line[2:]).split() if line.startswith(b"#!") else []
