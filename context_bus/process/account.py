"""Users and groups by name or number. Knows the machine's accounts; nothing of processes."""

from __future__ import annotations

import grp
import os
import pwd
from typing import NamedTuple

from context_bus.errors import ProcessError


class Account(NamedTuple):
    """Whom a process runs as.

    Args:
        uid: User.
        gid: Group.
        name: Of the user; empty if the number has none.
        home: Home directory; empty if the user has none.
    """

    uid: int
    gid: int
    name: str = ""
    home: str = ""

    @property
    def is_own(self) -> bool:
        """Whether this process runs as that already."""
        return (self.uid, self.gid) == (os.geteuid(), os.getegid())

    def become(self) -> None:
        """Run as this account from now on, with all its groups.

        Raises:
            PermissionError: Only root, or who runs as it already, may.
        """
        if self.is_own and os.geteuid() != 0:
            return
        if self.name:
            os.initgroups(self.name, self.gid)
        else:
            os.setgroups([self.gid])
        os.setgid(self.gid)
        os.setuid(self.uid)

    def variables(self) -> dict[str, str]:
        """What the environment says of the user."""
        values = {"USER": self.name, "LOGNAME": self.name, "HOME": self.home}
        return {name: value for name, value in values.items() if value}


def find_account(user: str, group: str) -> Account:
    """Find whom a process is to run as.

    Args:
        user: Name or number; empty is the present user.
        group: Name or number; empty is the group of the user.

    Raises:
        ProcessError: There is no such user or group.
    """
    if not user:
        return Account(os.geteuid(), _group(group) if group else os.getegid())
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        if not user.isdecimal():
            raise ProcessError(f"there is no user {user!r}; see `getent passwd`") from None
        if not group:
            raise ProcessError(f"user {user} has no group in `getent passwd`; name a group") from None
        return Account(int(user), _group(group))
    except OverflowError:
        raise ProcessError(f"there is no user {user!r}; a number of 32 bits is at most 4294967294") from None
    gid = _group(group) if group else entry.pw_gid
    return Account(entry.pw_uid, gid, entry.pw_name, entry.pw_dir)


def _group(group: str) -> int:
    try:
        if group.isdecimal():
            return int(group)
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ProcessError(f"there is no group {group!r}; see `getent group`") from None
